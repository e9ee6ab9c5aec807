# SPDX-License-Identifier: Apache-2.0
"""The contract's checklist, section 22, line by line; lines 2 and 4 need guests.

Those two are also in ``tests/system/test_conformance.py``, with real databases.
"""

import itertools
import json
import re
import typing

import pytest

from tests.api.test_clients import served, session, troveclient
from tests.api.test_replayed import GO_CREATE, HEAT, HORIZON, TERRAFORM, Go
from tests.api.world import ADMINS, DEMO, OTHER, World
from trove.api.middleware import ratelimit
from trove.api.middleware.ratelimit import Buckets
from trove.api.resources import TABLE
from trove.datastores.protocol import Account

Any = typing.Any

CODES = """
GET instances 200, GET instances/detail 200, POST instances 200, GET instances/{} 200,
PUT instances/{} 202, PATCH instances/{} 202, DELETE instances/{} 202,
POST instances/{}/action 202, GET instances/{}/backups 200,
GET instances/{}/configuration 200, GET instances/{}/log 200, POST instances/{}/log 200,
GET instances/{}/ssl 200, POST instances/{}/ssl 200, GET instances/{}/modules 200,
POST instances/{}/modules 200, DELETE instances/{}/modules/{} 200,
GET instances/{}/databases 200, POST instances/{}/databases 202,
GET instances/{}/databases/{} 200, DELETE instances/{}/databases/{} 202,
GET instances/{}/users 200, POST instances/{}/users 202, PUT instances/{}/users 202,
GET instances/{}/users/{} 200, PUT instances/{}/users/{} 202,
DELETE instances/{}/users/{} 202, GET instances/{}/users/{}/databases 200,
PUT instances/{}/users/{}/databases 202, DELETE instances/{}/users/{}/databases/{} 202,
GET instances/{}/root 200, POST instances/{}/root 200, DELETE instances/{}/root 204,
GET backups 200, POST backups 202, GET backups/{} 200, DELETE backups/{} 202,
POST backup_strategies 202, GET backup_strategies 200, DELETE backup_strategies 202,
GET configurations 200, POST configurations 200, GET configurations/{} 200,
PUT configurations/{} 202, PATCH configurations/{} 200, DELETE configurations/{} 202,
GET configurations/{}/instances 200, GET datastores/{}/versions/{}/parameters 200,
GET datastores/{}/versions/{}/parameters/{} 200,
GET datastores/versions/{}/parameters 200,
GET datastores/versions/{}/parameters/{} 200, GET datastores 200, GET datastores/{} 200,
DELETE datastores/{} 202, GET datastores/{}/versions 200,
GET datastores/{}/versions/{} 200, GET datastores/{}/versions/{}/flavors 200,
GET datastores/{}/versions/{}/volume-types 200, GET datastores/versions/{} 200,
GET flavors 200, GET flavors/{} 200, GET limits 200, GET modules 200, POST modules 200,
GET modules/{} 200, PUT modules/{} 200, DELETE modules/{} 200,
GET modules/{}/instances 200, PUT modules/{}/instances 202, GET clusters 200,
POST clusters 200, GET clusters/{} 200, POST clusters/{} 202,
GET clusters/{}/instances/{} 200, DELETE clusters/{} 202, GET clusters/{}/root 200,
POST clusters/{}/root 200, GET mgmt/instances 200, GET mgmt/instances/{} 200,
DELETE mgmt/instances/{} 202, POST mgmt/instances/{}/action 202,
GET mgmt/instances/{}/root 200, GET mgmt/instances/{}/diagnostics 200,
GET mgmt/instances/{}/hwinfo 200, GET mgmt/instances/{}/rpc_ping 204,
POST mgmt/instances/{}/upgrade 202, GET mgmt/clusters 200, GET mgmt/clusters/{} 200,
POST mgmt/clusters/{}/action 202, GET mgmt/quotas/{} 200, PUT mgmt/quotas/{} 200,
GET mgmt/datastore-versions 200, POST mgmt/datastore-versions 202,
GET mgmt/datastore-versions/{} 200, PATCH mgmt/datastore-versions/{} 202,
DELETE mgmt/datastore-versions/{} 202, GET mgmt/datastores/versions/{}/parameters 200,
POST mgmt/datastores/versions/{}/parameters 200,
GET mgmt/datastores/versions/{}/parameters/{} 200,
PUT mgmt/datastores/versions/{}/parameters/{} 200,
DELETE mgmt/datastores/versions/{}/parameters/{} 204
"""
"""Section 5, the user's 77 and the administrator's 24."""

