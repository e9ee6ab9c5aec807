# SPDX-License-Identifier: Apache-2.0
"""Policies of backups on each database: whose turn it is, and that it is taken once."""

import datetime
import re
import typing
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.api.world import World
from tests.contract.db.test_backups import at_once, write
from trove.actions import turns
from trove.db.queries import backups, schedules
from trove.db.session import Database, now
from trove.db.tables import Backup, BackupPolicy
from trove.model.backups import BackupState
from trove.model.schedules import DAY, HOUR, Made, Plan
from trove.taskmanager.schedules import Schedules

DONE, FAILED = BackupState.COMPLETED, BackupState.FAILED


def say(database: Database, instance: str, **columns: typing.Any) -> None:
    said = {"enabled": True, "minute": 5, "full_every": 1, "increment_every": None}
    said |= {"keep_days": 7, "next_due": 1.0, "project": "demo"}
    with database.transaction() as tx:
        schedules.put(tx, instance, **(said | columns))


def test_a_policy_is_one_and_is_as_was_said_last(database: Database) -> None:
    say(database, "i-1")
    say(database, "i-1", increment_every=6, minute=1439)
    with database.transaction() as tx:
        row = schedules.hold(tx, "i-1")
        assert row is not None and schedules.plan(row) == Plan(1439, 1, 6, 7)
        assert (row.last_run, row.last_fault, row.backup_id) == (None, None, None)
        schedules.changes(tx, "i-1", last_fault="ünï ☃", last_run=1795389863.547285)
        row = schedules.get(tx, "i-1")
        assert row is not None
        assert (row.last_fault, row.last_run) == ("ünï ☃", 1795389863.547285)
        assert schedules.get(tx, "i-2") is schedules.hold(tx, "i-2") is None
        schedules.forget(tx, "i-1")
        assert schedules.page(tx, 9) == []


def test_whose_turn_it_is(database: Database) -> None:
    with database.reading() as tx:
        moment = now(tx)
    say(database, "i-1", next_due=moment - 5)
    say(database, "i-2", next_due=moment - 9)
    say(database, "i-3", next_due=moment + 3600)
    say(database, "i-4", next_due=moment - 7, enabled=False)
    with database.transaction() as tx:
        assert schedules.due(tx, 9) == ["i-2", "i-1"]
        assert schedules.due(tx, 1) == ["i-2"]
        assert schedules.hold_due(tx, "i-1") is not None
        for none in ("i-3", "i-4", "i-5"):
            assert schedules.hold_due(tx, none) is None
        ids = [row.instance_id for row in schedules.page(tx, 2, "i-1")]
        assert ids == ["i-2", "i-3"]


def test_what_policies_have_made(database: Database) -> None:
    rows = (("a", None, DONE), ("b", "a", DONE), ("c", "a", FAILED), ("d", None, DONE))
    write(database, *rows, ("e", "d", BackupState.BUILDING), ("u", None, DONE))
    with database.transaction() as tx:
        assert schedules.made(tx, "i-1") == Made(None, None)
        for id in "abce":
            backups.changes(tx, id, scheduled=True)
        assert schedules.made(tx, "i-1") == Made(1.0, 5.0)
        backups.changes(tx, "e", deleted_at=9.0)
        assert schedules.made(tx, "i-1") == Made(1.0, 2.0)
        living = backups.of_all(tx, ["i-1", "i-2"])
        assert {row.id for row in living["i-1"]} == set("abcdu")
        assert "i-2" not in living


def test_what_is_over(database: Database) -> None:
    write(
        database,
        ("a", None, DONE),
        ("b", None, FAILED),
        ("c", None, BackupState.SAVING),
        ("d", None, BackupState.DELETING),
    )
    for number, id in enumerate(["a", "b", "c", "d", None]):
        say(database, f"i-{number}", backup_id=id)
    with database.transaction() as tx:
        backups.changes(tx, "b", fault="why")
        assert schedules.ended(tx, 9) == [
            ("i-0", "a", False, None),
            ("i-1", "b", True, "why"),
            ("i-3", "d", False, None),
        ]
        assert len(schedules.ended(tx, 2)) == 2
        backups.changes(tx, "c", deleted_at=5.0)
        assert [one.backup for one in schedules.ended(tx, 9)] == list("abcd")


