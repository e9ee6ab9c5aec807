# SPDX-License-Identifier: Apache-2.0
"""trove-manage broker prepare, on a real broker that an operator has just installed."""

import json
import urllib.parse

import pytest
import requests

from trove.cmd import manage
from trove.localcloud import rabbitmq

pytestmark = [pytest.mark.root, pytest.mark.rabbitmq]

VHOST = "/prepared-by-hand"


class Api:
    """The management API, as an operator has it."""

    def __init__(self, access) -> None:
        self._base = f"{access.broker_url}/api/"
        self._auth = (access.broker_user, access.broker_password)

    def ask(self, verb: str, *path: str, **words):
        url = self._base + "/".join(urllib.parse.quote(part, safe="") for part in path)
        answer = requests.request(verb, url, auth=self._auth, timeout=30, **words)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def bench(node, tmp_path, capsys):
    """The API, and ``shell(*words)`` -> exit code, standard output, standard error."""
    access = rabbitmq.access(node.layout, "127.0.0.1")
    guests = access.guests_url.replace(f"/{rabbitmq.GUESTS_VHOST}", f"/{VHOST}")
    conf = tmp_path / "trove.conf"
    conf.write_text(
        f"[rpc]\nguests_url = {guests}\nbroker_url = {access.broker_url}\n"
        f"broker_user = {access.broker_user}\n"
        f"broker_password = {access.broker_password}\n"
    )

    def shell(*words: str):
        code = manage.main(["--config-file", str(conf), "broker", "prepare", *words])
        said = capsys.readouterr()
        assert access.broker_password not in said.out + said.err
        return code, said.out, said.err

    api = Api(access)
    yield api, shell
    if VHOST in {vhost["name"] for vhost in api.ask("GET", "vhosts")}:
        api.ask("DELETE", "vhosts", VHOST)


def test_an_empty_broker_is_prepared_once_and_for_all(bench):
    api, shell = bench
    code, out, _ = shell("--check")
    assert code == 3 and f"vhosts {VHOST}: missing" in out
    assert VHOST not in {vhost["name"] for vhost in api.ask("GET", "vhosts")}
    assert shell()[0] == 0
    assert shell("--check")[:2] == (0, f"Virtual host {VHOST} is as it should be.\n")
    exchanges = {one["name"] for one in api.ask("GET", "exchanges", VHOST)}
    assert {"trove", "trove_reply"} <= exchanges
    assert shell()[:2] == (0, f"Virtual host {VHOST} is as it should be.\n")


def test_what_somebody_changed_is_told_and_set_right(bench):
    api, shell = bench
    assert shell()[0] == 0
    api.ask("DELETE", "policies", VHOST, "trove-guest-queues")
    nothing = {"configure": "", "write": "", "read": ""}
    api.ask("PUT", "permissions", VHOST, rabbitmq.CONTROL_USER, json=nothing)
    code, out, _ = shell("--check", "--json")
    lacks = json.loads(out)["lacks"]
    assert code == 3 and len(lacks) == 4
    assert f"policies {VHOST} trove-guest-queues: missing" in lacks
    assert shell()[0] == 0
    assert shell("--check")[0] == 0


def test_an_exchange_that_is_another_is_not_replaced(bench):
    """It may have somebody's messages: an operator removes it, we do not."""
    api, shell = bench
    api.ask("PUT", "vhosts", VHOST, json={})
    api.ask("PUT", "exchanges", VHOST, "trove", json={"type": "fanout"})
    code, _, err = shell()
    assert code == 1 and "exchanges" in err
    assert api.ask("GET", "exchanges", VHOST, "trove")["type"] == "fanout"
