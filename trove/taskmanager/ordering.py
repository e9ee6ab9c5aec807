# SPDX-License-Identifier: Apache-2.0
"""When a guest is sent the order of its archive again, and what it is granted by it.

What is counted is told at once, for the engine holds the log until then. Requests are
renewed before they end. Else an order is said again to a guest that is silent, less and
less often: an agent of an older release never says a word.
"""

import dataclasses

from trove.db.tables import Archive
from trove.rpc.messages import ArchiveReport
from trove.storage.vault.protocol import LIST

TOGETHER = 64
"""Requests that are granted at once."""
BEFORE = 16
"""How many of them are of what was granted before."""
SECONDS = 1800
"""How long each is good."""
RENEWED = 600.0
"""Seconds before their end after which others are granted."""
HEARD = 15.0
"""Seconds after an order after which a guest that had it would not say that it has
not."""
SILENT, SELDOM = 60.0, 3600.0
"""Seconds of silence after which the order is said again, at first and at the most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """What is sent: with requests from ``first`` on, None: with none."""

    first: int | None

    @property
    def end(self) -> int:
        """The first part that nothing is granted for then."""
        return 0 if self.first is None else min(self.first + TOGETHER, LIST)


def due(row: Archive, report: ArchiveReport | None, now: float) -> Due | None:
    """What its guest is to be sent now, if anything is."""
    spoken = row.reported_at or row.created
    if row.ordered_at is None or _silent(row.ordered_at, spoken, now):
        return Due(_window(row, report))
    unheard = spoken > row.ordered_at + HEARD
    want = report.want if report else None
    if want is not None and (want >= row.granted or unheard):
        return Due(max(0, want - BEFORE))
    ends = row.granted_until is None or row.granted_until - now < RENEWED
    if ends and spoken > row.ordered_at:
        return Due(_window(row, report))
    known = [one.number for one in report.segments] if report else []
    if unheard and known and known[0] < row.segments:
        return Due(None)
    return None


def _silent(ordered: float, spoken: float, now: float) -> bool:
    pause = min(SELDOM, max(SILENT, ordered - spoken))
    return now - max(ordered, spoken) > pause


def _window(row: Archive, report: ArchiveReport | None) -> int:
    """From what may be in use, and no further back than what was granted last."""
    ends = [one.part + len(one.parts) for one in report.segments] if report else []
    return max(row.part, row.granted - TOGETHER, *ends)
