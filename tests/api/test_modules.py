# SPDX-License-Identifier: Apache-2.0
"""Modules as users see them: what is secret, what a guest says, who is given one."""

import base64
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import World
from trove.db.tables import InstanceModule, Operation
from trove.model.operations import ChangeModules

SECRET = base64.b64encode(b"message = unlikely-words-9a7c1").decode()


def shown(world: World, id: str, query: str = "", caller: str = "member") -> typing.Any:
    answer = world.ask("GET", f"instances/{id}/modules{query}", caller=caller)
    assert answer.status_int == 200, answer.text
    return answer.json["modules"]


def test_the_contents_are_sealed_and_in_no_list(world: World) -> None:
    module = world.module(contents=SECRET)
    id = world.active(modules=[{"id": module}])
    for path in ("modules", f"modules/{module}", f"instances/{id}/modules"):
        assert SECRET not in world.ask("GET", path).text
    with world.database.engine.connect() as connection:
        (stored,) = connection.execute(sa.text("SELECT contents FROM modules")).one()
        assert SECRET not in stored
        assert "unlikely" not in stored


def test_what_is_deleted_has_no_contents(world: World) -> None:
    module = world.module(contents=SECRET)
    assert world.ask("DELETE", f"modules/{module}").status_int == 200
    with world.database.engine.connect() as connection:
        (stored,) = connection.execute(sa.text("SELECT contents FROM modules")).one()
        assert stored is None


def test_a_guest_is_asked_for_what_it_has(world: World) -> None:
    module = world.module(contents=SECRET)
    id = world.active(modules=[{"id": module}])
    (before,) = shown(world, id, "?from_guest=True")
    assert (before["status"], before["message"]) == ("WAITING", None)
    world.applied(id, module, "Hello")
    (after,) = shown(world, id, "?from_guest=true&include_contents=1")
    assert (after["status"], after["message"]) == ("OK", "Hello")
    assert after["contents"] == SECRET
    world.desks.silent.add(id)
    answer = world.ask("GET", f"instances/{id}/modules?from_guest=1")
    assert answer.status_int == 503
    assert shown(world, id)[0]["message"] == "Hello", "what is known needs no guest"


def test_the_contents_that_were_applied_are_shown_and_no_others(world: World) -> None:
    module = world.module(contents=SECRET, live_update=1)
    id = world.active(modules=[{"id": module}])
    world.applied(id, module)
    changed = {"module": {"contents": "eA=="}}
    assert world.ask("PUT", f"modules/{module}", changed).status_int == 200
    assert shown(world, id, "?include_contents=1")[0]["contents"] is None


def test_an_administrators_contents_are_not_shown_to_others(world: World) -> None:
    module = world.module("admin", contents=SECRET, all_tenants=1)
    id = world.active(modules=[{"id": module}])
    world.applied(id, module)
    assert shown(world, id, "?include_contents=1")[0]["contents"] is None
    (seen,) = shown(world, id, "?include_contents=1", caller="admin")
    assert seen["contents"] == SECRET


def test_every_new_instance_is_given_what_applies_by_itself(world: World) -> None:
    """Of its project or of all, for its datastore or for each; and none twice."""
    everybodys = world.module("admin", all_tenants=1, auto_apply=1)
    hidden = world.module("admin", all_tenants=1, auto_apply=1, visible=0)
    world.module("admin", auto_apply=1)  # of another project
    other = {"datastore": {"type": "postgresql"}}
    world.module("admin", all_tenants=1, auto_apply=1, **other)
    mine = world.module()
    id = world.active(modules=[{"id": everybodys}, {"id": mine}])
    found = {each["id"] for each in shown(world, id)}
    assert found == {everybodys, mine}
    found = {each["id"] for each in shown(world, id, caller="admin")}
    assert found == {everybodys, mine, hidden}
    asked = world.ask("DELETE", f"instances/{id}/modules/{everybodys}")
    assert asked.status_int == 403
    assert world.ask("DELETE", f"instances/{id}/modules/{hidden}").status_int == 404


def test_they_are_shown_as_they_are_applied(world: World) -> None:
    last = world.module(apply_order=9)
    first = world.module("admin", all_tenants=1, priority_apply=1, apply_order=9)
    second = world.module(apply_order=0)
    id = world.active(modules=[{"id": each} for each in (last, first, second)])
    assert [each["id"] for each in shown(world, id)] == [first, second, last]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"old"}),
        ({"force": 1}, {"old", "new"}),
        ({"md5": "9DD4E461268C8034F5C8564E155C67A6"}, {"old"}),
        ({"md5": "0" * 32}, set()),
    ],
)
def test_who_has_other_contents_has_it_applied_again(
    world: World, asked: dict[str, typing.Any], expected: set[str]
) -> None:
    module = world.module(contents="eA==", live_update=1)
    ids = {}
    for name in ("old", "new"):
        ids[name] = world.active(name=name, modules=[{"id": module}])
        world.applied(ids[name], module)
        if name == "old":
            body = {"module": {"contents": "eQ=="}}
            assert world.ask("PUT", f"modules/{module}", body).status_int == 200
    theirs = world.module("stranger")
    world.active("stranger", modules=[{"id": theirs}])
    answer = world.ask("PUT", f"modules/{module}/instances", {"reapply": asked})
    assert answer.status_int == 202, answer.text
    (operation,) = world.operations(module)
    with world.database.reading() as tx:
        marked = sa.select(InstanceModule.instance_id).where(
            InstanceModule.reapply == operation.id
        )
        assert set(tx.scalars(marked)) == {ids[name] for name in expected}


def test_an_administrators_module_reaches_all_projects(world: World) -> None:
    module = world.module("admin", all_tenants=1)
    here = world.active(modules=[{"id": module}])
    there = world.active("stranger", modules=[{"id": module}])
    counted = world.ask("GET", f"modules/{module}/instances").json["instances"]
    assert [each["id"] for each in counted] == [here]
    assert world.ask("GET", f"modules/{module}").json["module"]["instance_count"] == 1
    seen = world.ask("GET", f"modules/{module}/instances", caller="admin").json
    assert {each["id"] for each in seen["instances"]} == {here, there}


def test_one_of_a_datastore_keeps_the_datastore(world: World) -> None:
    """Its name and version would be told as 'all' without it."""
    version = world.versions["mariadb-10.6"]
    path = f"mgmt/datastore-versions/{version}"
    active = {"active": True}
    assert world.ask("PATCH", path, active, caller="admin").status_int == 202
    module = world.module(datastore={"type": "mariadb", "version": "10.6"})
    answer = world.ask("DELETE", path, caller="admin")
    assert answer.status_int == 400, answer.text
    assert world.ask("DELETE", f"modules/{module}").status_int == 200
    assert world.ask("DELETE", path, caller="admin").status_int == 202


def test_the_same_key_applies_once(world: World) -> None:
    """INV-8."""
    module = world.module()
    id = world.active()
    body = {"modules": [{"id": module}]}
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = world.ask("POST", f"instances/{id}/modules", body, headers=headers)
        assert answer.status_int == 200, answer.text
    assert len(world.operations(id)) == 2, "the create, and this"
    with world.database.reading() as tx:
        (input,) = tx.scalars(
            sa.select(Operation.input).where(Operation.kind == "instance.modules")
        )
    assert ChangeModules.from_dict(input).apply == (module,)