MUTE = {  # of section 5, those whose answer has no body
    *("PUT instances/{}", "PATCH instances/{}", "DELETE instances/{}"),
    *("POST instances/{}/action", "DELETE instances/{}/modules/{}"),
    *("POST instances/{}/databases", "DELETE instances/{}/databases/{}"),
    *("POST instances/{}/users", "PUT instances/{}/users", "PUT instances/{}/users/{}"),
    *("DELETE instances/{}/users/{}", "PUT instances/{}/users/{}/databases"),
    *("DELETE instances/{}/users/{}/databases/{}", "DELETE instances/{}/root"),
    *("DELETE backups/{}", "DELETE backup_strategies", "PUT configurations/{}"),
    *("PATCH configurations/{}", "DELETE configurations/{}", "DELETE datastores/{}"),
    *("DELETE modules/{}", "PUT modules/{}/instances", "DELETE clusters/{}"),
    *("DELETE mgmt/instances/{}", "POST mgmt/instances/{}/action"),
    *("GET mgmt/instances/{}/rpc_ping", "POST mgmt/clusters/{}/action"),
    *("POST mgmt/instances/{}/upgrade", "POST mgmt/datastore-versions"),
    *("PATCH mgmt/datastore-versions/{}", "DELETE mgmt/datastore-versions/{}"),
    "DELETE mgmt/datastores/versions/{}/parameters/{}",
    "POST clusters/{}",  # of one: there is none, and its body with it
}


def _said(world: World, method: str, path: str, body: Any = None, **more: Any) -> Any:
    answer = world.ask(method, path, body, **more)
    assert answer.status_int < 300, answer.text
    return answer.json if answer.body else None


def test_22_1_codes_and_empty_bodies(world: World) -> None:
    """Every route of section 5 answers with its code; what is empty has no byte."""
    expected = dict(
        line.strip().rsplit(" ", 1) for line in CODES.replace("\n", " ").split(",")
    )
    assert len(expected) == 77 + 24
    declared = {
        f"{r.op.method} {re.sub('{[^}]*}', '{}', r.path)}": r for r in TABLE.routes
    }
    found = {name: str(declared[name].op.status) for name in expected if declared[name]}
    assert found == expected
    assert {name for name in expected if declared[name].op.view is None} == MUTE
    id = world.furnished()
    for method, path, body in (
        ("PUT", f"instances/{id}", {"instance": {"name": "b"}}),
        ("POST", f"instances/{id}/databases", {"databases": [{"name": "d"}]}),
        ("DELETE", f"instances/{id}/databases/d", None),
        ("DELETE", f"instances/{id}/root", None),
        ("POST", f"instances/{id}/action", {"restart": {}}),
        ("PATCH", f"configurations/{world.group()}", {"configuration": {"values": {}}}),
    ):
        answer = world.ask(method, path, body)
        assert answer.body == b"", path
        assert answer.status_int == 204 or answer.headers["Content-Length"] == "0"


def test_22_2_from_create_to_active(world: World) -> None:
    """BUILD, then ACTIVE and HEALTHY with ``ip``, ``addresses`` and ``volume.used``."""
    id = world.created()
    shown = _said(world, "GET", f"instances/{id}")["instance"]
    assert (shown["status"], shown["operating_status"]) == ("BUILD", "")
    world.finish(id)
    shown = _said(world, "GET", f"instances/{id}")["instance"]
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert shown["ip"] == [each["address"] for each in shown["addresses"]]
    assert isinstance(shown["volume"]["used"], float)


