# SPDX-License-Identifier: Apache-2.0
"""What clients in other languages send, as they send it, and how strictly they read.

gophercloud (and Terraform's provider on top of it), Heat's resources, and Horizon's
forms cannot be run here. Their bodies, the codes they insist on, and the types that
they decode into are those of the contract's section 19.
"""

import datetime
import typing

import pytest

from tests.api.world import World
from trove.datastores.protocol import Account

Any = typing.Any

GO_DATE = "%Y-%m-%dT%H:%M:%S"
"""gophercloud's RFC3339NoZ: with a zone it fails."""


class Go:
    """gophercloud: each call names the codes that it takes, and reads into structs."""

    def __init__(self, world: World, agent: str = "gophercloud/v2.8.0") -> None:
        self.world, self.agent = world, agent

    def __call__(self, codes: set[int], verb: str, path: str, body: Any = None) -> Any:
        headers = {"User-Agent": self.agent, "Accept": "application/json"}
        answer = self.world.ask(verb, path, body, headers=headers)
        assert answer.status_int in codes, (verb, path, answer.status, answer.text)
        return answer.json if answer.body else None

    def instance(self, told: Any) -> Any:
        """``instances.Instance``: a wrong type fails the whole of it."""
        kinds = {"id": str, "name": str, "status": str, "hostname": str}
        for key, kind in kinds.items():
            assert isinstance(told.get(key, ""), kind), (key, told)
        for key in {"created", "updated"} & set(told):
            datetime.datetime.strptime(told[key], GO_DATE)
        assert isinstance(told["flavor"]["id"], str)
        assert isinstance(told["volume"]["size"], int)
        assert isinstance(told["volume"].get("used", 0.0), float)
        assert set(told["datastore"]) >= {"type", "version"}
        assert all(isinstance(ip, str) for ip in told.get("ip", []))
        assert all(set(a) >= {"type", "address"} for a in told.get("addresses", []))
        assert all(set(link) == {"href", "rel"} for link in told.get("links", []))
        return told


@pytest.fixture
def go(world: World) -> Go:
    return Go(world)


GO_CREATE = {
    "instance": {
        "databases": [
            {"character_set": "utf8", "collate": "utf8_general_ci", "name": "db1"},
            {"name": "db2"},
        ],
        "datastore": {"type": "mariadb", "version": "10.11"},
        "flavorRef": "1",
        "name": "json_rack_instance",
        "nics": [{"net-id": "net-1"}],
        "users": [
            {"databases": [{"name": "db1"}], "name": "dbuser1", "password": "sekret"}
        ],
        "volume": {"size": 2},
    }
}


def test_gophercloud_from_create_to_delete(world: World, go: Go) -> None:
    made = go.instance(go({200}, "POST", "instances", GO_CREATE)["instance"])
    id, path = made["id"], f"instances/{made['id']}"
    assert made["status"] == "BUILD"
    world.finish(id)
    shown = go.instance(go({200}, "GET", path)["instance"])
    assert shown["status"] in ("ACTIVE", "HEALTHY")
    listed = go({200}, "GET", "instances")["instances"]
    assert [one["id"] for one in listed] == [id]
    go.instance(listed[0])
    user = go({200}, "POST", f"{path}/root")["user"]
    assert set(user) == {"name", "password"}
    assert go({200}, "GET", f"{path}/root") == {"rootEnabled": True}
    go({202}, "POST", f"{path}/databases", {"databases": [{"name": "more"}]})
    ann = {"name": "ann", "password": "p", "host": "10.0.0.%", "databases": []}
    go({202}, "POST", f"{path}/users", {"users": [ann]})
    assert go({200}, "GET", f"{path}/users")["users"][0]["host"] == "10.0.0.%"
    go({202}, "DELETE", f"{path}/users/ann@10.0.0.%25")
    go({202}, "DELETE", f"{path}/databases/more")
    go({202}, "POST", f"{path}/action", {"restart": {}})
    world.finish(id)
    go({202}, "POST", f"{path}/action", {"resize": {"flavorRef": "2"}})
    world.finish(id)
    go({202}, "POST", f"{path}/action", {"resize": {"volume": {"size": 4}}})
    world.finish(id)
    go({202}, "DELETE", path)


def test_gophercloud_and_configuration_groups(world: World, go: Go) -> None:
    order = {
        "configuration": {
            "datastore": {"type": "mariadb", "version": "10.11"},
            "description": "",
            "name": "fast",
            "values": {"max_connections": 100, "wait_timeout": 60},
        }
    }
    made = go({200}, "POST", "configurations", order)["configuration"]
    for key in ("created", "updated"):
        datetime.datetime.strptime(made[key], GO_DATE)
    assert isinstance(made["values"]["max_connections"], int)
    path = f"configurations/{made['id']}"
    go({200}, "PATCH", path, {"configuration": {"values": {"wait_timeout": 90}}})
    go({202}, "PUT", path, {"configuration": {"values": {"wait_timeout": 91}}})
    id = world.active()
    attach = {"instance": {"configuration": made["id"]}}
    go({202}, "PUT", f"instances/{id}", attach)
    world.finish(id)
    assert go({200}, "GET", f"{path}/instances")["instances"][0]["id"] == id
    go({202}, "PUT", f"instances/{id}", {"instance": {}})
    world.finish(id)
    go({202}, "DELETE", path)


