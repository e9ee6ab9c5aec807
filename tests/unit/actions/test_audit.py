# SPDX-License-Identifier: Apache-2.0
"""The audit: each violation, made, is one line; and a clean world has none."""

import pytest

from trove.actions import audit
from trove.cloud.memory import MemoryCloud, Pace
from trove.cloud.protocol import Boot
from trove.db.queries import quotas
from trove.db.queries import recycled as bin
from trove.db.tables import Backup, CloudThing, Event, Instance, Operation
from trove.model import naming
from trove.model.states import OperationState, Task, ThingState

COST = {"instances": 1, "ram": 1024, "volumes": 5}
UNLIMITED = {"instances": -1, "ram": -1, "volumes": -1}


class Users:
    """A broker with these guests' users."""

    def __init__(self) -> None:
        self.there: list[str] = []

    def guests(self) -> list[str]:
        return list(self.there)


class World:
    """One instance that is as it should be, outside and inside."""

    def __init__(self, database, clock, instance, operation) -> None:
        self.database, self.clock = database, clock
        self.new_instance, self.new_operation = instance, operation
        self.cloud = MemoryCloud(deployment="t", clock=clock, pace=Pace())
        self.users = Users()
        self.id = instance()
        network = self.cloud.network.networks()[0].id
        group = self.cloud.network.create_group(self.key("group"), ())
        port = self.cloud.network.create_port(self.key("port"), network, (group.id,))
        volume = self.cloud.volumes.create(self.key("volume"), 5)
        clock.now += 600
        self.volume, self.port = volume.id, port.id
        self.server = self.boot(self.key("server"), volume.id, port.id)
        clock.now += 600
        self.users.there.append(self.id)
        self.write("group", group.id)
        self.write("port", port.id)
        self.write("volume", volume.id)
        self.write("server", self.server)
        self.write("user", self.id)
        with database.transaction() as tx:
            quotas.reserve(tx, "demo", COST, UNLIMITED)
            quotas.settle(tx, "demo", COST)

    def key(self, role: str) -> str:
        return naming.key(self.id, role)

    def boot(self, key: str, volume: str | None, *ports: str) -> str:
        image = self.cloud.images.newest(())
        flavor = self.cloud.compute.flavors()[0].id
        order = Boot("db", image.id, flavor, ports, volume, "")
        return self.cloud.compute.boot(key, order).id

    def write(self, role: str, external_id: str | None, **columns) -> None:
        key = columns.pop("key", self.key(role))
        with self.database.transaction() as tx:
            tx.merge(
                CloudThing(
                    **{
                        "key": key,
                        "kind": role,
                        "external_id": external_id,
                        "owner": naming.owner(key),
                        "operation_id": "op",
                        "state": ThingState.CREATED,
                        "created": 1.0,
                        "updated": 1.0,
                        **columns,
                    }
                )
            )

    def change(self, table, key, **columns) -> None:
        with self.database.transaction() as tx:
            row = tx.get(table, key)
            for name, value in columns.items():
                setattr(row, name, value)

    def audit(self) -> list[str]:
        found = audit.audit(
            self.database, self.cloud, self.users, sleep=lambda seconds: None
        )
        return [str(violation) for violation in found]


@pytest.fixture
def world(database, clock, instance, operation) -> World:
    return World(database, clock, instance, operation)


def test_a_clean_world_has_no_violation(world):
    assert world.audit() == []


def test_without_a_cloud_or_broker_its_part_is_left_out(world):
    assert audit.look(world.database, None, None) == []


# -- INV-1 -------------------------------------------------------------------------


def test_an_operation_past_its_deadline(world):
    id = world.new_operation(world.id, deadline=world.clock() - 3601)
    assert world.audit() == [
        f"INV-1: operation {id} (instance.restart of {world.id}) is running past its "
        "deadline"
    ]


def test_an_operation_that_may_still_undo(world):
    world.new_operation(world.id, deadline=world.clock() - 3599)
    assert world.audit() == []


def test_a_stuck_operation(world):
    id = world.new_operation(world.id, state=OperationState.STUCK)
    assert world.audit() == [
        f"INV-1: operation {id} (instance.restart of {world.id}) is stuck"
    ]


@pytest.mark.parametrize("task", [Task.BUILDING, Task.REBOOTING, Task.DELETING])
def test_a_task_that_nothing_carries(world, task):
    world.change(Instance, world.id, task=task)
    assert world.audit() == [
        f"INV-1: instance {world.id} is {task}, and no operation carries that"
    ]
    world.new_operation(world.id)
    assert world.audit() == []


def test_an_operation_that_waits_for_nothing(world):
    first = world.new_operation(world.id)
    second = world.new_operation(
        world.id,
        kind="instance.delete",
        state=OperationState.PENDING,
        lock_key=None,
        after=first,
    )
    assert world.audit() == []
    world.change(Operation, first, state=OperationState.DONE, lock_key=None)
    assert (
        f"INV-1: operation {second} (instance.delete) waits for {first}, "
        "which has ended"
    ) in world.audit()


# -- INV-2 -------------------------------------------------------------------------


