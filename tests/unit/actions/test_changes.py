# SPDX-License-Identifier: Apache-2.0
"""What a restart, a larger volume and other access rules leave in the database."""

import typing

import pytest

from tests.api.world import DEMO, World
from trove import errors
from trove.actions import changes
from trove.context import Context
from trove.db.queries import quotas
from trove.db.tables import Instance
from trove.model import operations
from trove.model.states import Task

MEMBER = Context(project=DEMO, user="u", roles=("member",))
NEAR = {"is_public": False, "allowed_cidrs": ["10.1.0.0/16"]}


def row(world: World, id: str) -> Instance:
    with world.database.reading() as tx:
        found = tx.get(Instance, id)
        assert found is not None
        return found


def reserved(world: World, what: str = "volumes") -> int:
    """In GiB, or in MiB of RAM."""
    with world.database.reading() as tx:
        return sum(
            int(each["reserved"])
            for each in quotas.rows(tx, DEMO, {})
            if each["resource"] == what
        )


def test_a_restart_is_one_operation(world: World) -> None:
    id = world.active()
    changes.restart(world.services, MEMBER, id, DEMO)
    assert row(world, id).task == Task.REBOOTING
    assert [each.kind for each in world.operations(id)].count(operations.RESTART) == 1
    with pytest.raises(errors.InstanceBusy):
        changes.restart(world.services, MEMBER, id, DEMO)


@pytest.mark.parametrize("service", ["healthy", "running", "read_only", "crashed"])
def test_a_restart_of_what_has_one(world: World, service: str) -> None:
    id = world.active()
    world.finish(id, service)
    changes.restart(world.services, MEMBER, id, DEMO)


def test_no_restart_of_what_does_not_answer(world: World) -> None:
    id = world.active()
    world.clock += 3600
    with pytest.raises(errors.InstanceNotReady, match="ERROR"):
        changes.restart(world.services, MEMBER, id, DEMO)
    assert row(world, id).task == Task.NONE


def test_a_server_whose_guest_is_silent_can_be_rebooted(world: World) -> None:
    id = world.active()
    world.clock += 3600
    with pytest.raises(errors.InstanceNotReady):
        changes.stop(world.services, MEMBER, id, None)
    changes.reboot(world.services, MEMBER, id, None)
    assert row(world, id).task == Task.REBOOTING
    with pytest.raises(errors.InstanceBusy):
        changes.reboot(world.services, MEMBER, id, None)


def test_a_larger_volume_is_reserved_when_it_is_accepted(world: World) -> None:
    id = world.active()
    before, size = reserved(world), row(world, id).volume_size or 0
    changes.resize_volume(world.services, MEMBER, id, DEMO, size + 3)
    found = row(world, id)
    assert (found.task, found.volume_target) == (Task.RESIZING, size + 3)
    assert reserved(world) == before + 3
    with pytest.raises(errors.InstanceBusy):
        changes.resize_volume(world.services, MEMBER, id, DEMO, size + 4)
    assert reserved(world) == before + 3


@pytest.mark.parametrize(
    "size, error",
    [(1, errors.Invalid), (2, errors.Invalid), (10**6, errors.OverLimit)],
)
def test_no_volume_shrinks_or_grows_beyond_what_is_allowed(
    world: World, size: int, error: type[errors.TroveError]
) -> None:
    id = world.active()
    world.change(id, volume_size=2)
    with pytest.raises(error):
        changes.resize_volume(world.services, MEMBER, id, DEMO, size)
    assert (row(world, id).task, row(world, id).volume_target) == (Task.NONE, None)


def test_what_has_no_volume_has_none_to_grow(world: World) -> None:
    id = world.active()
    world.change(id, volume_size=None)
    with pytest.raises(errors.Invalid, match="no volume"):
        changes.resize_volume(world.services, MEMBER, id, DEMO, 9)


def test_what_a_larger_flavor_has_more_of_is_reserved(world: World) -> None:
    small, large = world.active(), world.active()
    world.change(large, flavor_id="m1.big", ram=8192)
    before = reserved(world, "ram")
    changes.resize_flavor(world.services, MEMBER, small, DEMO, "2")
    changes.resize_flavor(world.services, MEMBER, large, DEMO, "2")
    assert reserved(world, "ram") == before + 1024 - 512
    assert [row(world, id).ram_target for id in (small, large)] == [1024, 8192]
    (made,) = [o for o in world.operations(large) if o.kind.endswith("resize_flavor")]
    assert made.input["after"] == {"flavor": "2", "ram": 1024, "vcpus": 1}


def test_other_rules_are_one_operation_that_knows_those_before(world: World) -> None:
    id = world.active()
    before = row(world, id).access
    changes.change_access(world.services, MEMBER, id, DEMO, NEAR)
    assert (row(world, id).task, row(world, id).access) == (Task.UPDATING, NEAR)
    (made,) = [o for o in world.operations(id) if o.kind == operations.ACCESS]
    assert made.input == {"before": before}


def test_the_same_rules_are_no_operation(world: World) -> None:
    id = world.active()
    world.change(id, access=NEAR)
    changes.change_access(world.services, MEMBER, id, DEMO, dict(NEAR))
    assert row(world, id).task == Task.NONE


def test_a_public_address_is_had_where_there_are_any(world: World) -> None:
    id = world.active()
    public: dict[str, typing.Any] = {"is_public": True, "allowed_cidrs": []}
    outside = world.cloud.world.networks.pop("net-2")
    with pytest.raises(errors.Invalid, match="no network for public addresses"):
        changes.change_access(world.services, MEMBER, id, DEMO, public)
    assert row(world, id).task == Task.NONE
    world.cloud.world.networks["net-2"] = outside
    changes.change_access(world.services, MEMBER, id, DEMO, public)
    assert row(world, id).task == Task.UPDATING
