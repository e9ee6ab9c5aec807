# SPDX-License-Identifier: Apache-2.0
"""A round of an archive: what the log has that is whole is brought, and written down.

A process of its own that ends (``python -m trove.guestagent.rounds``; its words are the
state directory and the configuration's), as a job's is, but beside the jobs: a backup
that goes on for hours does not stop it. It may die anywhere. A part's number is written
down as used before it is brought, a segment when all of it was; a round that goes on
after one that died begins that segment anew, and what the store has of it is nobody's.
"""

import dataclasses
import logging
import os
import pathlib
import sys
import threading
import time
import typing

from trove import errors
from trove.datastores.archives import Archive, LogFile, Lost
from trove.guestagent import accounts, grants, identity, state
from trove.guestagent.archives import Progress, Shelf
from trove.guestagent.backups import ENDS, PRESS
from trove.guestagent.child import alone, at_most, only_one
from trove.guestagent.desk import load_engine
from trove.guestagent.host import Host
from trove.guestagent.places import Places
from trove.rpc.messages import ArchiveOrder, PartShown, SegmentShown
from trove.storage import archives, pipeline

LOG = logging.getLogger(__name__)

MIB = 1024 * 1024
LARGEST = 512 * MIB
"""Bytes of log in a segment, unless one file has more."""
SEGMENTS, PARTS = 32, 256
"""That are not counted, at the most: a guest's message has an end."""
EACH = LARGEST // pipeline.PART + 1
"""Parts of a segment."""
PATIENCE = 30.0
"""Seconds that a part is tried for: the next round tries again, with all there is."""
WITHIN = 3600
"""Seconds of a round."""
SHARE, FREE = 20, 512 * MIB
"""What must stay free on the volume: one in so many bytes of it, or so many."""


