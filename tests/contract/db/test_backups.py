# SPDX-License-Identifier: Apache-2.0
"""Backups on each database: lists, chains, strategies; and many at once."""

import concurrent.futures
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import World
from trove import errors
from trove.db.queries import backups, datastores, strategies
from trove.db.queries.backups import Wanted
from trove.db.session import Database, now
from trove.db.tables import Backup, BackupStrategy, Instance
from trove.model import backups as model
from trove.model import operations
from trove.model.backups import BackupState
from trove.model.states import Task

DONE = BackupState.COMPLETED


def at_once(count: int, work: typing.Callable[[int], typing.Any]) -> list[typing.Any]:
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [
            done.result(120) for done in [pool.submit(work, n) for n in range(count)]
        ]


def write(database: Database, *rows: tuple[str, str | None, BackupState]) -> None:
    """Backups of i-1 in project demo, each changed a second after the one before."""
    with database.transaction() as tx:
        version = datastores.register_version(
            tx, "mariadb", "10.11", "10.11.9", manager="mariadb"
        )
        for moment, (id, parent, state) in enumerate(rows):
            tx.add(
                Backup(
                    **{"id": id, "parent_id": parent, "state": state, "name": "ünï ☃"},
                    **{"project": "demo", "instance_id": "i-1", "container": "c"},
                    **{"driver": "directory", "version_id": version.id},
                    **{"size": 2**40, "about": {"lsn": "17"}, "ended": 1.0 + moment},
                    **{"created": 1.0 + moment, "updated": 1.0 + moment},
                )
            )


TREE = (("a", None, DONE), ("b", "a", DONE), ("c", "a", DONE), ("d", "b", DONE))


def test_a_list_is_last_changed_first_and_narrowed(database: Database) -> None:
    write(database, *TREE)

    def ids(*which: typing.Any, **wanted: str) -> list[str]:
        with database.reading() as tx:
            found = backups.page(tx, Wanted(**wanted), *(which or (10,)))
        assert {(each.datastore, each.version) for each in found} <= {
            ("mariadb", "10.11")
        }
        return [each.row.id for each in found]

    assert ids() == ids(project="demo") == ids(instance="i-1") == list("dcba")
    assert ids(datastore="mariadb") == list("dcba")
    assert ids(2, 1) == ["c", "b"]
    for wanted in ({"project": "other"}, {"instance": "i-2"}, {"datastore": "none"}):
        assert ids(**wanted) == []
    with database.transaction() as tx:
        backups.changes(tx, "c", deleted_at=5.0)
    assert ids() == ["d", "b", "a"]
    with database.reading() as tx:
        assert backups.shown(tx, "c", deleted=True).row.size == 2**40
        with pytest.raises(errors.BackupNotFound):
            backups.shown(tx, "c")
        with pytest.raises(errors.BackupNotFound):
            backups.shown(tx, "a", "other")


def test_chains_and_what_stands_on_what(database: Database) -> None:
    write(database, *TREE)
    with database.transaction() as tx:
        assert [row.id for row in backups.chain(tx, "d")] == ["a", "b", "d"]
        row = backups.load(tx, "a")
        below = backups.below(tx, row)
        assert sorted(below) == list("abcd") and below[-1] == "a"
        assert below.index("d") < below.index("b")
        assert backups.below(tx, backups.load(tx, "b")) == ["d", "b"]
        assert [row.id for row in backups.hold_all(tx, "i-1")] == list("abcd")
        assert not backups.move(tx, "b", BackupState.DELETING, [BackupState.FAILED])
        assert backups.move(tx, "b", BackupState.DELETING, [DONE], fault="f")
    with database.reading() as tx:
        with pytest.raises(model.NotWhole, match="Backup b is DELETING"):
            backups.chain(tx, "d")
        assert backups.running(tx, "i-1") is None
        assert backups.restoring(tx, ["a", "b"]) is None


