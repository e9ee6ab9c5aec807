# SPDX-License-Identifier: Apache-2.0
"""Backups that are snapshots of volumes (contract, 9.2): what is asked, and refused."""

import pathlib
import typing

import pytest
import sqlalchemy as sa

from tests.api.test_backups import agreed, body, in_use, restored, shown
from tests.api.world import World
from trove.db.queries import backups, instances
from trove.db.tables import DatastoreVersion
from trove.model import operations
from trove.model.states import Task

Plain = dict[str, typing.Any]
STILL: Plain = {"storage_driver": "cinder"}


@pytest.fixture
def still(tmp_path: pathlib.Path) -> typing.Iterator[World]:
    """Where snapshots are set up, and no store is."""
    world = World(tmp_path, backup_driver=None, snapshots=True)
    yield world
    world.close()


def test_a_snapshot_is_a_backup_that_needs_no_store(still: World) -> None:
    id = still.active()
    answer = still.ask("POST", "backups", body(id, **STILL, incremental=0))
    assert answer.status_int == 202, answer.text
    made = answer.json["backup"]
    assert (made["storage_driver"], made["parent_id"]) == ("cinder", None)
    operation = still.operations(id)[-1]
    assert operation.kind == operations.BACK_UP
    assert operation.input == {"backup": made["id"]}
    assert in_use(still) == 1 and agreed(still)
    with still.database.reading() as tx:
        assert instances.load(tx, id).task == Task.BACKING_UP
        assert backups.load(tx, made["id"]).container == ""
    assert still.ask("POST", "backups", body(id)).status_int == 501  # there is no store


def test_it_is_full_and_goes_into_no_container(still: World) -> None:
    id = still.active()
    first = still.backup(id, **STILL)
    for more, why in (
        ({"incremental": 1}, "always full"),
        ({"parent_id": first}, "always full"),
        ({"swift_container": "c"}, "no container"),
    ):
        answer = still.ask("POST", "backups", body(id, **STILL, **more))
        assert answer.status_int == 400 and why in answer.text
    assert in_use(still) == 1


def test_where_it_is_not_set_up_it_is_not_made(world: World) -> None:
    answer = world.ask("POST", "backups", body(world.active(), **STILL))
    assert answer.status_int == 501 and "storage_driver" in answer.text
    assert in_use(world) == 0


def test_an_instance_without_a_volume_has_none(still: World) -> None:
    id = still.active()
    still.change(id, volume_size=None)
    answer = still.ask("POST", "backups", body(id, **STILL))
    assert answer.status_int == 400 and "no volume" in answer.text
    assert in_use(still) == 0


def test_no_increment_stands_on_one(tmp_path: pathlib.Path) -> None:
    """The newest that one may stand on is the newest that the guest brought."""
    world = World(tmp_path, snapshots=True)
    id = world.active()
    taken = world.backup(id, **STILL)
    first = world.backup(id, incremental=1)
    assert shown(world, first)["parent_id"] is None
    world.backup(id, **STILL)
    second = world.backup(id, incremental=1)
    assert shown(world, second)["parent_id"] == first
    answer = world.ask("POST", "backups", body(id, parent_id=taken))
    assert answer.status_int == 400 and "nothing stands on one" in answer.text
    world.close()


def test_a_restore_wants_a_volume_that_is_as_large(still: World) -> None:
    made = still.backup(still.active(), **STILL)
    still.back_up(made, size=2 * 2**30)
    answer = restored(still, made, size=1)
    assert answer.status_int == 403 and "at the least" in answer.text
    answer = restored(still, made, size=2)
    assert answer.status_int == 200, answer.text
    (operation,) = still.operations(answer.json["instance"]["id"])
    assert (operation.input or {})["restore"] == made
    answer = still.ask("DELETE", f"backups/{made}")
    assert answer.status_int == 422 and "is being made of it" in answer.text


def test_a_datastore_that_cannot_has_none(still: World) -> None:
    id = still.active()
    with still.database.transaction() as tx:
        tx.execute(sa.update(DatastoreVersion).values(manager="valkey"))
    answer = still.ask("POST", "backups", body(id, **STILL))
    assert answer.status_int == 501 and "volume snapshots" in answer.text