def test_a_thing_that_is_not_in_the_ledger(world):
    stray = world.cloud.volumes.create(naming.key("i-unknown", "volume"), 1).id
    assert world.audit() == [
        f"INV-2: volume {stray} (i-unknown.volume) is not in the ledger"
    ]


def test_a_thing_that_the_ledger_calls_gone(world):
    world.change(CloudThing, world.key("port"), state=ThingState.GONE)
    assert world.audit() == [
        f"INV-2: port {world.port} ({world.id}.port) is gone by the ledger"
    ]


def test_a_thing_that_nobody_is_making(world):
    world.write("server", None, state=ThingState.INTENT)
    (line,) = world.audit()
    assert line.startswith(f"INV-2: server {world.server}")
    world.new_operation(world.id)
    assert world.audit() == []


def test_a_twin(world):
    network = world.cloud.network.networks()[0].id
    twin = world.cloud.network.create_port(world.key("port"), network, ()).id
    assert world.audit() == [
        f"INV-2: port {twin} ({world.id}.port) is not the ledger's {world.port}"
    ]


def test_a_broker_user_of_nobody(world):
    world.users.there.append("i-unknown")
    assert world.audit() == [
        "INV-2: user i-unknown (i-unknown.user) is not in the ledger"
    ]


def test_a_retained_volume_is_no_leak(world):
    world.change(CloudThing, world.key("volume"), state=ThingState.RETAINED)
    assert world.audit() == []


@pytest.fixture
def recycled(world) -> World:
    """Its instance is in the recycle bin: of all its things the volume is kept."""
    world.cloud.compute.delete(world.server)
    world.clock.now += 60
    world.cloud.network.delete_port(world.port)
    for group in world.cloud.network.owned_groups():
        world.cloud.network.delete_group(group.id)
    world.clock.now += 60
    world.users.there.clear()
    for role in ("server", "port", "group", "user"):
        world.change(CloudThing, world.key(role), state=ThingState.GONE)
    world.change(CloudThing, world.key("volume"), state=ThingState.RETAINED)
    with world.database.transaction() as tx:
        row = tx.get_one(Instance, world.id)
        bin.put(tx, row, [], 86400.0)
        row.deleted_at = world.clock()
        quotas.give_back(tx, "demo", COST)
    return world


def test_what_the_recycle_bin_keeps_is_in_order(recycled):
    assert recycled.audit() == []


def test_what_it_keeps_for_too_long(recycled):
    recycled.clock.now += 86400 + 1000
    assert recycled.audit() == [
        f"INV-16: what is kept of instance {recycled.id} is kept past its time"
    ]


def test_what_is_kept_in_no_bin(recycled):
    with recycled.database.transaction() as tx:
        bin.forget(tx, recycled.id)
    assert recycled.audit() == [
        f"INV-16: {recycled.key('volume')} of deleted instance {recycled.id} is kept, "
        "and in no recycle bin"
    ]


def test_a_bin_whose_volume_is_not_kept(recycled):
    key = recycled.key("volume")
    recycled.cloud.volumes.delete(recycled.volume)
    recycled.clock.now += 60
    assert recycled.audit() == [
        f"INV-4: volume {recycled.volume} ({key}) is not there any more"
    ]
    recycled.change(CloudThing, key, state=ThingState.GONE)
    assert recycled.audit() == [
        f"INV-16: instance {recycled.id} is in the recycle bin, and its volume is not "
        "kept"
    ]


# -- INV-3 -------------------------------------------------------------------------


def test_a_failure_without_a_reason_and_without_an_event(world):
    id = world.new_operation(world.id, state=OperationState.FAILED)
    assert world.audit() == [
        f"INV-3: operation {id} (instance.restart) failed without a reason",
        f"INV-3: operation {id} (instance.restart) is failed, and no event says so",
    ]


def test_an_end_that_was_told(world):
    world.new_operation(world.id, state=OperationState.DONE)
    with world.database.transaction() as tx:
        tx.add(Event(object_id=world.id, seq=1, kind="instance.restart.end", at=1.0))
    assert world.audit() == []


# -- INV-4 and INV-6 ---------------------------------------------------------------


def test_a_thing_that_vanished(world):
    world.cloud.compute.delete(world.server)
    world.clock.now += 600
    assert world.audit() == [
        f"INV-4: server {world.server} ({world.id}.server) is not there any more"
    ]


def test_a_users_account_that_vanished(world):
    world.users.there.clear()
    assert world.audit() == [
        f"INV-4: user {world.id} ({world.id}.user) is not there any more"
    ]


def test_two_servers_of_one_instance(world):
    key = naming.key(world.id, "server", 1)
    second = world.boot(key, None)
    world.write("server", second, key=key)
    assert world.audit() == [f"INV-6: instance {world.id} has 2 servers"]


def test_a_volume_at_two_servers():
    found = list(
        audit._twins(
            audit.World(
                (audit.Outside("volume", "v", "i.volume", ("s1", "s2")),),
                frozenset({"volume"}),
            )
        )
    )
    assert [str(line) for line in found] == [
        "INV-6: volume v (i.volume) is at servers s1, s2"
    ]


