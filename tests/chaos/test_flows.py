# SPDX-License-Identifier: Apache-2.0
"""Every flow, every single fault, a crash before and after every write and deed.

One test a flow and fault; inside it the process is killed at tick after tick. Without
a fault every tick is played; beside each fault, a few that differ from fault to fault,
or all of them with ``TROVE_CHAOS=all`` (``bin/run-tests chaos --long``). A failure
names the tick: ``one(flow, fault, tick)`` plays it again.
"""

import functools
import os
import zlib

import pytest

from tests.chaos.world import Fault, World
from trove.db.tables import Instance, Operation
from trove.model.states import Task


def create(world: World) -> None:
    world.create()
    world.run()


def delete(world: World) -> None:
    """Of an instance that is ACTIVE."""
    _quietly_created(world)
    world.delete()
    world.run()


def delete_while_building(world: World) -> None:
    """The delete comes in the middle of the create, and wins."""
    world.create()
    world.when("volumes.create", world.delete)
    world.run()


def delete_when_booted(world: World) -> None:
    """The delete comes when the guest has its job already."""
    world.create()
    world.when("guest.prepare", world.delete)
    world.run()


def restart(world: World) -> None:
    _quietly_created(world)
    world.restart()
    world.run()


def _quietly_created(world: World) -> None:
    armed, fault = world.armed, world.fault
    world.armed, world.fault = None, None
    world.create()
    world.run()
    world.armed, world.fault, world.ticks = armed, fault, 0
    world.calls.clear()


FLOWS = {
    f.__name__: f
    for f in (create, delete, delete_while_building, delete_when_booted, restart)
}
ERRORS = (
    ("passing", False),
    ("unknown", True),
    ("refused", False),
    ("conflict", False),
    ("bug", False),
)

MAKERS = (
    "users.add",
    "network.make_group",
    "network.set_rules",
    "network.create_port",
    "volumes.create",
    "compute.boot",
    "guest.prepare",
)


@functools.cache
def quiet(flow: str) -> World:
    """The flow with no fault and no crash: its calls and its ticks."""
    world = World()
    FLOWS[flow](world)
    world.check()
    return world


def faults(flow: str) -> list[Fault | None]:
    """None, and each error at each call the flow makes; a final one also for ever."""
    found: list[Fault | None] = [None]
    for call in dict.fromkeys(quiet(flow).calls):
        found += [Fault(call, error, after) for error, after in ERRORS]
        # a cloud that refuses to be *read* for ever cannot be left in order either
        if flow == "create" and call in MAKERS:
            found.append(Fault(call, "refused", False, times=None))
    return found


def one(flow: str, fault: Fault | None, bomb: int | None) -> World:
    """Plays one story to its end, and checks what must hold."""
    world = World(fault, bomb)
    FLOWS[flow](world)
    world.check()
    return world


POINTS = 4
"""Crashes beside a fault, in the short form."""


def points(ticks: int, flow: str, fault: Fault | None) -> range:
    """The ticks to die at."""
    if fault is None or os.environ.get("TROVE_CHAOS") == "all":
        return range(1, ticks + 2)
    stride = max(1, ticks // POINTS)
    first = 1 + zlib.crc32(f"{flow} {fault}".encode()) % stride
    return range(first, ticks + 1, stride)


CASES = [(flow, fault) for flow in FLOWS for fault in faults(flow)]


@pytest.mark.parametrize(
    ("flow", "fault"), CASES, ids=[f"{flow}-{fault}" for flow, fault in CASES]
)
def test_a_crash_anywhere_leaks_nothing(flow: str, fault: Fault | None) -> None:
    """INV-1..5, 7, 11, 16, 19 (T01)."""
    broken = []
    for bomb in points(one(flow, fault, None).ticks, flow, fault):
        try:
            one(flow, fault, bomb)
        except AssertionError as wrong:
            broken.append(f"one({flow!r}, {fault!r}, {bomb}): {wrong}")
    assert not broken, "\n".join(broken[:10])


def ended(world: World) -> tuple[str, str | None]:
    with world.database.reading() as tx:
        row = tx.get_one(Instance, world.instance)
    return row.task, row.fault


def test_a_create_is_active_and_owns_its_things() -> None:
    assert ended(one("create", None, None)) == (Task.NONE, None)


@pytest.mark.parametrize("bomb", range(1, 5))
def test_a_crash_alone_never_fails_a_create(bomb: int) -> None:
    ticks = quiet("create").ticks
    for at in range(bomb, ticks + 1, 4):
        assert ended(one("create", None, at)) == (Task.NONE, None), at


@pytest.mark.parametrize(
    "error",
    [Fault("compute.boot", "unknown", True), Fault("volumes.create", "passing")],
)
def test_a_passing_fault_never_fails_a_create(error: Fault) -> None:
    assert ended(one("create", error, None)) == (Task.NONE, None)


def test_a_final_fault_leaves_a_row_that_says_why() -> None:
    fault = Fault("network.create_port", "refused", times=None)
    task, why = ended(one("create", fault, None))
    assert task == Task.FAILED
    assert why is not None and "make_ports" in why


def test_what_the_cloud_puts_in_error_is_made_once_more() -> None:
    world = World()
    world.create()
    spoilt: list[str] = []

    def spoil() -> None:
        volume = next(t for t in world.cloud.things() if t.kind == "volume")
        spoilt.append(volume.id)
        world.cloud.spoil(volume.id)

    world.when("volumes.create", spoil)
    world.run()
    world.check()
    assert ended(world)[0] == Task.NONE
    assert spoilt and spoilt[0] not in {t.id for t in world.cloud.things()}


def test_things_that_stay_invisible_are_not_made_twice() -> None:
    """T11: a lost reply, and lists that lag by ten seconds."""
    for call in ("volumes.create", "compute.boot", "network.create_port"):
        world = World(Fault(call, "unknown", True), visible_after=10)
        create(world)
        world.check()
        assert ended(world)[0] == Task.NONE, call


def test_an_operation_nobody_knows_is_stuck_and_says_so() -> None:
    world = World()
    world.create()
    with world.database.transaction() as tx:
        operation = tx.query(Operation).one()
        operation.kind = "instance.levitate"
    world.run()
    with world.database.reading() as tx:
        operation = tx.query(Operation).one()
    assert operation.state == "stuck"
    assert "instance.levitate" in (operation.fault or "")