# -- many at once -------------------------------------------------------------------


@pytest.fixture
def world(server: Database, tmp_path: typing.Any) -> World:
    made = World(tmp_path, database=server, quotas={})
    with server.reading() as tx:
        made.clock = now(tx)
    return made


def late(world: World, count: int) -> list[str]:
    """Instances whose turn has come."""
    ids = [world.active(backup_policy=True) for _ in range(count)]
    with world.database.transaction() as tx:
        tx.execute(sa.update(BackupPolicy).values(next_due=1.0))
    return ids


def test_a_turn_is_taken_once_however_many_look(world: World) -> None:
    ids = late(world, 5)
    keepers = [Schedules(world.services) for _ in range(6)]
    at_once(6, lambda n: keepers[n].round())
    with world.database.reading() as tx:
        made = sorted(tx.scalars(sa.select(Backup.instance_id)))
        assert schedules.due(tx, 9) == []
    assert made == sorted(ids)
    assert [len(world.operations(id)) for id in ids] == [2] * 5


def test_a_turn_and_a_users_word_come_in_some_order(world: World) -> None:
    for id in late(world, 4):
        path = f"instances/{id}/backup_policy"
        body = {"backup_policy": {"window": "12:34"}}
        asks = (
            lambda id=id: world.database.run(
                lambda tx: turns.take_turn(world.services, tx, id)
            ),
            lambda path=path, body=body: world.ask("PUT", path, body).status_int,
        )
        taken, said = at_once(2, lambda n, asks=asks: asks[n]())
        assert said == 200
        with world.database.reading() as tx:
            row = schedules.get(tx, id)
            assert row is not None and row.minute == 12 * 60 + 34
            assert row.next_due > now(tx)
            # who came second changed the turn; or it was taken before
            assert (backups.running(tx, id) is not None) == (taken is not None)


def test_retention_and_an_increment_come_in_some_order(world: World) -> None:
    for id in late(world, 4):
        made = world.backup(id)
        with world.database.transaction() as tx:
            backups.changes(tx, made, scheduled=True, ended=1.0, created=1.0)
        newer = world.backup(id)
        with world.database.transaction() as tx:
            backups.changes(tx, newer, ended=2.0, created=2.0)
        more = {"backup": {"name": "b", "instance": id, "parent_id": made}}
        asks = (
            Schedules(world.services).retain,
            lambda more=more: world.ask("POST", "backups", more).status_int,
        )
        _, stood = at_once(2, lambda n, asks=asks: asks[n]())
        with world.database.reading() as tx:
            state = backups.load(tx, made).state
        assert (stood, state) in ((202, DONE), (422, BackupState.DELETING))


# -- the clock of a server is moved by days ------------------------------------------

CLOCKS = re.compile(
    r"UNIX_TIMESTAMP\(NOW\(6\)\)|extract\(epoch FROM clock_timestamp\(\)\)"
)
"""As MariaDB and PostgreSQL are asked what time it is."""


