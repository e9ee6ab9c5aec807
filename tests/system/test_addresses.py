# SPDX-License-Identifier: Apache-2.0
"""Public addresses, and those of users' own ports."""

import contextlib
import socket
import ssl

import psycopg
import pymysql
import pytest
from keystoneauth1 import adapter

from tests.system.builds import image, version
from tests.system.deployment import VERSIONS, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
ELSEWHERE = "192.0.2.0/24"
PORTS = {"mariadb": 3306, "postgresql": 5432}
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


class Neutron:
    """What a user asks of the cloud's network service."""

    def __init__(self, user):
        about = {"service_type": "network", "region_name": user.api.region_name}
        self.api = adapter.Adapter(user.api.session, **about)

    def one(self, path):
        (shown,) = self.api.get(path).json().values()
        return shown

    def make(self, kind, **words):
        body = {kind: words}
        return self.api.post(f"/v2.0/{kind}s", json=body).json()[kind]

    def network(self, name):
        return self.one(f"/v2.0/networks?name={name}")[0]["id"]


@pytest.fixture(name="neutron")
def users_neutron(demo):
    return Neutron(demo)


def order(name, port):
    return {
        "name": name,
        "flavorRef": 1,
        "volume": {"size": 1},
        "datastore": {"type": "mariadb", "version": VERSIONS["mariadb"]},
        "nics": [{"port-id": port}],
    }


def serves(demo, shown, address):
    with enter(demo, shown, address) as line:
        return ask(line, "SELECT 1")[0][0] == 1


@pytest.mark.parametrize("datastore", VERSIONS)
def test_a_port_of_the_users_is_where_the_database_is(
    deployment, demo, other, admin, neutron, datastore
):
    port = neutron.make("port", network_id=neutron.network("trove"), name="mine")
    address = port["fixed_ips"][0]["ip_address"]
    refused = other.ask("POST", "/instances", {"instance": order("theft", port["id"])})
    assert refused.status_code == 400 and "cannot be found" in refused.text

    nics = [{"port-id": port["id"]}]
    id = demo.create(datastore, f"port-{datastore}", [USER], nics=nics)
    twin = demo.ask("POST", "/instances", {"instance": order("twin", port["id"])})
    assert twin.status_code == 409 and id in twin.text
    shown = demo.wait(id)
    assert shown["ip"][0] == address and len(shown["ip"]) == 2
    said = demo.ask("GET", f"/instances/{id}/ssl").json()["ssl"]["certificate"]
    assert set(shown["ip"]) <= set(said["san"])
    for each in shown["ip"]:
        assert serves(demo, shown, each), "the name in the certificate was checked"

    public = neutron.make(
        "floatingip",
        floating_network_id=neutron.network("public"),
        port_id=port["id"],
    )
    with socket.create_connection((public["floating_ip_address"], PORTS[datastore]), 9):
        pass
    change(demo, id, allowed_cidrs=[ELSEWHERE])
    with pytest.raises(UNREACHED):
        enter(demo, shown, address).close()
    change(demo, id, allowed_cidrs=[])
    assert serves(demo, shown, address)

    # whatever takes the address off its card
    deployment.inside(id, "ip", "addr", "del", f"{address}/32", "dev", "eth0")
    until("the agent has put it on again", lambda: back(demo, shown, address), 60)
    asked = admin.ask("POST", f"/mgmt/instances/{id}/action", {"reboot": {}})
    assert asked.status_code == 202, asked.text
    assert serves(demo, demo.wait(id), address), "after a reboot"
    built_anew(deployment, admin, id)
    assert demo.wait(id)["ip"] == shown["ip"]
    assert serves(demo, shown, address), "after a rebuild"
    for lived in LATER[datastore]:
        lived(deployment, demo, admin, id)
        assert demo.wait(id)["ip"] == shown["ip"], lived.__name__
        for each in shown["ip"]:
            assert serves(demo, shown, each), lived.__name__

    demo.delete(id)
    demo.gone(id)
    neutron.api.delete(f"/v2.0/floatingips/{public['id']}")
    after = neutron.one(f"/v2.0/ports/{port['id']}")
    passing = {"updated_at": None, "revision_number": None}
    assert after | passing == port | passing, "the port is the user's, as it was"
    again = demo.ask("POST", "/instances", {"instance": order("next", port["id"])})
    assert again.status_code == 200, "it is free for another"
    following = again.json()["instance"]["id"]
    demo.delete(following)
    demo.gone(following)
    assert neutron.api.delete(f"/v2.0/ports/{port['id']}").status_code == 204


def back(demo, shown, address):
    with contextlib.suppress(*UNREACHED):
        return serves(demo, shown, address)
    return False


def built_anew(deployment, admin, id):
    """From the image that it runs."""
    query = "SELECT server_id FROM instances WHERE id = ?"
    with contextlib.closing(deployment.cloud()) as cloud:
        image = cloud.compute.show(deployment.rows(query, id)[0][0]).image
    body = {"rebuild": {"image_id": image}}
    answer = admin.ask("POST", f"/mgmt/instances/{id}/action", body)
    assert answer.status_code == 202, answer.text


def resized(deployment, demo, admin, id):
    """Another flavor: the same server, under other limits."""
    action = f"/instances/{id}/action"
    answer = demo.ask("POST", action, {"resize": {"flavorRef": "2"}})
    assert answer.status_code == 202, answer.text
    assert ended(demo, id) == ("instance.resize_flavor", "done")
    assert demo.show(id)["flavor"]["id"] == "2"


def migrated(deployment, demo, admin, id):
    """A cloud of one machine has no other host: stopped, and started as before."""
    action = f"/mgmt/instances/{id}/action"
    answer = admin.ask("POST", action, {"migrate": {}})
    assert answer.status_code == 202, answer.text
    assert ended(demo, id) == ("instance.migrate", "failed")


def upgraded(deployment, demo, admin, id):
    """Another version: a server that is built anew from another image."""
    datastore = demo.show(id)["datastore"]["type"]
    name = f"at-a-port-{datastore}"
    version(admin, datastore, name, image(deployment, datastore, {}))
    body = {"instance": {"datastore_version": name}}
    answer = demo.ask("PATCH", f"/instances/{id}", body)
    assert answer.status_code == 202, answer.text
    assert ended(demo, id) == ("instance.upgrade", "done")
    assert demo.show(id)["datastore"]["version"] == name


LATER = {"mariadb": (resized, migrated), "postgresql": (upgraded,)}
"""What each goes through besides: all of it between them, for each takes a while."""


def ended(demo, id):
    """The kind of the last operation and how it ended."""

    def over():
        (last, *_) = demo.ask("GET", f"/operations?instance_id={id}").json()[
            "operations"
        ]
        return last if last["state"] in ("done", "failed", "stuck") else None

    last = until("the operation has ended", over)
    return last["type"], last["state"]