# -- INV-5 -------------------------------------------------------------------------


def test_a_counter_that_is_wrong(world):
    with world.database.transaction() as tx:
        quotas.reserve(tx, "demo", {"ram": 7}, UNLIMITED)
    assert world.audit() == [
        "INV-5: project demo has 0 ram reserved, and its counter says 7"
    ]


def test_an_instance_nobody_counted(world):
    world.new_instance(project="other", ram=512, volume_size=None)
    assert world.audit() == [
        "INV-5: project other has 1 instances used, and its counter says 0",
        "INV-5: project other has 512 ram used, and its counter says 0",
    ]


def test_a_build_under_way_is_reserved(world):
    id = world.new_instance(task=Task.BUILDING, was_active=False)
    world.new_operation(id, kind="instance.create")
    with world.database.transaction() as tx:
        quotas.reserve(tx, "demo", COST, UNLIMITED)
    assert world.audit() == []


def test_a_build_that_failed_costs_nothing(world):
    world.new_instance(task=Task.FAILED, was_active=False)
    assert world.audit() == []


# -- INV-7 -------------------------------------------------------------------------


def test_two_operations_hold_one_instance(world):
    world.new_operation(world.id)
    world.new_operation(world.id, lock_key="instance:by-another-name")
    assert world.audit() == [
        f"INV-7: instance {world.id} is held by 2 operations at once"
    ]


def test_an_operation_that_runs_without_its_lock(world):
    id = world.new_operation(world.id, lock_key=None)
    assert world.audit() == [
        f"INV-7: operation {id} (instance.restart) is running without its lock"
    ]


# -- INV-16 ------------------------------------------------------------------------


def test_what_is_left_of_a_deleted_instance(world):
    world.change(Instance, world.id, deleted_at=world.clock())
    with world.database.transaction() as tx:
        quotas.give_back(tx, "demo", COST)
    world.change(CloudThing, world.key("port"), state=ThingState.GONE)
    lines = world.audit()
    port = f"INV-16: port {world.port} ({world.id}.port) is left of a deleted instance"
    server = f"INV-16: the ledger still has {world.id}.server (created)"
    assert {line.split(":")[0] for line in lines} == {"INV-16"}
    assert port in lines
    assert f"{server} of a deleted instance" in lines


# -- twice -------------------------------------------------------------------------


def test_what_was_only_passing_is_not_told(world):
    stray = world.cloud.volumes.create(naming.key("i-unknown", "volume"), 1).id

    def meanwhile(seconds: float) -> None:
        world.cloud.volumes.delete(stray)
        world.clock.now += 600

    assert audit.audit(world.database, world.cloud, world.users, sleep=meanwhile) == []


# -- snapshots ---------------------------------------------------------------------


def taken(world, state="COMPLETED") -> str:
    """A backup that is a snapshot of the world's volume; the snapshot's id."""
    made = world.cloud.snapshots.create("b.snapshot", world.volume)
    world.clock.now += 600
    about = {"project": "demo", "name": "n", "instance_id": world.id}
    about |= {"version_id": "v", "driver": "cinder", "container": ""}
    with world.database.transaction() as tx:
        tx.add(Backup(id="b", state=state, created=1.0, updated=1.0, **about))
        quotas.reserve(tx, "demo", {"backups": 1}, {"backups": -1})
        quotas.settle(tx, "demo", {"backups": 1})
    return made.id


def test_a_snapshot_is_its_backups(world):
    made = taken(world)
    assert world.audit() == [
        f"INV-2: snapshot {made} (b.snapshot) is not in the ledger"
    ]
    world.write("snapshot", made, key="b.snapshot")
    assert world.audit() == []
    world.cloud.snapshots.delete(made)
    assert world.audit() == [
        f"INV-4: snapshot {made} (b.snapshot) is not there any more"
    ]


def test_one_that_is_being_taken_is_its_instances_operations(world):
    taken(world, state="BUILDING")
    world.write("snapshot", None, key="b.snapshot", state=ThingState.INTENT)
    assert world.audit() == []


def test_a_volume_that_is_kept_for_snapshots_is_in_no_bin(world):
    """Without one of them it is kept for nobody (INV-16)."""
    made = taken(world)
    world.write("snapshot", made, key="b.snapshot")
    world.cloud.compute.delete(world.server)
    world.clock.now += 600
    world.cloud.network.delete_port(world.port)
    for group in world.cloud.network.owned_groups():
        world.cloud.network.delete_group(group.id)
    world.users.there.clear()
    for role in ("server", "port", "group", "user"):
        world.change(CloudThing, world.key(role), state=ThingState.GONE)
    world.change(CloudThing, world.key("volume"), state=ThingState.RETAINED)
    world.change(Instance, world.id, deleted_at=2.0)
    with world.database.transaction() as tx:
        quotas.give_back(tx, "demo", COST)
    assert world.audit() == []
    world.cloud.snapshots.delete(made)
    world.change(CloudThing, "b.snapshot", state=ThingState.GONE)
    assert world.audit() == [
        f"INV-16: {world.key('volume')} of deleted instance {world.id} is kept, and in "
        "no recycle bin"
    ]
