# SPDX-License-Identifier: Apache-2.0
"""The reaper deletes what is nobody's, and never what may hold data (T09, INV-2)."""

from trove.cloud.memory import MemoryCloud
from trove.db.tables import Backup, CloudThing, Instance, Operation
from trove.taskmanager.reaper import Reaper


def thing(key, state, external_id=None, kind="port"):
    return CloudThing(
        key=key,
        kind=kind,
        owner=key.split(".")[0],
        operation_id="op",
        state=state,
        external_id=external_id,
        created=0,
        updated=0,
    )


def reap(house):
    return Reaper(house.database, house.cloud, house.users).reap()


def ports(house):
    return {port.id for port in house.cloud.network.owned_ports()}


def port(house, key):
    return house.cloud.network.create_port(key, "net-1", ()).id


def test_what_the_ledger_owns_is_left(house):
    mine = port(house, "i.port")
    house.add(thing("i.port", "created", mine))
    assert reap(house) == []
    assert ports(house) == {mine}


def test_a_twin_is_deleted(house):
    mine, twin = port(house, "i.port"), port(house, "i.port")
    house.add(thing("i.port", "created", mine))
    assert [found.id for found in reap(house)] == [twin]
    assert ports(house) == {mine}


def test_what_was_called_gone_is_deleted_again(house):
    port(house, "i.port")
    house.add(thing("i.port", "gone"))
    reap(house)
    assert ports(house) == set()


def test_what_a_live_operation_is_making_is_left(house):
    making = port(house, "i.port")
    house.add(
        thing("i.port", "intent"),
        Operation(
            id="op",
            project="p",
            object_type="instance",
            object_id="i",
            kind="instance.create",
            lock_key="instance:i",
            state="running",
            due=0,
            deadline=0,
            created=0,
            updated=0,
        ),
    )
    assert reap(house) == []
    assert ports(house) == {making}


def test_what_the_ledger_never_heard_of_is_named_and_left(house):
    """The control database may have been restored from a backup."""
    unknown = port(house, "x.port")
    found = reap(house)
    assert [(f.id, f.quarantine) for f in found] == [(unknown, True)]
    assert ports(house) == {unknown}


def test_a_volume_is_never_deleted(house):
    volume = house.cloud.volumes.create("i.volume", 2)
    house.add(thing("i.volume", "gone", kind="volume"))
    assert [f.quarantine for f in reap(house)] == [True]
    assert house.cloud.volumes.show(volume.id) is not None


def test_a_retained_volume_is_in_order(house):
    volume = house.cloud.volumes.create("i.volume", 2)
    house.add(thing("i.volume", "retained", volume.id, kind="volume"))
    assert reap(house) == []


def test_another_deployments_things_are_not_seen(house):
    other = MemoryCloud(deployment="there", world=house.cloud.world)
    other.network.create_port("i.port", "net-1", ())
    assert reap(house) == []


def test_the_broker_user_of_a_deleted_instance_goes(house):
    house.users.there = {"gone", "alive", "unknown"}
    common = {
        "project": "p",
        "name": "n",
        "task": "DELETING",
        "version_id": "v",
        "flavor_id": "1",
        "server_number": 1,
        "created": 0,
        "updated": 0,
    }
    house.add(
        Instance(id="gone", deleted_at=1.0, **common),
        Instance(id="alive", **common),
        thing("gone.user", "gone", kind="user"),
        thing("alive.user", "created", kind="user"),
    )
    reap(house)
    assert house.users.there == {"alive", "unknown"}


def test_a_snapshot_that_is_a_twin_goes_and_the_backups_own_stays(house):
    """What it is of is a volume's, which is never deleted: no data goes with it."""
    volume = house.cloud.volumes.create("i.volume", 1)
    take = house.cloud.snapshots.create
    mine, twin = take("b.snapshot", volume.id), take("b.snapshot", volume.id)
    stranger = take("x.snapshot", volume.id)
    house.add(
        thing("i.volume", "created", volume.id, "volume"),
        thing("b.snapshot", "created", mine.id, "snapshot"),
    )
    found = {each.id: each.quarantine for each in reap(house)}
    assert found == {twin.id: False, stranger.id: True}
    left = {each.id for each in house.cloud.snapshots.owned()}
    assert left == {mine.id, stranger.id}


def test_a_snapshot_that_is_being_taken_is_left(house):
    """Its operation is one of its instance's."""
    volume = house.cloud.volumes.create("i.volume", 1)
    making = house.cloud.snapshots.create("b.snapshot", volume.id)
    about = {"project": "p", "name": "n", "instance_id": "i", "version_id": "v"}
    about |= {"driver": "cinder", "container": "", "created": 0, "updated": 0}
    house.add(
        thing("i.volume", "created", volume.id, "volume"),
        thing("b.snapshot", "intent", kind="snapshot"),
        Backup(id="b", state="BUILDING", **about),
    )
    assert reap(house) == []
    assert [each.id for each in house.cloud.snapshots.owned()] == [making.id]
