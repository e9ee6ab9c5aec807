# SPDX-License-Identifier: Apache-2.0
"""Deletes: accepted in every state, after a last backup, with the volume kept."""

import concurrent.futures
import pathlib
import typing
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.api.world import DEMO, World
from tests.unit.actions.test_instances import MEMBER, events, row
from trove import errors
from trove.actions import backups, changes, deletion
from trove.actions.deletion import NOW, Wish
from trove.db.queries import quotas
from trove.db.tables import Backup, Event, Operation
from trove.model import operations
from trove.model.operations import BackUp, DeleteInstance
from trove.model.states import Task

DAY = 86400.0
BY_DEFAULT: dict[str, typing.Any] = {
    "final_by_default": True,
    "recycle_by_default": True,
    "recycle_days": 3,
}


@pytest.fixture
def keeping(tmp_path: pathlib.Path) -> Iterator[World]:
    """Where nothing is lost by a click."""
    made = World(tmp_path / "keeping", **BY_DEFAULT)
    yield made
    made.close()


@pytest.fixture
def saving(tmp_path: pathlib.Path) -> Iterator[World]:
    """Where there is a last backup, and no bin."""
    made = World(tmp_path / "saving", final_by_default=True)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def folders(tmp_path: pathlib.Path) -> None:
    for name in ("keeping", "saving"):
        (tmp_path / name).mkdir()


def delete(world: World, id: str, wish: Wish = Wish()) -> None:  # noqa: B008
    deletion.delete(world.services, MEMBER, id, DEMO, wish)


def last(world: World, id: str) -> Operation:
    """The operation that holds it now, or waits to."""
    found = [each for each in world.operations(id) if each.input is not None]
    return found[-1]


def saved(world: World, id: str) -> list[Backup]:
    with world.database.reading() as tx:
        return list(tx.scalars(sa.select(Backup).where(Backup.instance_id == id)))


def why(world: World, id: str) -> str:
    """Of a last backup that was missed."""
    with world.database.reading() as tx:
        kind = Event.kind == "instance.final_backup_missed"
        (event,) = tx.scalars(sa.select(Event).where(Event.object_id == id, kind))
    return str((event.payload or {})["why"])


# -- in every state, once -----------------------------------------------------------


def test_a_delete_waits_for_what_it_cancels(world: World) -> None:
    id = world.created()
    delete(world, id)
    create, gone = sorted(world.operations(id), key=lambda o: o.kind)
    assert (create.kind, create.cancel) == (operations.CREATE, True)
    assert (gone.kind, gone.after) == (operations.DELETE, create.id)
    assert gone.lock_key is None
    assert row(world, id).task == Task.DELETING
    assert world.rung[-1] == create.id


@pytest.mark.parametrize("task", list(Task))
def test_a_delete_is_accepted_in_every_state(world: World, task: Task) -> None:
    id = world.active()
    world.change(id, task=task)
    delete(world, id)
    assert row(world, id).task == Task.DELETING
    kinds = [each.kind for each in world.operations(id)]
    assert kinds.count(operations.DELETE) == 1


def test_deleting_twice_is_deleting_once(world: World) -> None:
    building, active = world.created(), world.active()
    for id in (building, active, building, active, building):
        delete(world, id)
    for id in (building, active):
        kinds = [each.kind for each in world.operations(id)]
        assert kinds.count(operations.DELETE) == 1


def test_many_deletes_at_once_are_one(world: World) -> None:
    id = world.created()

    def one(_: int) -> None:
        delete(world, id)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(6)))
    kinds = [each.kind for each in world.operations(id)]
    assert sorted(kinds) == [operations.CREATE, operations.DELETE]


def test_a_source_keeps_its_replicas(world: World) -> None:
    source, replica = world.active(), world.active()
    world.change(replica, source_id=source)
    with pytest.raises(errors.Forbidden, match="Detach replicas"):
        delete(world, source)
    world.change(replica, deleted_at=1.0)
    delete(world, source)


# -- a last backup, and the bin -----------------------------------------------------


def test_a_delete_is_of_a_last_backup_and_of_what_is_kept(keeping: World) -> None:
    id = keeping.active()
    delete(keeping, id)
    (made,) = saved(keeping, id)
    assert (made.name, made.scheduled, made.parent_id) == ("final-db", False, None)
    assert row(keeping, id).task == Task.BACKING_UP
    operation = last(keeping, id)
    assert operation.kind == operations.BACK_UP
    cost = {"instances": 1, "ram": 512, "volumes": 1}
    follows = BackUp(made.id, DeleteInstance(cost, 3 * DAY))
    assert BackUp.from_dict(operation.input or {}) == follows
    assert events(keeping, id)[-2:] == [
        "instance.backup.accepted",
        "instance.final_backup",
    ]
    assert keeping.rung[-1] == operation.id


@pytest.mark.parametrize(
    ("wish", "kind", "keep"),
    [
        (Wish(), operations.BACK_UP, 3 * DAY),
        (Wish(keep=False), operations.BACK_UP, 0.0),
        (Wish(final_backup=False), operations.DELETE, 3 * DAY),
        (Wish(final_backup=True, keep=True), operations.BACK_UP, 3 * DAY),
        (NOW, operations.DELETE, 0.0),
    ],
)
def test_who_deletes_may_say_otherwise(
    keeping: World, wish: Wish, kind: str, keep: float
) -> None:
    id = keeping.active()
    delete(keeping, id, wish)
    operation = last(keeping, id)
    assert operation.kind == kind
    said = operation.input or {}
    follows = said if kind == operations.DELETE else said["delete"]
    assert DeleteInstance.from_dict(follows).keep == keep