@dataclasses.dataclass(slots=True)
class Round:
    """One round. ``save`` writes down how far it is; ``put`` brings a part."""

    host: Host
    tool: Archive
    progress: Progress
    key: bytes = dataclasses.field(repr=False)
    put: pipeline.Put
    save: typing.Callable[[Progress], None]
    volume: str
    clock: typing.Callable[[], float] = time.time
    _turn: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def go(self, counted: int) -> None:
        """``counted``: so many segments are in the store. What is lost ends it all."""
        if self.progress.broken is not None:
            return
        try:
            self._let_go(counted)
            self._hold()
            self._bring()
        except Lost as lost:
            LOG.error("%s", lost.message)
            self.tool.let_go()
            # what was brought before it is whole, and may not have been counted yet
            self._note(broken=lost.message[:500], want=None)

    def _let_go(self, counted: int) -> None:
        """What is counted is in the store, and is held no more."""
        if counted > self.progress.number:
            raise Lost(why="the guest knows less than was brought already")
        done = [each for each in self.progress.segments if each.number < counted]
        if done:
            self.tool.release(done[-1].last)
            rest = self.progress.segments[len(done) :]
            self._note(segments=rest)

    def _hold(self) -> None:
        before = self.progress.place
        place = self.tool.hold(before)
        if before is None:
            known = self.tool.known(place)
            self._note(place=place, known=known, until=self.clock())
        else:
            self._goes_on()

    def _goes_on(self) -> None:
        """The log is still the one that was held: a number alone does not say so."""
        known = self.tool.known(self._place)
        if self.progress.known not in ("", known):
            raise Lost(why="the log was begun anew")

    def _bring(self) -> None:
        """What an earlier round could not bring comes first: while nobody takes it, no
        cut makes more of it (a whole segment each, of PostgreSQL's)."""
        if self.progress.waiting and not self._left_over():
            return
        now = max(self.clock(), self.progress.until)
        self.tool.cut()
        files = self.tool.ready(self._place)
        self._waits(sum(file.size for file in files))
        self._pieces(files, now)

    def _left_over(self) -> bool:
        """Whether all of it is brought."""
        files = self.tool.ready(self._place)
        self._waits(self.tool.behind(self._place))
        return self._pieces(files, self.progress.until)

    def _pieces(self, files: list[LogFile], now: float) -> bool:
        """All that was written before ``now`` is in the files; whether they all are
        brought."""
        for piece in pieces(files):
            if not self._room():
                return False
            # only with the last of them all is there that was written before now
            until = now if piece[-1] == files[-1] else self.progress.until
            self._segment(piece, until)
        return True

    @property
    def _place(self) -> int:
        return typing.cast(int, self.progress.place)

    def _waits(self, waiting: int) -> None:
        self._note(waiting=waiting)
        self._guard(waiting)

    def _room(self) -> bool:
        parts = sum(len(each.parts) for each in self.progress.segments)
        return len(self.progress.segments) < SEGMENTS and parts + EACH <= PARTS

    def _guard(self, waiting: int) -> None:
        """A log that nobody takes must not fill the volume of who writes it."""
        found = os.statvfs(self.volume)
        least = max(found.f_blocks * found.f_frsize // SHARE, FREE)
        free = found.f_bavail * found.f_frsize
        if free < least and waiting > least // 4:
            why = f"{waiting // MIB} MiB of it wait, and {free // MIB} MiB are free"
            raise Lost(why=why)

    def _segment(self, piece: list[LogFile], until: float) -> None:
        progress = self.progress
        about = archives.about(progress.archive, progress.number)
        stages = (*self.tool.stages(piece), PRESS)
        with self.host.reading(*stages, within=ENDS) as stream:
            sent = pipeline.send(stream, self.key, about, self._part(progress.part))
        if len(sent.parts) > PARTS:
            raise Lost(why="a file of it is larger than can be told of")
        parts = tuple(PartShown(p.size, p.sha256, p.md5) for p in sent.parts)
        first, last = piece[0].place, piece[-1].place
        known = self.tool.known(last)
        # after all else was looked at: what was read is of that log, and so is the next
        self._goes_on()
        shown = SegmentShown(
            *(progress.number, progress.part, parts, first, last),
            *(progress.until, until),
        )
        self._note(
            number=progress.number + 1,
            place=last,
            known=known,
            until=until,
            segments=(*progress.segments, shown),
            waiting=(self.progress.waiting or 0) - sum(file.size for file in piece),
        )

    def _part(self, first: int) -> pipeline.Put:
        """Brings those of a segment, whose own begin with number ``first``."""

        def put(number: int, /, *pieces: bytes) -> None:
            with self._turn:
                if first + number >= self.progress.part:
                    self._note(part=first + number + 1)
            self.put(first + number, *pieces)

        return put

    def _note(self, **fields: typing.Any) -> None:
        self.progress = dataclasses.replace(self.progress, **fields)
        self.save(self.progress)


def pieces(files: typing.Sequence[LogFile]) -> typing.Iterator[list[LogFile]]:
    """In their order, as many together as a segment may have."""
    piece: list[LogFile] = []
    for file in files:
        if piece and sum(one.size for one in piece) + file.size > LARGEST:
            yield piece
            piece = []
        piece.append(file)
    if piece:
        yield piece


def begun(shelf: Shelf, order: ArchiveOrder) -> Progress:
    """How far an archive is, which may be its beginning."""
    found = shelf.progress()
    if found is not None and found.archive == order.archive:
        return found
    return Progress(order.archive)


def carry_out(places: Places, host: Host) -> None:
    """A round of what is ordered; where nothing is any more, the engine lets go."""
    shelf = Shelf(places)
    with only_one(shelf.lock), at_most(WITHIN):
        guest, course = state.load_guest(places), state.load_course(places)
        order = shelf.order()
        if not (course.prepared and course.run):
            return
        tool = load_engine(guest.agent, host).archive()
        if order is None:
            tool.let_go()
            shelf.forget()
            return
        _round(places, host, shelf, order, tool, guest.data)


def _round(
    places: Places,
    host: Host,
    shelf: Shelf,
    order: ArchiveOrder,
    tool: Archive,
    volume: str,
) -> None:
    unseal = accounts.unsealer(lambda: identity.load(places).private_key)
    secret = unseal(order.sealed)
    own = [grants.Grant.of(dict(each)) for each in secret["grants"]]
    wanted = Wanted(begun(shelf, order), shelf)
    carrier = grants.Grants(
        *(shelf.granted(order.archive), newest(unseal), wanted.wants, PATIENCE),
        own=own,
    )
    try:
        key = bytes.fromhex(str(secret["key"]))
        made = Round(
            *(host, tool, wanted.progress, key, carrier.put, wanted.save, volume)
        )
        try:
            made.go(order.counted)
        except grants.NotGranted as missing:
            LOG.warning("%s", missing.message)
    finally:
        carrier.close()
    end = max((each.end for each in own), default=0)
    if wanted.progress.broken is None and end < wanted.progress.part + grants.LEFT:
        wanted.wants(max(end, wanted.progress.part))


def newest(unseal: grants.Unseal) -> grants.Unseal:
    """Of an order, what it lets parts be brought by."""
    return lambda sealed: dict(unseal(sealed)["grants"][-1])


class Wanted:
    """How far it is, with what is to be granted next; several threads say it."""

    def __init__(self, progress: Progress, shelf: Shelf) -> None:
        self.progress, self._shelf = progress, shelf
        self._turn = threading.Lock()
        self._want: int | None = None

    def save(self, progress: Progress) -> None:
        """Written down, with what is wanted."""
        with self._turn:
            self._save(progress)

    def wants(self, number: int | None) -> None:
        """Nothing is granted for this part; None: all that is needed is."""
        with self._turn:
            if number != self._want:
                self._want = number
                self._save(self.progress)

    def _save(self, progress: Progress) -> None:
        self.progress = dataclasses.replace(progress, want=self._want)
        self._shelf.save(self.progress)


def main(words: typing.Sequence[str] | None = None) -> int:
    """The process."""
    alone()
    state_directory, etc = words if words is not None else sys.argv[1:]
    try:
        carry_out(
            Places(state=pathlib.Path(state_directory), etc=pathlib.Path(etc)), Host()
        )
    except (errors.TroveError, OSError) as error:
        why = error.message if isinstance(error, errors.TroveError) else error.strerror
        LOG.warning("the next round tries again: %s", why)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
