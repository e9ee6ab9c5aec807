# SPDX-License-Identifier: Apache-2.0
"""Operations and events, as the project that asked for them sees them."""

import pytest

from tests.api.test_lists import Counted
from tests.api.world import World
from trove.db.tables import GuestJob, OperationStep


def restarted(world: World) -> str:
    """An instance that was created, and a minute later asked to restart."""
    id = world.active()
    world.clock += 60
    answer = world.ask("POST", f"instances/{id}/action", {"restart": {}})
    assert answer.status_int == 202
    return id


def test_the_newest_comes_first_and_a_page_leads_to_the_next(world: World) -> None:
    restarted(world)
    first = world.ask("GET", "operations?limit=1").json
    (newest,) = first["operations"]
    assert newest["type"] == "instance.restart"
    marker = first["links"][0]["href"].rpartition("marker=")[2]
    assert marker == newest["id"]
    then = world.ask("GET", f"operations?limit=1&marker={marker}").json
    assert [each["type"] for each in then["operations"]] == ["instance.create"]
    assert "links" not in then
    theirs = world.ask("GET", f"operations?marker={marker}", caller="stranger")
    assert theirs.status_int == 404


def test_one_instance_alone(world: World) -> None:
    restarted(world)
    id = world.active()
    said = world.ask("GET", f"operations?instance_id={id}").json["operations"]
    assert [(each["type"], each["instance_id"]) for each in said] == [
        ("instance.create", id)
    ]


def test_an_operation_tells_its_steps_and_its_guests_job(world: World) -> None:
    id = restarted(world)
    (operation,) = [o for o in world.operations(id) if o.kind == "instance.restart"]
    with world.database.transaction() as tx:
        for seq, name in enumerate(("apply_group", "restart_database")):
            tx.add(
                OperationStep(
                    operation_id=operation.id,
                    name=name,
                    seq=seq,
                    state="intent" if seq else "done",
                    begun_at=world.clock + seq,
                )
            )
        tx.add(
            GuestJob(
                id=f"{operation.id}/restart_database",
                instance_id=id,
                method="restart_database",
                state="running",
                progress=10,
                result={"carried": 7, "want": 3},
                updated=world.clock,
            )
        )
    said = world.ask("GET", f"operations/{operation.id}", caller="reader").json
    shown = said["operation"]
    assert [(step["name"], step["state"]) for step in shown["steps"]] == [
        ("apply_group", "done"),
        ("restart_database", "intent"),
    ]
    assert shown["job"] == {
        "method": "restart_database",
        "state": "running",
        "progress": 10,
        "bytes": 7,
    }
    assert shown["user_id"] == "user-of-demo0000"
    assert not {"input", "owner", "client_token", "fence"} & set(shown)


@pytest.mark.parametrize("caller, status", [("admin", 200), ("stranger", 404)])
def test_whose_an_operation_is(world: World, caller: str, status: int) -> None:
    id = world.operations(restarted(world))[0].id
    assert world.ask("GET", f"operations/{id}", caller=caller).status_int == status


def test_an_instance_that_is_gone_has_a_past(world: World) -> None:
    id = restarted(world)
    world.change(id, deleted_at=world.clock)
    assert world.ask("GET", f"instances/{id}").status_int == 404
    said = world.ask("GET", f"instances/{id}/events").json["events"]
    assert [each["type"] for each in said] == [
        "instance.create.accepted",
        "instance.restart.accepted",
    ]
    assert said[1]["details"]["user"] == "user-of-demo0000"
    theirs = world.ask("GET", f"instances/{id}/events", caller="stranger")
    assert theirs.status_int == 404


@pytest.mark.parametrize("plural", ["operations", "events"])
def test_a_list_costs_the_same_however_long(world: World, plural: str) -> None:
    id, costs, there = world.active(), [], 1
    for count in (1, 20, 90):
        for _ in range(there, count):
            world.ask("POST", f"instances/{id}/action", {"restart": {}})
            world.finish(id)
        there = count
        path = "operations" if plural == "operations" else f"instances/{id}/events"
        with Counted(world) as counted:
            answer = world.ask("GET", path)
        assert len(answer.json[plural]) == count
        costs.append(counted.statements)
    assert costs[0] == costs[1] == costs[2] <= 4