def test_where_the_operator_keeps_nothing_who_wants_it_says_so(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "willing").mkdir()
    world = World(tmp_path / "willing", recycle_days=2)
    one, other = world.active(), world.active()
    delete(world, one)
    delete(world, other, Wish(final_backup=True, keep=True))
    assert last(world, one).kind == operations.DELETE
    assert DeleteInstance.from_dict(last(world, one).input or {}).keep == 0.0
    follows = BackUp.from_dict(last(world, other).input or {}).delete
    assert follows is not None and follows.keep == 2 * DAY
    world.close()


def test_a_bin_that_there_is_not_is_not_asked_for_in_vain(saving: World) -> None:
    id = saving.active()
    with pytest.raises(errors.Invalid, match="no recycle bin"):
        delete(saving, id, Wish(keep=True))
    assert row(saving, id).task == Task.NONE


def test_what_never_was_has_nothing_to_save_or_to_keep(keeping: World) -> None:
    id = keeping.created()
    delete(keeping, id)
    operation = last(keeping, id)
    assert operation.kind == operations.DELETE
    assert DeleteInstance.from_dict(operation.input or {}) == DeleteInstance()
    assert saved(keeping, id) == []


# -- one that cannot be made --------------------------------------------------------


def test_where_the_volume_is_kept_a_backup_may_be_missed_and_is_told(
    keeping: World,
) -> None:
    id = keeping.active()
    changes.restart(keeping.services, MEMBER, id, DEMO)
    delete(keeping, id)
    assert last(keeping, id).kind == operations.DELETE
    assert row(keeping, id).task == Task.DELETING
    assert saved(keeping, id) == []
    assert "REBOOT" in why(keeping, id)


@pytest.mark.parametrize("wish", [Wish(keep=False), Wish(final_backup=True)])
def test_where_nothing_is_kept_or_it_was_asked_for_it_is_refused(
    keeping: World, wish: Wish
) -> None:
    id = keeping.active()
    changes.restart(keeping.services, MEMBER, id, DEMO)
    with pytest.raises(errors.NoFinalBackup, match="final_backup=false"):
        delete(keeping, id, wish)
    (restart,) = [o for o in keeping.operations(id) if o.input is not None]
    assert (restart.kind, restart.cancel) == (operations.RESTART, False)
    assert "instance.final_backup_missed" not in events(keeping, id)


def test_one_without_a_volume_is_not_lost_silently(keeping: World) -> None:
    """There is nothing that could be kept."""
    id = keeping.active()
    keeping.change(id, volume_size=None)
    keeping.finish(id, service="crashed")
    changes.restart(keeping.services, MEMBER, id, DEMO)
    with pytest.raises(errors.NoFinalBackup):
        delete(keeping, id)


def test_a_full_quota_is_said(saving: World) -> None:
    id = saving.active()
    with saving.database.transaction() as tx:
        quotas.set_limits(tx, DEMO, {"backups": 0})
    with pytest.raises(errors.NoFinalBackup, match="Quota exceeded"):
        delete(saving, id)
    assert row(saving, id).task == Task.NONE
    delete(saving, id, NOW)
    assert row(saving, id).task == Task.DELETING


def test_where_there_is_no_store_only_who_asks_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "bare").mkdir()
    world = World(tmp_path / "bare", backup_driver=None, final_by_default=True)
    id = world.active()
    with pytest.raises(errors.NoFinalBackup, match="not set up"):
        delete(world, id, Wish(final_backup=True))
    delete(world, id)
    assert last(world, id).kind == operations.DELETE
    world.close()


# -- while it is made ---------------------------------------------------------------


def test_twice_is_once_while_the_last_backup_is_made(keeping: World) -> None:
    id = keeping.active()
    for _ in range(3):
        delete(keeping, id)
    (made,) = saved(keeping, id)
    assert made.state == "NEW"
    (operation,) = [o for o in keeping.operations(id) if o.input is not None]
    assert not operation.cancel
    assert "instance.final_backup_missed" not in events(keeping, id)


def test_who_wants_none_stops_it(keeping: World) -> None:
    id = keeping.active()
    delete(keeping, id)
    delete(keeping, id, NOW)
    delete(keeping, id)
    backup, gone = [o for o in keeping.operations(id) if o.input is not None]
    assert (backup.kind, backup.cancel) == (operations.BACK_UP, True)
    assert (gone.kind, gone.after) == (operations.DELETE, backup.id)
    assert DeleteInstance.from_dict(gone.input or {}).keep == 0.0


def test_a_users_own_backup_is_no_last_one(keeping: World) -> None:
    """The delete stops it, as it did; the volume is kept, and the event says why."""
    id = keeping.active()
    order = backups.Order("mine", id)
    backups.create(keeping.services, MEMBER, DEMO, order)
    delete(keeping, id)
    backup, gone = [o for o in keeping.operations(id) if o.input is not None]
    assert backup.cancel and gone.after == backup.id
    assert "BACKUP" in why(keeping, id)
    delete(keeping, id)
    assert len([o for o in keeping.operations(id) if o.input is not None]) == 2
    assert why(keeping, id)


def test_many_at_once_are_one_last_backup(keeping: World) -> None:
    id = keeping.active()

    def one(_: int) -> None:
        delete(keeping, id)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(6)))
    (operation,) = [o for o in keeping.operations(id) if o.input is not None]
    assert (operation.kind, operation.cancel) == (operations.BACK_UP, False)
    assert len(saved(keeping, id)) == 1


def test_what_is_protected_stays(keeping: World) -> None:
    id = keeping.active(deletion_protection=True)
    for wish in (Wish(), NOW):
        with pytest.raises(errors.InstanceProtected):
            delete(keeping, id, wish)
    assert saved(keeping, id) == []
