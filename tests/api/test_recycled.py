# SPDX-License-Identifier: Apache-2.0
"""The recycle bin: what comes back, what it costs, what cannot, what is said of it."""

import typing

import pytest
import sqlalchemy as sa

from tests.api.world import DEMO, World
from trove.db.queries import modules, quotas, recycled
from trove.db.tables import Instance, Operation
from trove.model.operations import UNDELETE, CreateInstance
from trove.model.states import Task

UNDO: dict[str, typing.Any] = {"undelete": {}}


def undelete(world: World, id: str, **how: typing.Any) -> typing.Any:
    return world.ask("POST", f"recycled-instances/{id}/action", UNDO, **how)


def row(world: World, id: str) -> Instance:
    with world.database.reading() as tx:
        return tx.get_one(Instance, id)


def used(world: World) -> dict[str, int]:
    with world.database.reading() as tx:
        return {str(r["resource"]): int(r["in_use"]) for r in quotas.rows(tx, DEMO, {})}


def undone(world: World, id: str) -> Operation:
    (found,) = [each for each in world.operations(id) if each.kind == UNDELETE]
    return found


def test_what_it_was_is_what_is_built(world: World) -> None:
    module, group = world.module(), world.group()
    about = {"modules": [{"id": module}], "configuration": group}
    id = world.recycled(name="orders", volume={"size": 3}, **about)
    before = row(world, id)
    assert used(world)["volumes"] == 0
    assert undelete(world, id).status_int == 202
    after = row(world, id)
    assert (after.task, after.deleted_at) == (Task.BUILDING, None)
    for name in ("name", "flavor_id", "volume_size", "version_id", "server_number"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.configuration_id == group
    asked = CreateInstance.from_dict(undone(world, id).input or {})
    assert (asked.kept, asked.users, asked.cost) == (True, (), {})
    assert used(world) | {"ram": 0} == {
        **{"instances": 1, "volumes": 3, "backups": 0},
        "ram": 0,
    }
    with world.database.reading() as tx:
        (had,) = modules.of_instance(tx, id, hidden=True)
        assert (had.shown.row.id, had.state.status) == (module, "WAITING")


def test_what_is_gone_by_now_does_not_come_back_with_it(world: World) -> None:
    module, group = world.module(), world.group()
    id = world.recycled(modules=[{"id": module}], configuration=group)
    for path, status in ((f"modules/{module}", 200), (f"configurations/{group}", 202)):
        assert world.ask("DELETE", path).status_int == status
    assert undelete(world, id).status_int == 202
    assert row(world, id).configuration_id is None
    with world.database.reading() as tx:
        assert modules.of_instance(tx, id, hidden=True) == []


def test_it_counts_in_the_quota_again(world: World) -> None:
    id = world.recycled()
    with world.database.transaction() as tx:
        quotas.set_limits(tx, DEMO, {"instances": 0})
    answer = undelete(world, id)
    assert answer.status_int == 413 and "instances" in answer.text
    assert world.ask("GET", f"recycled-instances/{id}").status_int == 200
    assert row(world, id).deleted_at is not None


def test_a_version_is_in_use_as_long_as_something_of_it_may_come_back(
    world: World,
) -> None:
    version = world.versions["mariadb-10.11"]
    path = f"mgmt/datastore-versions/{version}"
    id = world.recycled()
    answer = world.ask("DELETE", path, caller="admin")
    assert answer.status_int == 400 and "in use" in answer.text
    with world.database.transaction() as tx:
        recycled.forget(tx, id)
    assert world.ask("DELETE", path, caller="admin").status_int == 202


def test_a_flavor_that_is_gone_is_said(world: World) -> None:
    id = world.recycled()
    world.change(id, flavor_id="99")
    answer = undelete(world, id)
    assert answer.status_int == 400 and "99" in answer.text
    assert world.ask("GET", f"recycled-instances/{id}").status_int == 200


def test_a_port_that_another_has_by_now_is_said(world: World) -> None:
    nics = [{"port-id": "port-mine"}]
    id = world.recycled(nics=nics)
    other = world.active(nics=nics)
    answer = undelete(world, id)
    assert answer.status_int == 409 and other in answer.text
    world.change(other, port_id=None)
    assert undelete(world, id).status_int == 202
    assert row(world, id).port_id == "port-mine"


def test_a_number_that_another_has_by_now_is_another(world: World) -> None:
    id, other = world.recycled(), world.active()
    number = row(world, id).server_number
    world.change(other, server_number=number)
    assert undelete(world, id).status_int == 202
    assert row(world, id).server_number != number


def test_a_key_that_is_sent_again_is_answered_again(world: World) -> None:
    id = world.recycled()
    key = {"Idempotency-Key": "k"}
    first = undelete(world, id, headers=key)
    assert undelete(world, id, headers=key).json == first.json
    assert undelete(world, id).status_int == 404
    assert undone(world, id).client_token == "k"


def test_a_key_stands_for_what_the_delete_says_too(world: World) -> None:
    id, key = world.active(), {"Idempotency-Key": "k"}
    path = f"instances/{id}?final_backup=true"
    for _ in range(2):
        assert world.ask("DELETE", path, headers=key).status_int == 202
    for other in (f"instances/{id}", f"instances/{id}?final_backup=false"):
        assert world.ask("DELETE", other, headers=key).status_int == 409
    kinds = [each.kind for each in world.operations(id)]
    assert sorted(kinds) == ["instance.backup", "instance.create"]


def test_why_it_did_not_come_back_is_said(world: World) -> None:
    id = world.recycled()
    with world.database.transaction() as tx:
        recycled.stays(tx, id, "<no> host", 86400.0)
    for xml in (False, True):
        answer = world.ask("GET", f"recycled-instances/{id}", xml=xml)
        assert answer.status_int == 200
        assert ("&lt;no&gt; host" if xml else "<no> host") in answer.text
    assert undelete(world, id).status_int == 202


def test_a_page_at_a_time(world: World) -> None:
    made = sorted(world.recycled() for _ in range(3))
    answer = world.ask("GET", "recycled-instances?limit=2").json
    assert [one["id"] for one in answer["recycled_instances"]] == made[:2]
    assert answer["links"] == answer["recycled_instances_links"]
    path = f"recycled-instances?limit=2&marker={made[1]}"
    rest = world.ask("GET", path).json
    assert [one["id"] for one in rest["recycled_instances"]] == made[2:]
    assert "links" not in rest


@pytest.mark.parametrize("said", ["limit=0", "limit=x", "limit=-1"])
def test_a_page_that_is_none(world: World, said: str) -> None:
    assert world.ask("GET", f"recycled-instances?{said}").status_int == 400


def test_a_dry_run_of_a_delete_says_all_that_it_would_do(world: World) -> None:
    id = world.active()
    path = f"instances/{id}?final_backup=true&dry_run=1"
    answer = world.ask("DELETE", path).json["dry_run"]
    assert [each["type"] for each in answer["operations"]] == [
        "instance.backup",
        "instance.delete",
    ]
    quota = {q["resource"]: q["reserved"] or -q["returned"] for q in answer["quota"]}
    assert quota == {"instances": -1, "ram": -512, "volumes": -1, "backups": 1}
    with world.database.reading() as tx:
        live = sa.select(Operation.id).where(Operation.input.is_not(None))
        assert tx.scalars(live).all() == []
