# SPDX-License-Identifier: Apache-2.0
"""``?dry_run=1`` tells what would be done, refuses what would be, and does nothing."""

import typing

import pytest

from tests.api.test_attacks_projects import _fill, _rows
from tests.api.test_policy_matrix import BODIES
from tests.api.world import World
from trove.api import policy
from trove.api.resources import TABLE
from trove.api.table import Route


def rehearsed(
    world: World, method: str, path: str, body: typing.Any = None
) -> typing.Any:
    before, rung = _rows(world), len(world.rung)
    answer = world.ask(method, f"{path}?dry_run=1", body)
    assert answer.status_int == 200, answer.text
    assert _rows(world) == before, "it was done"
    assert len(world.rung) == rung
    return answer.json["dry_run"]


def test_a_create(world: World) -> None:
    body = {"instance": {"name": "db", "flavorRef": "2", "volume": {"size": 3}}}
    assert rehearsed(world, "POST", "instances", body) == {
        "operations": [{"type": "instance.create", "outage": "none"}],
        "quota": [
            {"resource": "instances", "reserved": 1, "returned": 0},
            {"resource": "ram", "reserved": 1024, "returned": 0},
            {"resource": "volumes", "reserved": 3, "returned": 0},
        ],
    }


@pytest.mark.parametrize(
    "action, kind, outage, quota, changes",
    [
        ({"restart": {}}, "restart", "database", [], {}),
        (
            {"resize": {"volume": {"size": 4}}},
            "resize_volume",
            "none",
            [{"resource": "volumes", "reserved": 3, "returned": 0}],
            {"volume_size": {"before": 1, "after": 4}},
        ),
        (
            {"resize": {"flavorRef": "2"}},
            "resize_flavor",
            "server",
            [{"resource": "ram", "reserved": 512, "returned": 0}],
            {"flavor": {"before": "1", "after": "2"}},
        ),
    ],
)
def test_an_action(
    world: World,
    action: typing.Any,
    kind: str,
    outage: str,
    quota: typing.Any,
    changes: typing.Any,
) -> None:
    id = world.active()
    said = rehearsed(world, "POST", f"instances/{id}/action", action)
    operation = {"type": f"instance.{kind}", "outage": outage, "instance_id": id}
    assert said["operations"] == [operation]
    assert said["quota"] == quota
    assert said.get("changes", {}) == changes


def test_a_smaller_flavor_and_a_delete_return_what_they_free(world: World) -> None:
    id = world.active()
    world.change(id, flavor_id="m1.big", ram=8192)
    path = f"instances/{id}"
    said = rehearsed(world, "POST", f"{path}/action", {"resize": {"flavorRef": "2"}})
    assert said["quota"] == [{"resource": "ram", "reserved": 0, "returned": 7168}]
    said = rehearsed(world, "DELETE", path)
    assert said["operations"][0]["outage"] == "gone"
    returned = {each["resource"]: each["returned"] for each in said["quota"]}
    assert returned == {"instances": 1, "ram": 8192, "volumes": 1}