class Days:
    """A server's clock, which only ever goes on; two taskmanagers look at it."""

    KEEP = 2

    def __init__(self, world: World) -> None:
        self.world, self.late = world, 0.0
        self.keepers = [Schedules(world.services) for _ in range(2)]
        self.fails = False
        """Whether what is begun comes to nothing."""
        self.gone: list[str] = []
        self.id = world.active()
        window = self.now() + HOUR
        self.first = window // 60 * 60
        at = datetime.datetime.fromtimestamp(window, datetime.UTC)
        said = {"window": f"{at:%H:%M}", "increment_every_hours": 6}
        body = {"backup_policy": said | {"keep_days": self.KEEP}}
        path = f"instances/{self.id}/backup_policy"
        assert world.ask("PUT", path, body).status_int == 200

    def moved(
        self,
        connection: object,
        cursor: object,
        statement: str,
        parameters: object,
        *more: object,
    ) -> tuple[str, object]:
        """Each statement that asks what time it is hears a later one."""
        later = rf"\g<0> + {self.late:.1f}"
        return CLOCKS.sub(later, statement), parameters

    def now(self) -> float:
        with self.world.database.reading() as tx:
            self.world.clock = now(tx)
        return self.world.clock

    def passes(self, seconds: float) -> list[Backup]:
        """Both look at the same moment; what they began ends."""
        before = {row.id for row in self.rows()}
        self.late += seconds
        self.now()
        self.world.finish(self.id)
        at_once(2, lambda n: self.keepers[n].round())
        begun = [row for row in self.rows() if row.id not in before]
        state = FAILED if self.fails else DONE
        for row in begun:
            self.world.back_up(row.id, state=state)
        at_once(2, lambda n: self.keepers[n].retain())
        self.deleted()
        return begun

    def deleted(self) -> None:
        """What is on its way out has gone."""
        going = [row for row in self.rows() if row.state == BackupState.DELETING]
        tops = [row.id for row in going if row.parent_id is None]
        assert {len(self.world.operations(id)) for id in tops} <= {1}, "twice"
        with self.world.database.transaction() as tx:
            for row in going:
                backups.changes(tx, row.id, deleted_at=self.world.clock)
        self.gone += [row.id for row in going]

    def rows(self) -> list[Backup]:
        """Those that there are, oldest first."""
        with self.world.database.reading() as tx:
            found = backups.of_all(tx, [self.id])[self.id]
        return sorted(found, key=lambda row: row.created)

    def turn(self, row: Backup) -> tuple[int, int]:
        """The day, and which of its four turns, that it was begun in."""
        day, rest = divmod(row.created - self.first, DAY)
        return int(day), int(rest // (6 * HOUR))


@pytest.fixture
def days(world: World) -> Iterator[Days]:
    made = Days(world)
    sa.event.listen(
        world.database.engine, "before_cursor_execute", made.moved, retval=True
    )
    yield made
    sa.event.remove(world.database.engine, "before_cursor_execute", made.moved)


def chains(rows: list[Backup]) -> list[list[str]]:
    """Each full one with its increments."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.parent_id is None:
            found[row.id] = [row.id]
        else:
            chain = next(chain for chain in found.values() if row.parent_id in chain)
            chain.append(row.id)
    return list(found.values())


def test_each_turn_of_days_is_taken_once_and_what_is_over_goes(days: Days) -> None:
    """Two taskmanagers, five days; then nobody looks for days; then nothing comes to
    anything, and the last that restores stays."""
    made: list[Backup] = []
    for _ in range(5 * 8):
        made += days.passes(3 * HOUR)
        there, moment = days.rows(), days.now()
        chain = chains(made)
        # whole chains went, the oldest of all, and each moment that is kept has a base
        assert days.gone == [id for one in chain for id in one][: len(days.gone)]
        assert [row.id for row in there] == [row.id for row in made[len(days.gone) :]]
        assert there[0].parent_id is None
        early = moment - days.KEEP * DAY
        assert there[0].ended is not None
        assert there[0].ended <= early or not days.gone
        second = [row for row in there if row.parent_id is None][1:2]
        assert all((row.ended or 0) > early for row in second), "kept for too long"
    turns = [days.turn(row) for row in made]
    assert turns == [(day, turn) for day in range(5) for turn in range(4)][: len(turns)]
    assert len(turns) >= 19
    assert [len(chain) for chain in chains(made)][:-1] == [4] * 4

    (late,) = days.passes(5 * DAY)
    assert late.parent_id is None, "what was missed is made once"
    assert days.passes(60) == []

    days.fails = True
    for _ in range(5 * 2):
        days.passes(12 * HOUR)
    left = [row.id for row in days.rows() if row.state == DONE]
    assert left == [late.id], "the last good one"
