# SPDX-License-Identifier: Apache-2.0
"""Verifications on each database: who waits, and that a place is taken once."""

import typing

import pytest
import sqlalchemy as sa

from tests.api.world import World
from tests.contract.db.test_backups import at_once, write
from trove import errors
from trove.actions import recount, verifications
from trove.db.queries import backups
from trove.db.queries import verifications as queries
from trove.db.session import Database, now
from trove.db.tables import Instance
from trove.model.backups import BackupState
from trove.model.verifications import OWNER, Verification
from trove.taskmanager.verifications import Verifications

DONE = BackupState.COMPLETED


def test_who_waits_and_what_became_of_each(database: Database) -> None:
    rows = [(id, None, DONE) for id in "abcd"]
    write(database, *rows, ("e", None, BackupState.FAILED))
    with database.transaction() as tx:
        for number, id in enumerate("badce"):
            queries.wait(tx, id)
            backups.changes(tx, id, verify_asked=float(number))
        assert queries.waiting(tx, 9) == list("badc")
        assert queries.waiting(tx, 2) == list("ba")
        backups.changes(tx, "d", deleted_at=9.0)
        queries.running(tx, "b")
        queries.verified(tx, "b", 61.25)
        backups.changes(tx, "a", unsound=True)
        assert queries.failed(tx, "a", "ünï ☃" * 999)
        assert queries.failed(tx, "c", "no room")
        assert not queries.failed(tx, "b", "late") and not queries.failed(tx, "x", "")
        assert queries.waiting(tx, 9) == []
        b, a, c = (backups.load(tx, id) for id in "bac")
        assert (b.verification, b.restore_seconds) == (Verification.VERIFIED, 61.25)
        assert a.verification == Verification.FAILED and str(a.verify_fault)[0] == "ü"
        assert c.verification == Verification.UNKNOWN and not c.unsound
        queries.verified(tx, "a", 1.0)
        a = backups.load(tx, "a")
        assert (a.unsound, a.verify_fault) == (False, None)


# -- many at once -------------------------------------------------------------------


@pytest.fixture
def world(server: Database, tmp_path: typing.Any) -> World:
    made = World(tmp_path, database=server, quotas={}, verify_at_once=2)
    with server.reading() as tx:
        made.clock = now(tx)
    return made


def waiting(world: World, count: int) -> list[str]:
    made = [world.backup(world.active()) for _ in range(count)]
    for id in made:
        answer = world.ask("POST", f"backups/{id}/action", {"verify": {}})
        assert answer.status_int == 202, answer.text
    return made


def servers(world: World) -> list[str]:
    """The backups that there is a server for."""
    living = Instance.restored_from
    with world.database.reading() as tx:
        return [
            str(each)
            for each in tx.scalars(sa.select(living).where(Instance.project == OWNER))
        ]


def test_no_more_are_verified_at_once_however_many_look(world: World) -> None:
    made = waiting(world, 4)
    keepers = [Verifications(world.services) for _ in range(6)]
    at_once(6, lambda n: keepers[n].round())
    found = servers(world)
    assert len(found) == len(set(found)) == 2 and set(found) < set(made)
    with world.database.reading() as tx:
        running = [
            id
            for id in made
            if backups.load(tx, id).verification == Verification.RUNNING
        ]
        assert sorted(running) == sorted(found)
        assert all(line.agrees for line in recount.lines(tx, OWNER))


def test_a_verification_and_a_delete_come_in_some_order(world: World) -> None:
    for id in waiting(world, 2):

        def start(id: str = id) -> bool:
            try:
                return verifications.start(world.services, id) is not None
            except (errors.BackupNotComplete, errors.BackupNotFound):
                return False  # it goes

        asks = (start, lambda id=id: world.ask("DELETE", f"backups/{id}").status_int)
        begun, gone = at_once(2, lambda n, asks=asks: asks[n]())
        assert (begun, gone) in ((True, 422), (False, 202))
        assert (id in servers(world)) == begun