def test_a_group_says_which_of_its_values_wait(world: World) -> None:
    id = world.active()
    group = world.group(wait_timeout=60, performance_schema=True)
    body = {"instance": {"configuration": group, "name": "renamed"}}
    said = rehearsed(world, "PUT", f"instances/{id}", body)
    (operation,) = said["operations"]
    assert operation["restart_required"] == ["performance_schema"]
    assert said["changes"] == {
        "configuration": {"after": group},
        "name": {"before": "db", "after": "renamed"},
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_groups_own_change(world: World, method: str) -> None:
    """Every instance that has it, and which of its values wait there."""
    group = world.group(wait_timeout=60, performance_schema=False)
    body = {"instance": {"configuration": group}}
    having = [world.active() for _ in "ab"]
    world.active()
    for id in having:
        assert world.ask("PUT", f"instances/{id}", body).status_int == 202
        world.finish(id)
    change = {"name": "slow", "values": {"performance_schema": True}}
    path = f"configurations/{group}"
    said = rehearsed(world, method, path, {"configuration": change})
    assert said["operations"] == [
        {
            "type": "instance.configure",
            "outage": "none",
            "instance_id": id,
            "restart_required": ["performance_schema"],
        }
        for id in sorted(having)
    ]
    kept = {"wait_timeout": 60} if method == "PATCH" else {}
    assert said["changes"] == {
        "name": {"before": "fast", "after": "slow"},
        "values": {
            "before": {"wait_timeout": 60, "performance_schema": False},
            "after": {"performance_schema": True, **kept},
        },
    }
    named = rehearsed(
        world,
        method,
        path,
        {
            "configuration": {
                **change,
                "values": {"wait_timeout": 60, "performance_schema": False},
            }
        },
    )
    assert named["operations"] == [], "the values are the same"


def test_a_groups_change_that_would_be_refused_is(world: World) -> None:
    id, group = world.active(), world.group(wait_timeout=60)
    path = f"configurations/{group}?dry_run=1"
    none = {"configuration": {"values": {"no_such": 1}}}
    assert world.ask("PATCH", path, none).status_int == 422
    assert world.ask("DELETE", path).json == {
        "dry_run": {"operations": [], "quota": []}
    }
    body = {"instance": {"configuration": group}}
    assert world.ask("PUT", f"instances/{id}", body).status_int == 202
    assert world.ask("DELETE", path).status_int == 400
    busy = {"configuration": {"values": {"wait_timeout": 70}}}
    assert world.ask("PATCH", path, busy).status_int == 422
    assert world.ask("PATCH", path, busy, caller="stranger").status_int == 404


def test_a_change_of_accounts_names_what_the_guest_would_be_asked(world: World) -> None:
    id = world.furnished()
    path = f"instances/{id}"
    body = {"databases": [{"name": "new"}]}
    said = rehearsed(world, "POST", f"{path}/databases", body)
    assert said["operations"] == [
        {
            "type": "instance.databases_create",
            "outage": "none",
            "instance_id": id,
            "details": {"databases": ["new"]},
        }
    ]
    assert world.ask("POST", f"{path}/root?dry_run=1").json["dry_run"]["operations"]
    bad = {"databases": [{"name": "information_schema"}]}
    refused = world.ask("POST", f"{path}/databases?dry_run=1", bad)
    assert refused.status_int == 400
    assert world.ask("DELETE", f"{path}/root").status_int == 204
    assert world.ask("DELETE", f"{path}/root?dry_run=1").status_int == 404
    both = {"name": "general", "enable": 1, "publish": 1}
    said = rehearsed(world, "POST", f"{path}/log", both)
    assert [each["details"] for each in said["operations"]] == [
        {"log": "general", "on": True},
        {"log": "general", "published": True},
    ]


def test_a_name_alone_is_no_operation(world: World) -> None:
    id = world.active()
    said = rehearsed(world, "PUT", f"instances/{id}", {"instance": {"name": "new"}})
    assert said == {
        "operations": [],
        "quota": [],
        "changes": {"name": {"before": "db", "after": "new"}},
    }


@pytest.mark.parametrize(
    "body, status",
    [
        ({"resize": {"volume": {"size": 1}}}, 400),
        ({"resize": {"volume": {"size": 500}}}, 413),
        ({"restart": {}, "resize": {}}, 400),
    ],
)
def test_what_would_be_refused_is(world: World, body: typing.Any, status: int) -> None:
    path = f"instances/{world.active()}/action"
    for query in ("", "?dry_run=1"):
        assert world.ask("POST", path + query, body).status_int == status


def test_a_busy_instance_and_anothers_are_refused(world: World) -> None:
    id = world.active()
    path = f"instances/{id}/action"
    theirs = world.ask("POST", f"{path}?dry_run=1", {"restart": {}}, caller="stranger")
    assert theirs.status_int == 404
    assert world.ask("POST", path, {"restart": {}}).status_int == 202
    assert world.ask("POST", f"{path}?dry_run=1", {"restart": {}}).status_int == 422


def test_in_xml_too(world: World) -> None:
    path = f"instances/{world.active()}/action?dry_run=true"
    answer = world.ask("POST", path, {"restart": {}}, xml=True)
    assert answer.status_int == 200
    assert b"<dry_run" in answer.body and b"instance.restart" in answer.body


@pytest.mark.parametrize("given", ["2", "yes", ""])
def test_what_is_neither_is_refused(world: World, given: str) -> None:
    id = world.active()
    answer = world.ask("DELETE", f"instances/{id}?dry_run={given}")
    assert answer.status_int == 400
    assert world.ask("DELETE", f"instances/{id}?dry_run=0").status_int == 202


def test_a_backup_and_its_delete(world: World) -> None:
    id = world.active()
    body = {"backup": {"name": "b", "instance": id}}
    assert rehearsed(world, "POST", "backups", body) == {
        "operations": [
            {"type": "instance.backup", "outage": "none", "instance_id": id}
        ],
        "quota": [{"resource": "backups", "reserved": 1, "returned": 0}],
    }
    full = world.backup(id)
    world.backup(id, parent_id=full)
    assert rehearsed(world, "DELETE", f"backups/{full}") == {
        "operations": [{"type": "backup.delete", "outage": "none", "backup_id": full}],
        "quota": [{"resource": "backups", "reserved": 0, "returned": 2}],
    }
    absent = world.ask("DELETE", f"backups/{id}?dry_run=1")
    assert absent.status_int == 404, absent.text


OWN = {"instance:export", "instance:import"}
"""What nobody does for another project, an administrator neither."""


@pytest.mark.parametrize(
    "route, rule",
    [
        (route, rule)
        for route in TABLE.routes
        if route.op.method != "GET"
        for rule, _ in policy.rules_of(route.op)
    ],
    ids=lambda it: it.shown if isinstance(it, Route) else it,
)
def test_no_request_does_anything(world: World, route: Route, rule: str) -> None:
    """It is told, or refused; and where there is no dry run, it says so."""
    ids = {"id": world.furnished()}
    if "configurations/{id}" in route.path:
        ids["id"] = world.group()
    path = _fill(world, route, ids)
    before = _rows(world)
    asked = len(world.desks.asked)
    answer = world.ask(
        route.op.method, f"{path}?dry_run=1", BODIES.get(rule), caller="admin"
    )
    assert _rows(world) == before
    assert world.desks.asked[asked:] == []
    if route.path.startswith(("instances", "mgmt/instances", "configurations/{id}")):
        assert route.op.dry, "an instance would be changed unforeseen"
    if not route.op.dry:
        assert answer.status_int == 400 and "no dry run" in answer.text
    else:
        expected = (403,) if rule in OWN else (200, 400, 404, 501)
        assert answer.status_int in expected, answer.text
