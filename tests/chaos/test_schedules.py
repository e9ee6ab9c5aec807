# SPDX-License-Identifier: Apache-2.0
"""Schedules: whoever dies and when, each turn of a policy is one backup.

Rounds are no flow: two taskmanagers look at the same policies, and what either of them
leaves half done the next one finds in the rows. What they begin is carried by the
engine, as what a user asks for is.
"""

import functools

import pytest
import sqlalchemy as sa

from tests.chaos.world import PROJECT, Crash, World
from trove.actions.services import Services, Settings
from trove.db.queries import schedules
from trove.db.tables import Backup, BackupPolicy, Operation
from trove.model import operations
from trove.model.backups import BackupState
from trove.model.schedules import DAY, HOUR, MINUTE, Made, Plan, following
from trove.taskmanager.schedules import Schedules

PLAN = Plan(window=5, full_every=1, increment_every=12, keep_days=1)
TURN, TURNS = 12 * HOUR, 5
"""Of two days and the next one's first: a full one and an increment in each."""


class Play:
    """An instance with a policy, and two taskmanagers, one of which may die."""

    def __init__(self, bomb: int | None = None) -> None:
        self.world = world = World()
        world.create()
        world.run()
        settings = Settings(backup_driver=world.store.driver, backup_container="c")
        self.rung: list[str] = []
        services = Services(world.database, world.cloud, self.rung.append, settings)
        self.keepers = [Schedules(services) for _ in range(2)]
        self.bomb, self.ticks, self.died = bomb, 0, 0
        self.first = following(PLAN, Made(), world.moment)
        with world.database.transaction() as tx:
            schedules.put(
                tx,
                world.instance,
                project=PROJECT,
                enabled=True,
                minute=PLAN.window,
                full_every=PLAN.full_every,
                increment_every=PLAN.increment_every,
                keep_days=PLAN.keep_days,
                next_due=self.first,
            )

    def look(self, keeper: Schedules) -> None:
        """One taskmanager's rounds; it may be its last."""
        world = self.world
        world.ticks, world._counting = self.ticks, True
        world.bombs = [] if self.bomb is None or self.died else [self.bomb]
        try:
            keeper.round()
            keeper.retain()
        except Crash:
            self.died += 1
        finally:
            self.ticks = world.ticks if not self.died else 0
            world.bombs, world._counting = [], False

    def step(self) -> None:
        """Both look, and what is begun ends."""
        self.world.guests.speak()
        for keeper in self.keepers:
            self.look(keeper)
        while not self.world.turn():
            pass

    def go(self) -> None:
        """Each turn, and what came too late for its own look."""
        world = self.world
        for number in range(TURNS):
            world.moment = self.first + number * TURN + MINUTE
            self.step()
            world.pass_time(MINUTE)
            self.step()

    def check(self) -> None:
        """Each turn has one; none before the last day that is kept."""
        with self.world.database.reading() as tx:
            rows = list(tx.scalars(sa.select(Backup).order_by(Backup.created)))
            done = list(tx.scalars(sa.select(Operation.kind)))
            policy = tx.get_one(BackupPolicy, self.world.instance)
            assert (policy.last_fault, policy.faults) == (None, 0)
        turns = [int((row.created - self.first) // TURN) for row in rows]
        assert turns == list(range(TURNS)), "each once"
        assert [row.parent_id is None for row in rows] == [
            True,
            False,
            True,
            False,
            True,
        ]
        assert done.count(operations.BACK_UP) == TURNS
        assert {row.state for row in rows if row.deleted_at is None} == {
            BackupState.COMPLETED
        }
        gone = [row.deleted_at is not None for row in rows]
        assert gone == [True] * 2 + [False] * 3, "a whole chain, the oldest"
        assert done.count(operations.DELETE_BACKUP) == 1
        self.world.check()


def play(bomb: int | None = None) -> Play:
    made = Play(bomb)
    made.go()
    made.check()
    return made


@functools.cache
def ticks() -> int:
    return play().ticks


def test_a_crash_anywhere_begins_each_turn_once() -> None:
    """T01, INV-3: nothing twice, nothing never; and what goes, goes whole."""
    for bomb in range(1, ticks() + 1):
        assert play(bomb).died == 1, bomb


def test_the_one_looks_while_the_other_is_anywhere_in_its_own() -> None:
    for tick in range(1, ticks() + 1, 3):
        made, met = Play(), []

        def meanwhile(
            made: Play = made, tick: int = tick, met: list[int] = met
        ) -> None:
            if made.world.ticks == tick and not met:
                met.append(tick)
                made.look(made.keepers[1])
                made.ticks, made.world._counting = tick, True

        made.world.watch = meanwhile
        made.go()
        made.check()
        assert met, tick


@pytest.mark.parametrize("days", [3, 30])
def test_what_was_missed_while_nobody_looked_is_made_once(days: int) -> None:
    made = Play()
    made.world.moment = made.first + days * DAY + 2 * HOUR
    for _ in range(3):
        made.step()
        made.world.pass_time(HOUR)
    with made.world.database.reading() as tx:
        assert len(list(tx.scalars(sa.select(Backup.id)))) == 1
    made.world.check()
