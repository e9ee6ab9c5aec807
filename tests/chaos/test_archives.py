# SPDX-License-Identifier: Apache-2.0
"""Archives: a crash at every tick, every single fault, and nothing is lost or twice.

Rounds are no flow: a taskmanager that dies in one leaves rows behind, and the next one
looks. The guest goes on all the while, and says again what nobody has counted.
"""

import functools

import pytest
import sqlalchemy as sa

from tests.archivist import Archivist
from tests.chaos.world import KEYS, SETTINGS, Crash, Fault, World
from trove import errors
from trove.conductor.archives import checked, news
from trove.context import Context
from trove.db.queries import archives, schedules
from trove.db.tables import Archive, ArchiveSegment
from trove.flows.context import Surroundings
from trove.model.archives import ArchiveState
from trove.rpc.messages import ArchiveOrder
from trove.storage.backups import Names
from trove.storage.manifest import Part
from trove.taskmanager.archives import HELD, Archives

ROUNDS = 6
PIECES = 3
"""In which of the guest's rounds something is brought."""
CALLS = ("store.ensure", "store.listed", "guest.archive")
ERRORS = (("passing", False), ("unavailable", False), ("refused", False), ("bug", True))
FAULTS = [
    None,
    *(Fault(call, error, after) for call in CALLS for error, after in ERRORS),
    *(Fault(call, "unavailable", True) for call in CALLS),
]


class Line:
    """The caller's end of the guest; each call may be the last of its process."""

    def __init__(self, world: World, guest: Archivist) -> None:
        self._world, self._guest = world, guest

    def archive(self, order: ArchiveOrder) -> None:
        self._world.before("guest.archive")
        self._guest.archive_order(order)
        self._world.after("guest.archive")

    def end_archive(self, archive: str) -> None:
        self._world.before("guest.end_archive")
        self._guest.end_archive(archive)
        self._world.after("guest.end_archive")


class Play:
    """An instance whose log is wanted, its guest, and one taskmanager after another."""

    def __init__(self, fault: Fault | None, bomb: int | None) -> None:
        self.world = world = World()
        world.create()
        world.run()
        self.guest = Archivist(KEYS[0], world.now)
        said = {"enabled": True, "point_in_time": True, "minute": 5, "full_every": 1}
        said |= {"increment_every": None, "keep_days": 7, "next_due": 9e9}
        with world.database.transaction() as tx:
            schedules.put(tx, world.instance, project="chaos", **said)
        around = Surroundings(
            world.database, world.cloud, world.users, self._line, SETTINGS
        )
        self.keeper = Archives(around, world.store, "c", 30)
        world.fault, world.left = fault, 1
        world.bombs = [] if bomb is None else [bomb]
        world.ticks = 0
        self.died = 0

    def _line(self, instance: str, context: Context) -> Line:
        assert instance == self.world.instance
        return Line(self.world, self.guest)

    def look(self) -> None:
        world = self.world
        world._counting = True
        try:
            self.keeper.round()
        except Crash:
            self.died += 1
        except (errors.TroveError, ZeroDivisionError) as fault:
            # as who calls it does: the next one may do
            assert world.fault is not None and world.spent(), fault
        finally:
            world._counting = False
        world.pass_time(HELD / 2)

    def hear(self) -> None:
        if self.guest.archive is None:
            return
        report = self.guest.report()
        said, of_use = checked(report), news(report)
        with self.world.database.transaction() as tx:
            archives.heard(tx, self.world.instance, report.archive, said, of_use)

    def go(self) -> None:
        """Until everything has been counted, and the guest has heard it."""
        for number in range(40):
            self.look()
            if self.guest.archive and self.guest.number < PIECES:
                self.guest.brings(b"one", b"more")
            self.hear()
            if number > ROUNDS and not self.guest.pending and self.guest.number:
                return
        raise AssertionError(f"nothing ends: {self.guest.report()}")

    def check(self) -> None:
        with self.world.database.reading() as tx:
            (row,) = tx.scalars(sa.select(Archive))
            rows = list(tx.scalars(sa.select(ArchiveSegment)))
        assert (row.state, row.open_of) == (ArchiveState.OPEN, self.world.instance)
        assert [each.number for each in rows] == list(range(PIECES)), "once each"
        assert (row.segments, row.latest) == (PIECES, self.guest.until)
        places = [(each.first, each.last) for each in rows]
        assert places == [(100 + n, 100 + n) for n in range(PIECES)], "no hole"
        there, names = self.world.store.taken(), Names(row.project, row.id)
        for each in rows:
            for number, (size, sha256, _) in enumerate(each.parts, each.part):
                part = Part.of(there.pop(names.of(1, number)))
                assert (part.size, part.sha256) == (size, sha256)
        assert there == {}, "INV-16: what is nobody's"
        assert self.guest.orders[-1].counted == PIECES
        assert row.due is not None


def play(fault: Fault | None, bomb: int | None = None) -> Play:
    made = Play(fault, bomb)
    made.go()
    made.check()
    return made


@functools.cache
def ticks() -> int:
    return play(None).world.ticks


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_crash_anywhere_loses_nothing_and_counts_nothing_twice(
    fault: Fault | None,
) -> None:
    """INV-14, T25: all that was brought is counted, in its order, once."""
    for bomb in range(1, ticks() + 1):
        made = play(fault, bomb)
        assert made.died == 1 or not made.world.bombs or fault, (fault, bomb)


def test_each_fault_is_played() -> None:
    for fault in FAULTS[1:]:
        assert play(fault).world.left == 0, fault


def test_messages_late_twice_and_out_of_order() -> None:
    """What a guest said long ago changes nothing."""
    made = Play(None, None)
    said = []
    for _ in range(12):
        made.look()
        if made.guest.archive and made.guest.number < PIECES:
            made.guest.brings(b"one", b"more")
        if made.guest.archive:
            said.append(made.guest.report())
    for report in (*reversed(said), *said, *said):
        with made.world.database.transaction() as tx:
            about = checked(report), news(report)
            archives.heard(tx, made.world.instance, report.archive, *about)
        made.look()
    made.go()
    made.check()


def test_two_taskmanagers_at_every_moment_of_each_other() -> None:
    """The one looks while the other is anywhere in its own look."""
    for tick in range(1, ticks() + 1):
        made = Play(None, None)
        met = []

        def meanwhile(
            made: Play = made, tick: int = tick, met: list[int] = met
        ) -> None:
            if made.world.ticks == tick and not met:
                met.append(tick)
                made.world.moment += HELD + 1  # the first one sleeps that long
                made.look()
                made.world._counting = True

        made.world.watch = meanwhile
        made.go()
        made.check()
        assert met, tick