def test_gophercloud_and_what_there_is(go: Go) -> None:
    stores = go({200}, "GET", "datastores")["datastores"]
    assert all({"id", "name", "links", "versions"} <= set(each) for each in stores)
    flavor = go({200}, "GET", "flavors/1")["flavor"]
    assert isinstance(flavor["id"], int) and isinstance(flavor["ram"], int)
    quotas = go({200}, "GET", "limits")["limits"]
    assert quotas[0]["verb"] == "ABSOLUTE"


PORT = "10.1.0.50"
"""The address of the user's port ``port-mine``."""

TERRAFORM = {
    "older": {"nics": [{"net-id": "net-1", "v4-fixed-ip": "10.1.0.9"}]},
    "newer": {"nics": [{"network_id": "net-1"}], "access": {"is_public": False}},
    "port": {"nics": [{"port-id": "port-mine"}]},
    "port and address": {
        "nics": [{"port-id": "port-mine", "net-id": "net-1", "v4-fixed-ip": PORT}]
    },
}


@pytest.mark.parametrize("version", TERRAFORM)
def test_terraform_waits_and_reads(world: World, version: str) -> None:
    go = Go(world, "HashiCorp Terraform/1.9.0 gophercloud/v2.8.0")
    body = {"instance": {**GO_CREATE["instance"], **TERRAFORM[version]}}
    id = go({200}, "POST", "instances", body)["instance"]["id"]
    seen = {go({200}, "GET", f"instances/{id}")["instance"]["status"]}
    world.finish(id)
    shown = go({200}, "GET", f"instances/{id}")["instance"]
    seen.add(shown["status"])
    assert (shown["ip"][0] == PORT) is version.startswith("port")
    assert seen <= {"BUILD", "ACTIVE", "HEALTHY"}, "any other word ends an apply"
    go({200}, "GET", f"instances/{id}/databases")
    go({200}, "GET", f"instances/{id}/users")
    go({202}, "DELETE", f"instances/{id}")


HEAT = {
    "instance": {
        "name": "heat-db",
        "flavorRef": "1",
        "volume": {"size": 1},
        "databases": [{"name": "validdb", "character_set": "utf8"}],
        "users": [
            {
                "name": "testuser",
                "password": "pass",
                "host": "%",
                "databases": [{"name": "validdb"}],
            }
        ],
        "restorePoint": None,
        "availability_zone": None,
        "datastore": {"type": "mariadb", "version": "10.11"},
        "nics": [{"net-id": "net-1", "v4-fixed-ip": "10.1.0.8"}],
        "replica_of": None,
        "replica_count": None,
    }
}


HEAT_PORT = {"instance": {**HEAT["instance"], "nics": [{"port-id": "port-mine"}]}}


@pytest.mark.parametrize("body", [HEAT, HEAT_PORT], ids=["network", "port"])
def test_heat_creates_and_goes_on_when_nothing_changes(
    world: World, body: typing.Any
) -> None:
    heat = {"User-Agent": "python-heat"}
    answer = world.ask("POST", "instances", body, headers=heat)
    assert answer.status_int == 200, answer.text
    id = answer.json["instance"]["id"]
    world.finish(id)
    world.desks.engines[id].accounts.create_accounts([Account("u", "%", (), "p")])
    body = {"user": {"name": "u"}}
    answer = world.ask("PUT", f"instances/{id}/users/u", body, headers=heat)
    assert answer.status_int == 400
    assert "No change was requested" in answer.text


HORIZON = {
    "instance": {
        "name": "dashboard",
        "flavorRef": "1",
        "volume": {"size": 1, "type": None},
        "datastore": {"type": "mariadb", "version": "10.11"},
        "nics": [{"network_id": "net-1"}],
        "locality": None,
        "availability_zone": None,
        "access": {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]},
        "databases": [{"name": "a"}],
        "users": [{"name": "u", "password": "p", "databases": []}],
    }
}


def test_horizons_rows_have_what_its_tables_ask_for(world: World) -> None:
    horizon = {"User-Agent": "horizon"}
    answer = world.ask("POST", "instances", HORIZON, headers=horizon)
    assert answer.status_int == 200, answer.text
    world.finish(answer.json["instance"]["id"])
    path = "instances?include_clustered=False"
    (row,) = world.ask("GET", path, headers=horizon).json["instances"]
    for key in ("ip", "datastore", "volume", "flavor", "status", "id", "name"):
        assert key in row, "a column that lacks it costs a request a row"
    path = f"instances/{row['id']}/users"
    users = world.ask("GET", path, headers=horizon).json["users"]
    assert all(isinstance(each["host"], str) for each in users)
