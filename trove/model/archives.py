# SPDX-License-Identifier: Apache-2.0
"""Archives of transaction logs: their states, and the moments that can be restored.

An archive has no hole: where a piece is lost it ends, and another one begins. So any
moment from the first backup in it until the last piece that is counted can be restored,
and none between two archives.
"""

import enum
import math
import typing

AHEAD = 60.0
"""Seconds by which a guest's clock may be before ours."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

AGAIN = 10 * MINUTE
"""After the second gap of a day another archive begins so much later, twice as long
each time; after the first one, at once."""
MOST_AGAIN = 6 * HOUR


class ArchiveState(enum.StrEnum):
    """Where an archive is."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    DELETING = "DELETING"


class Span(typing.NamedTuple):
    """Moments that can be restored, both ends too, from an archive; seconds since the
    epoch."""

    begin: float
    end: float
    archive: str = ""

    def has(self, moment: float) -> bool:
        """Whether that moment is one of them."""
        return self.begin <= moment <= self.end

    @property
    def seconds(self) -> "Span | None":
        """The whole seconds in it, as they are shown; None: it has none."""
        begin, end = math.ceil(self.begin), math.floor(self.end)
        return Span(begin, end, self.archive) if begin <= end else None


class Base(typing.NamedTuple):
    """A backup that a replay may begin at: its log goes on in ``place``, and all that
    was committed before ``moment`` is in it."""

    id: str
    place: int
    moment: float


def base(bases: typing.Iterable[Base], moment: float | None) -> Base | None:
    """The one that the least is replayed after; ``moment`` None: the oldest, for who
    does not know where in the log his point is."""
    known = [one for one in bases if moment is None or one.moment <= moment]
    best = min if moment is None else max
    return best(known, key=lambda one: (one.moment, one.place, one.id), default=None)


def kept_from(bases: typing.Iterable[Base], since: float) -> int | None:
    """The first place that is needed for every moment after ``since``: where the last
    base before it begins, or else the first; None: there is no base."""
    known = list(bases)
    found = base(known, since) or base(known, None)
    return None if found is None else found.place


def pause(gaps: int) -> float:
    """Seconds until another archive begins, after so many gaps in a day.

    Each costs a full backup: what breaks an archive for good (a volume that is full)
    must not do so each minute.
    """
    if gaps < 2:
        return 0.0
    return min(MOST_AGAIN, math.ldexp(AGAIN, min(gaps - 2, 10)))