def test_an_instance_that_is_being_made_of_one(database: Database) -> None:
    write(database, *TREE, ("n", None, BackupState.NEW))
    with database.transaction() as tx:
        tx.add(
            Instance(
                **{"id": "i-2", "project": "demo", "name": "n", "task": Task.BUILDING},
                **{"version_id": "v", "flavor_id": "1", "server_number": 1},
                **{"created": 1.0, "updated": 1.0, "restored_from": "b"},
            )
        )
    with database.reading() as tx:
        found = backups.restoring(tx, ["d", "b"])
        assert found is not None and found.id == "i-2"
        assert backups.restoring(tx, ["a"]) is None
        assert backups.running(tx, "i-1") == "n"


def test_a_strategy_is_one_whoever_says_it_first(database: Database) -> None:
    def say(number: int) -> None:
        database.run(
            lambda tx: strategies.put(tx, "demo", "", f"c{number}"), attempts=20
        )

    at_once(8, say)
    with database.transaction() as tx:
        (row,) = strategies.page(tx, "demo")
        assert strategies.container(tx, "demo", "i-1") == row.container
        strategies.put(tx, "demo", "i-1", "own")
        strategies.put(tx, "other", "", "theirs")
        assert strategies.container(tx, "demo", "i-1") == "own"
        assert strategies.container(tx, "nobody", "i-1") is None
        assert [x.instance_id for x in strategies.page(tx, "demo")] == ["", "i-1"]
        assert [x.container for x in strategies.page(tx, "demo", "i-1")] == ["own"]
        strategies.forget(tx, "demo", "")
        strategies.forget(tx, "demo", "")
    with database.reading() as tx:
        rows = tx.scalars(sa.select(BackupStrategy.container))
        assert sorted(rows) == ["own", "theirs"]


# -- many at once, over the API -------------------------------------------------------


@pytest.fixture
def world(server: Database, tmp_path: typing.Any) -> World:
    made = World(tmp_path, database=server, quotas={"backups": 50})
    with server.reading() as tx:
        made.clock = now(tx)
    return made


def test_one_of_many_backups_is_made(world: World) -> None:
    id = world.active()
    body = {"backup": {"name": "b", "instance": id}}
    asked = at_once(8, lambda n: world.ask("POST", "backups", body).status_int)
    assert sorted(asked) == [202] + [422] * 7
    assert len(world.ask("GET", "backups").json["backups"]) == 1


def test_twins_with_one_key_hear_of_one_backup(world: World) -> None:
    id = world.active()
    body, key = {"backup": {"name": "b", "instance": id}}, {"Idempotency-Key": "k"}

    def one(_: int) -> tuple[int, str]:
        answer = world.ask("POST", "backups", body, headers=key)
        return answer.status_int, answer.json["backup"]["id"]

    assert len(set(at_once(6, one))) == 1


def test_a_backup_is_deleted_once(world: World) -> None:
    made = world.backup(world.active())
    asked = at_once(6, lambda n: world.ask("DELETE", f"backups/{made}").status_int)
    assert asked == [202] * 6
    assert len(world.operations(made)) == 1


def test_nothing_comes_to_stand_on_what_goes(world: World) -> None:
    """An increment, a restore and a delete at once: each in some order."""
    id = world.active()
    volume = {"flavorRef": "1", "volume": {"size": 1}}
    for _ in range(6):
        full = world.backup(id)
        restore = {"instance": {"name": "a", "restorePoint": {"backupRef": full}}}
        restore["instance"] |= volume
        more = {"backup": {"name": "b", "instance": id, "parent_id": full}}
        asks = (
            lambda full=full: world.ask("DELETE", f"backups/{full}"),
            lambda more=more: world.ask("POST", "backups", more),
            lambda restore=restore: world.ask("POST", "instances", restore),
        )
        deleted, stood, restored = at_once(3, lambda n, asks=asks: asks[n]())
        if deleted.status_int == 202:
            assert (stood.status_int, restored.status_int) == (422, 409)
            assert world.operations(full)[0].kind == operations.DELETE_BACKUP
        else:
            assert deleted.status_int == 422, deleted.text
            assert 202 == stood.status_int or 200 == restored.status_int
        if stood.status_int == 202:
            world.back_up(stood.json["backup"]["id"])
        if restored.status_int == 200:
            world.finish(restored.json["instance"]["id"])
