# SPDX-License-Identifier: Apache-2.0
"""The transaction log that a restore goes on with: its segments, and the list of them.

The list is an object beside the segments, for this one restore. What is in it was read
in the control database; who restores is told its SHA-256 in his order, and with it that
of every part.
"""

import bisect
import contextlib
import dataclasses
import itertools
import logging
import typing

from trove import errors
from trove.db.queries import archives, segments
from trove.db.tables import Archive, ArchiveSegment, Backup
from trove.flows import granting
from trove.flows.context import StepContext, passing
from trove.model.operations import Replay
from trove.rpc.messages import PartShown, ReplayOrder, SegmentShown
from trove.storage import archives as lists
from trove.storage import manifest
from trove.storage.vault.protocol import LIST, Signed

LOG = logging.getLogger(__name__)

ATTEMPT = 1
"""How the parts of an archive are called."""
PATIENT = 5
"""How often a store that is away is asked to take the list back."""
Said = dict[str, typing.Any]


class NoLog(errors.Upstream):
    """What is to be replayed is not all there."""

    sentence = "The transaction log cannot be replayed: {why}."


def archive(ctx: StepContext, wish: Replay) -> Archive:
    """The row; raises ``NoLog`` where it is gone."""
    with ctx.claim.database.reading() as tx:
        row = archives.get(tx, wish.archive)
    if row is None:
        raise NoLog(why="its archive is gone")
    return row


def write(ctx: StepContext, wish: Replay, base: Backup, parts: int) -> Said:
    """The list is in the store: where the log goes on behind the backup, until what is
    wished. The same again when it is written again: segments never change. ``parts``:
    how many come before those of the log."""
    row = archive(ctx, wish)
    with ctx.claim.database.reading() as tx:
        place = -1 if base.place is None else base.place
        numbers = segments.numbers(tx, row.id, place, wish.until)
        if numbers is None:
            raise NoLog(why="it does not reach that far")
        found = segments.found(tx, row.id, *numbers)
    _check(found, place)
    data = lists.write([_shown(one) for one in found])
    if len(data) > lists.LARGEST:
        raise NoLog(why="it has too many pieces; choose a later moment")
    if sum(one.count for one in found) + parts >= LIST:
        raise NoLog(why="it has too many parts; choose a later moment")
    with granting.vault(ctx, row) as vault:
        vault.put(_name(ctx, row), data)
    return {
        "size": len(data),
        "sha256": manifest.digest(data),
        "first": numbers[0],
        "last": numbers[1],
    }


def forget(ctx: StepContext, wish: Replay) -> None:
    """The list is gone. Nobody waits long for a store that is away: what is left goes
    with the archive."""
    with ctx.claim.database.reading() as tx:
        row = archives.get(tx, wish.archive)
    if row is None:
        return
    try:
        with granting.vault(ctx, row) as vault:
            vault.delete([_name(ctx, row)])
    except errors.Unavailable as away:
        if ctx.operation.attempts < PATIENT:
            raise
        LOG.warning("archive %s: a list of it stays for now: %s", row.id, away)


def played(ctx: StepContext, wish: Replay) -> None:
    """The same, when all went well: then no restore ends for a list that stays."""
    try:
        forget(ctx, wish)
    except errors.LeaseLost:
        raise
    except errors.TroveError as fault:
        if passing(fault) is not None:
            raise
        LOG.warning("archive %s: a list of it stays: %s", wish.archive, fault)


@dataclasses.dataclass(frozen=True, slots=True)
class Replayed:
    """What is replayed: what was asked for, and what was written of it."""

    wish: Replay
    said: Said

    @property
    def order(self) -> ReplayOrder:
        """What the guest is told of it."""
        return ReplayOrder(
            self.wish.archive,
            int(self.said["size"]),
            str(self.said["sha256"]),
            self.wish.until,
            self.wish.point,
        )

    @contextlib.contextmanager
    def signing(
        self, ctx: StepContext
    ) -> typing.Iterator[typing.Callable[[int], Signed | None]]:
        """Signs by number: ``LIST`` is the list, and the parts of all the segments have
        numbers in one row; None for any other."""
        row = archive(ctx, self.wish)
        with ctx.claim.database.reading() as tx:
            numbers = int(self.said["first"]), int(self.said["last"])
            parts = segments.parts(tx, row.id, *numbers)
        ends = list(itertools.accumulate(count for _, count in parts))
        names = granting.names(row)
        with granting.vault(ctx, row) as vault:

            def sign(number: int) -> Signed | None:
                if number == LIST:
                    return vault.reads(_name(ctx, row), granting.SECONDS)
                at = bisect.bisect_right(ends, number)
                if number > LIST or at == len(parts):
                    return None
                first, count = parts[at]
                part = first + number - (ends[at] - count)
                return vault.reads(names.of(ATTEMPT, part), granting.SECONDS)

            yield sign


def _check(found: list[ArchiveSegment], place: int) -> None:
    """Without a hole, from that place on: what the control database says of itself."""
    if not found or found[0].first > place:
        raise NoLog(why="it does not go back that far")
    for before, after in itertools.pairwise(found):
        if after.first != before.last + 1 or after.number != before.number + 1:
            raise NoLog(why=f"it has a hole behind segment {before.number}")


def _shown(row: ArchiveSegment) -> SegmentShown:
    parts = tuple(PartShown(*part) for part in row.parts)
    places = row.first, row.last
    return SegmentShown(row.number, row.part, parts, *places, row.since, row.until)


def _name(ctx: StepContext, row: Archive) -> str:
    return f"{granting.names(row).prefix}restore-{ctx.operation.id}"
