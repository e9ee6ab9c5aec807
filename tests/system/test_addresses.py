# SPDX-License-Identifier: Apache-2.0
"""Public addresses."""

import contextlib
import ssl

import psycopg
import pymysql
import pytest

from tests.system.deployment import VERSIONS, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
ELSEWHERE = "192.0.2.0/24"
UNREACHED = (pymysql.err.OperationalError, psycopg.OperationalError, ssl.SSLError)


def enter(demo, shown, address):
    """Through that address, whose name the certificate must have."""
    at = {**shown, "ip": [address]}
    return demo.connect(at, USER["name"], USER["password"], "shop")


def public(shown):
    return [one["address"] for one in shown["addresses"] if one["type"] == "public"]


def change(demo, id, **access):
    answer = demo.ask("PUT", f"/instances/{id}", {"instance": {"access": access}})
    assert answer.status_code == 202, answer.text
    return demo.wait(id)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_a_public_address_comes_goes_and_comes_again(deployment, demo, datastore):
    id = demo.create(
        datastore, f"public-{datastore}", [USER], access={"is_public": True}
    )
    shown = demo.wait(id)
    (first,) = public(shown)
    assert shown["ip"][-1] == first and len(shown["ip"]) == 2
    assert shown["access"]["is_public"] is True
    for address in shown["ip"]:
        with enter(demo, shown, address) as line:
            assert ask(line, "SELECT 1")[0][0] == 1

    change(demo, id, is_public=True, allowed_cidrs=[ELSEWHERE])
    with pytest.raises(UNREACHED):
        enter(demo, shown, first).close()

    private = change(demo, id, is_public=False)
    assert public(private) == [] and private["access"]["is_public"] is False
    with pytest.raises(UNREACHED):
        enter(demo, shown, first).close()
    said = demo.ask("GET", f"/instances/{id}/ssl").json()["ssl"]["certificate"]
    assert first not in said["san"], "the next owner's address is not ours to prove"

    again = change(demo, id, is_public=True)
    (second,) = public(again)

    def entered():
        with contextlib.suppress(*UNREACHED), enter(demo, again, second) as line:
            return ask(line, "SELECT 1")[0][0] == 1
        return False

    until("its certificate names it", entered)
    demo.delete(id)
    demo.gone(id)
    with contextlib.closing(deployment.cloud()) as cloud:
        left = [each.address for each in cloud.network.owned_floating_ips()]
    assert second not in left
