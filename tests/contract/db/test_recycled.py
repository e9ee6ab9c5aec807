# SPDX-License-Identifier: Apache-2.0
"""The recycle bin on each database: lists, what is over; and many at once."""

import pathlib

import pytest

from tests.api.world import DEMO, World
from tests.contract.db.test_backups import at_once
from trove import errors
from trove.actions import deletion, recount, recycled
from trove.actions.deletion import Wish
from trove.context import Context
from trove.db.queries import recycled as rows
from trove.db.session import Database, now
from trove.db.tables import Instance
from trove.model import operations
from trove.model.states import Task
from trove.taskmanager.recycling import Recycling

MEMBER = Context(project=DEMO, user="u")
DAY = 86400.0


def write(database: Database, *ids: str, project: str = "demo") -> None:
    """Deleted instances of the bin, each kept a second longer than the one before."""
    with database.transaction() as tx:
        for number, id in enumerate(ids, 1):
            row = Instance(
                **{
                    "id": id,
                    "project": project,
                    "name": "ünï ☃",
                    "task": Task.DELETING,
                },
                **{"version_id": "v", "flavor_id": "1", "volume_size": 5},
                **{"server_number": number, "created": 1.0, "updated": 1.0},
                deleted_at=now(tx),
            )
            tx.add(row)
            tx.flush()
            rows.put(tx, row, [f"m-{id}"], float(number))


def test_a_list_is_a_projects_and_in_order(database: Database) -> None:
    write(database, "c", "a", "b")
    write(database, "x", project="other")
    with database.transaction() as tx:

        def ids(*about: object) -> list[str]:
            return [one.instance.id for one in rows.page(tx, *about)]  # type: ignore[arg-type]

        assert ids("demo", 9) == ["a", "b", "c"]
        assert ids("demo", 2) == ["a", "b"] and ids("demo", 2, "a") == ["b", "c"]
        assert ids("other", 9) == ["x"] and ids("nobody", 9) == []
        one = rows.shown(tx, "a", "demo")
        assert (one.instance.name, one.row.modules, one.live) == (
            "ünï ☃",
            ["m-a"],
            None,
        )
        for id, project in (("x", "demo"), ("none", None)):
            with pytest.raises(errors.NotRecycled):
                rows.shown(tx, id, project)
        assert rows.among(tx, ["a", "x", "none"]) == {"a", "x"}


def test_what_is_over_comes_oldest_first(database: Database) -> None:
    write(database, "c", "a", "b", "d")
    with database.transaction() as tx:
        assert rows.due(tx, 9) == []
        for number, id in enumerate(("b", "c", "a")):
            entry = rows.get(tx, id)
            assert entry is not None
            entry.reclaim_at = 5.0 + number
        tx.flush()
        assert rows.due(tx, 9) == ["b", "c", "a"] and rows.due(tx, 2) == ["b", "c"]
        rows.revive(tx, "c", server_number=9)
        assert rows.due(tx, 9) == ["b", "a"]
        with pytest.raises(errors.NotRecycled):
            rows.revive(tx, "c")
        rows.forget(tx, "b")
        assert rows.due(tx, 9) == ["a"]
        with pytest.raises(errors.NotRecycled):
            rows.revive(tx, "b")
        rows.stays(tx, "a", "no host ☃", DAY)
        assert rows.due(tx, 9) == []
        shown = rows.shown(tx, "a").row
        assert (shown.fault, shown.reclaim_at > now(tx) + DAY / 2) == (
            "no host ☃",
            True,
        )


@pytest.fixture
def world(server: Database, tmp_path: pathlib.Path) -> World:
    made = World(tmp_path, database=server, quotas={})
    with server.reading() as tx:
        made.clock = now(tx)
    return made


def over(world: World, count: int) -> list[str]:
    """Instances of the bin whose time is over."""
    ids = [world.active() for _ in range(count)]
    for id in ids:
        world.recycle(id, seconds=-1.0)
    return ids


def kinds(world: World, id: str) -> list[str]:
    return [each.kind for each in world.operations(id)]


def test_the_end_is_one_however_many_look(world: World) -> None:
    ids = over(world, 5)
    keepers = [Recycling(world.database, lambda operation: None) for _ in range(6)]
    at_once(6, lambda n: keepers[n].round())
    assert [kinds(world, id).count(operations.RECLAIM) for id in ids] == [1] * 5


def test_one_comes_back_once_however_many_ask(world: World) -> None:
    for id in over(world, 3):

        def back(_: int, id: str = id) -> bool:
            try:
                recycled.undelete(world.services, MEMBER, id, DEMO)
            except (errors.NotRecycled, errors.InstanceBusy):
                return False
            return True

        assert sum(at_once(5, back)) == 1
        assert kinds(world, id).count(operations.UNDELETE) == 1
    with world.database.reading() as tx:
        assert list(recount.differences(tx)) == []


def test_an_end_and_an_undelete_come_in_some_order(world: World) -> None:
    for id in over(world, 5):

        def act(n: int, id: str = id) -> str:
            try:
                if n % 2:
                    recycled.reclaim(world.services, MEMBER, id, DEMO)
                else:
                    recycled.undelete(world.services, MEMBER, id, DEMO)
            except (errors.NotRecycled, errors.InstanceBusy) as refused:
                return type(refused).__name__
            return "done"

        said = at_once(4, act)
        ends = {*kinds(world, id)} & {operations.UNDELETE, operations.RECLAIM}
        assert len(ends) == 1, (ends, said)
        assert "done" in said
    with world.database.reading() as tx:
        assert list(recount.differences(tx)) == []


def test_many_deletes_at_once_are_one_last_backup(world: World) -> None:
    wish = Wish(final_backup=True)
    for id in [world.active() for _ in range(3)]:

        def delete(_: int, id: str = id) -> bool:
            try:
                deletion.delete(world.services, MEMBER, id, DEMO, wish)
            except errors.NoFinalBackup:
                return False
            return True

        assert any(at_once(5, delete))
        assert kinds(world, id).count(operations.BACK_UP) == 1
        assert operations.DELETE not in kinds(world, id)
        (operation,) = [o for o in world.operations(id) if o.kind == operations.BACK_UP]
        assert not operation.cancel
