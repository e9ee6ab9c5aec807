# SPDX-License-Identifier: Apache-2.0
"""When a guest is sent the order of its archive again, and what it is granted by it.

What is counted is told at once, for the engine holds the log until then. Requests are
renewed before they end. Else an order is said again to a guest that is silent, less and
less often: an agent of an older release never says a word. A guest goes by the last
order alone, so each grants all that may be in use.
"""

from trove.db.tables import Archive
from trove.rpc.messages import ArchiveReport

TOGETHER = 64
"""Requests that are granted at once."""
BEFORE = 16
"""How many of them are of what was granted before, where a guest wants more."""
SECONDS = 1800
"""How long each is good."""
RENEWED = 600.0
"""Seconds before their end after which others are granted."""
HEARD = 15.0
"""Seconds after an order after which a guest that had it would not say that it has
not."""
SILENT, SELDOM = 60.0, 3600.0
"""Seconds of silence after which the order is said again, at first and at the most."""


def due(row: Archive, report: ArchiveReport | None, now: float) -> bool:
    """Whether its guest is to be sent the order, though nothing new is counted."""
    spoken = row.reported_at or row.created
    if row.ordered_at is None or _silent(row.ordered_at, spoken, now):
        return True
    if report is None or spoken <= row.ordered_at:
        return False
    if row.granted_until is None or row.granted_until - now < RENEWED:
        return True
    known = [one.number for one in report.segments]
    behind = bool(known) and known[0] < row.segments
    wants = report.want is not None
    more = report.want is not None and report.want >= row.granted
    return more or ((wants or behind) and spoken > row.ordered_at + HEARD)


def window(row: Archive, report: ArchiveReport | None) -> int:
    """The first part that is granted: what may be in use, and no further back than what
    was granted last; or what is wanted, and a little before it."""
    if report is not None and report.want is not None:
        return max(0, report.want - BEFORE)
    ends = [one.part + len(one.parts) for one in report.segments] if report else []
    return max(row.part, row.granted - TOGETHER, *ends)


def _silent(ordered: float, spoken: float, now: float) -> bool:
    pause = min(SELDOM, max(SILENT, ordered - spoken))
    return now - max(ordered, spoken) > pause