def test_22_3_absent_and_never_null(world: World) -> None:
    """``replicas``, ``replica_of``, ``configuration``, ``fault``, ``hostname``,
    ``volume``: not there when there is none, in every view of an instance."""
    id = world.active()
    for path in (f"instances/{id}", "instances", "instances/detail"):
        found = _said(world, "GET", path)
        for shown in [found["instance"]] if "instance" in found else found["instances"]:
            for key in (
                *("replicas", "replica_of", "configuration", "fault", "hostname"),
                *("cluster_id", "shard_id", "locality", "local_storage", "password"),
            ):
                assert key not in shown, (path, key)
            assert shown["volume"]["size"] == 1
            assert None not in (shown.get("ip"), shown.get("addresses"))
    managed = _said(world, "GET", f"mgmt/instances/{id}", caller="admin")["instance"]
    assert "configuration" not in managed and "fault" not in managed


def test_22_4_changes_of_an_instance(world: World) -> None:
    """An empty PUT, ``replica_of`` null, PATCH to a version, PATCH of a group."""
    id, group = world.active(), world.group(max_connections=99)
    path = f"instances/{id}"
    body: Any = {"instance": {"configuration": group}}
    assert world.ask("PUT", path, body).status_int == 202
    world.finish(id)
    assert world.ask("PUT", path, {"instance": {}}).status_int == 202, "gophercloud's"
    world.finish(id)
    assert "configuration" not in _said(world, "GET", path)["instance"]
    answer = world.ask("PUT", path, {"instance": {"replica_of": None}})
    assert answer.status_int == 400 and "not a replica" in answer.text
    answer = world.ask("PATCH", path, {"instance": {"datastore_version": "nothing"}})
    assert answer.status_int in (400, 404), answer.text
    values = {"configuration": {"values": {"wait_timeout": 77}}}
    answer = world.ask("PATCH", f"configurations/{group}", values)
    assert (answer.status_int, answer.body) == (200, b"")
    shown = _said(world, "GET", f"configurations/{group}")["configuration"]
    assert shown["values"] == {"max_connections": 99, "wait_timeout": 77}


DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def _dates(value: Any, key: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return list(itertools.chain(*(_dates(v, k) for k, v in value.items())))
    if isinstance(value, list):
        return list(itertools.chain(*(_dates(v, key) for v in value)))
    return [(key, value)] if isinstance(value, str) and DATE.match(value) else []


def test_22_5_dates_limits_and_flavors(world: World) -> None:
    """No zone after a date but ``nextAvailable``'s; limits begin with the absolute;
    a flavor's id is a number or null, and a text inside an instance."""
    id, group, module = world.active(), world.group(), world.module()
    found = []
    for path in (
        *("instances/detail", f"instances/{id}", f"configurations/{group}"),
        *(f"modules/{module}", "modules", "operations", f"instances/{id}/events"),
    ):
        found += _dates(_said(world, "GET", path))
    found += _dates(_said(world, "GET", "mgmt/instances", caller="admin"))
    assert len(found) > 10
    assert [each for each in found if not DATE.fullmatch(each[1])] == []
    limits = _said(world, "GET", "limits")["limits"]
    assert limits[0]["verb"] == "ABSOLUTE"
    flavors = {f["str_id"]: f["id"] for f in _said(world, "GET", "flavors")["flavors"]}
    assert flavors == {"1": 1, "2": 2, "m1.big": None}
    shown = _said(world, "GET", f"instances/{id}")["instance"]
    assert shown["flavor"]["id"] == "1"


def test_22_6_markers_of_users_through_troveclient(world: World) -> None:
    """``u%@%`` and worse: taken out of the link with one decoding, sent back raw."""
    id = world.active()
    names = ["u%", "u%40", "a&b", "c#d", "e+f"]
    accounts = world.desks.accounts[id]
    accounts.create_accounts([Account(name, "%", (), "p") for name in names])
    with served(world.application) as url:
        trove = troveclient.Client(
            session=session(url, "member"),
            service_type="database",
            endpoint_override=url,
        )
        found, marker = [], None
        for _ in range(len(names) + 1):
            page = trove.users.list(id, limit=1, marker=marker)
            found += [each.name for each in page]
            marker = page.next
            if marker is None:
                break
    assert sorted(found) == sorted(names)


def test_22_7_markers_of_lists_by_time(world: World) -> None:
    """Of ``mgmt/instances`` and backups: what the link gives leads through all once.

    A list of backups that is empty at an offset has no link.
    """
    of = [world.active() for _ in range(5)]
    for plural, query, made in (
        ("mgmt/instances", "deleted=False", of),
        ("backups", "all_projects=True", [world.backup(id) for id in of]),
    ):
        seen: list[str] = []
        path = f"{plural}?limit=2&{query}"
        while path:
            page = _said(world, "GET", path, caller="admin")
            seen += [each["id"] for each in page[plural.rpartition("/")[2]]]
            links = [x["href"] for x in page.get("links", ()) if x["rel"] == "next"]
            path = links[0].partition(f"/{ADMINS}/")[2] if links else ""
            assert not path or query in path
        assert len(seen) == len(made) and set(seen) == set(made)
    assert _said(world, "GET", "backups?marker=20&limit=20") == {"backups": []}


VERSION = {
    "name": "9",
    "datastore_name": "mariadb",
    "datastore_manager": "mariadb",
    "image_tags": ["trove"],
    "active": True,
}


def test_22_8_a_new_version_is_answered_with_nothing(world: World) -> None:
    """POST of a datastore version: 202 and zero bytes, or troveclient fails."""
    body = {"version": VERSION}
    answer = world.ask("POST", "mgmt/datastore-versions", body, caller="admin")
    assert (answer.status_int, answer.body) == (202, b"")
    assert answer.headers["Content-Length"] == "0"


def test_22_9_not_found_and_forbidden(world: World) -> None:
    """404 for names that nothing has, 403 for another's path, 403 by policy."""
    world.active()
    for path in (
        *("instances/no-such-name", "instances/<Instance: no-such-name>"),
        *(
            "configurations/no-such-name",
            "modules/no-such-name",
            "backups/no-such-name",
        ),
        *("clusters/no-such-name", "datastores/no-such-name"),
        "flavors/no-such-name",
        "datastores/mariadb/versions/no-such-name",
    ):
        assert world.ask("GET", path).status_int == 404, path
    for caller in ("member", "admin"):
        answer = world.ask("GET", f"/v1.0/{OTHER}/instances", caller=caller)
        assert answer.status_int == 403
    assert world.ask("GET", "mgmt/instances").status_int == 403
    assert world.ask("POST", "instances", GO_CREATE, caller="reader").status_int == 403


def test_22_10_every_error_is_in_the_envelope(world: World, tmp_path: Any) -> None:
    """400, 401, 403, 404, 405, 413, 415, 422, 500, 501, and malformed JSON."""
    id = world.created()
    huge = {"instance": {"name": "a", "flavorRef": "1", "volume": {"size": 10**6}}}
    asked: list[tuple[int, Any]] = [
        (400, world.ask("POST", "instances", {})),
        (400, world.ask("POST", "instances", data=b"{")),
        (400, world.ask("POST", "instances", data=b"")),
        (400, world.ask("GET", "instances?limit=abc")),
        (401, world.ask("GET", "instances", caller="nobody")),
        (403, world.ask("GET", f"/v1.0/{OTHER}/instances")),
        (403, world.ask("GET", "mgmt/instances")),
        (404, world.ask("GET", "nowhere")),
        (405, world.ask("POST", "flavors")),
        (413, world.ask("POST", "instances", huge)),
        (
            415,
            world.ask("POST", "instances", data=b"a: 1", content_type="text/yaml"),
        ),
        (422, world.ask("POST", f"instances/{id}/action", {"restart": {}})),
        (
            501,
            world.ask("POST", f"instances/{id}/action", {"eject_replica_source": {}}),
        ),
    ]
    limits = ratelimit.limits(post=1, put=1, delete=1, get=1, mgmt_post=1)
    (tmp_path / "slow").mkdir()
    slow = World(tmp_path / "slow", buckets=Buckets(limits))
    slow.ask("GET", "limits")
    limited = slow.ask("GET", "limits")
    assert int(limited.headers["Retry-After"]) > 0
    slow.close()
    world.services.settings = None  # type: ignore[assignment]
    asked += [(413, limited), (500, world.ask("GET", "instances"))]
    for status, answer in asked:
        assert answer.status_int == status, answer.text
        (fault,) = answer.json.values()
        assert fault["code"] == status and fault["message"]
        assert "Traceback" not in answer.text
        assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_22_11_tolerances(world: World) -> None:
    """What clients send that upstream refuses, and each has its effect."""
    nics = [{"port-id": None, "net-id": "net-1", "v4-fixed-ip": "10.1.0.9"}]
    order = {"name": "a", "flavor": "1", "volume": {"size": "1", "type": None}}
    made = _said(world, "POST", "instances", {"instance": {**order, "nics": nics}})
    id = made["instance"]["id"]
    assert made["instance"]["flavor"]["id"] == "1"
    world.finish(id)
    one: Any = {"database": {"name": "d"}}
    _said(world, "POST", f"instances/{id}/databases", one)
    one = {"users": {"name": "u", "password": "p"}}
    _said(world, "POST", f"instances/{id}/users/u", one)
    assert "d" in world.desks.accounts[id].names
    _said(world, "POST", f"instances/{id}/action", {"restart": None})
    world.finish(id)
    _said(world, "POST", f"instances/{id}/action", {"resize": {"volume": 3}})
    world.finish(id)
    _said(world, "POST", f"instances/{id}/log", {"name": "general", "enable": True})
    module = {
        "name": "m",
        "module_type": "ping",
        "contents": "eA==",
        "live_update": True,
    }
    _said(world, "POST", "modules", {"module": module})
    path = f"mgmt/datastores/versions/{world.versions['mariadb-10.11']}/parameters"
    rule = {"name": "wait_timeout", "restart_required": False, "data_type": "integer"}
    body = {"configuration-parameter": rule}
    _said(world, "PUT", f"{path}/wait_timeout", body, caller="admin")


AGENTS = {"Terraform": "Terraform gophercloud"}


@pytest.mark.parametrize("client", ["gophercloud", "Terraform", "Heat", "Horizon"])
def test_22_12_suites_of_clients(world: World, client: str) -> None:
    """The bodies of clients that cannot run here, as they send them.

    The shell and both Python libraries run unmodified: ``test_osc``, ``test_clients``
    and, against a running cloud, ``tests/system/test_clients``, ``test_libraries``.
    """
    body = {
        "gophercloud": GO_CREATE,
        "Terraform": {"instance": {**GO_CREATE["instance"], **TERRAFORM["newer"]}},
        "Heat": HEAT,
        "Horizon": HORIZON,
    }[client]
    go = Go(world, AGENTS.get(client, client.lower()))
    made = go.instance(go({200}, "POST", "instances", body)["instance"])
    world.finish(made["id"])
    shown = go.instance(go({200}, "GET", f"instances/{made['id']}")["instance"])
    assert shown["status"] == "ACTIVE"
    assert json.dumps(shown)
    go({202}, "DELETE", f"instances/{made['id']}")
    assert DEMO in shown["links"][0]["href"]
