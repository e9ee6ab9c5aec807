# SPDX-License-Identifier: Apache-2.0
"""Schedules: when a backup of an instance is due, of which kind, and which are over.

The days of a plan begin at its window, the same minute of each day (UTC). A full backup
is due when so many of these days have begun since the last one; an increment, when a
turn has begun in which nothing was made: the turns of a day begin with it, so that none
drifts. What was missed is late, not many: it is made once.
"""

import dataclasses
import enum
import math
import typing

from trove.model import backups
from trove.model.backups import BackupState, Link

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

FULL_EVERY = 1
INCREMENT_EVERY = 6
KEEP_DAYS = 7

AGAIN = 10 * MINUTE
"""After which an instance that could not be backed up is asked again."""
AFTER_FAULT = HOUR
"""After which another backup is tried when one failed; twice as long each time."""


class Due(enum.StrEnum):
    """What is to be made."""

    FULL = "full"
    INCREMENT = "increment"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """``window`` is a minute of the day, ``full_every`` and ``keep_days`` are days and
    ``increment_every`` hours; None: no increments."""

    window: int
    full_every: int = FULL_EVERY
    increment_every: int | None = INCREMENT_EVERY
    keep_days: int = KEEP_DAYS


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """When the last ones were begun that are whole, or may yet be; None: never.

    ``based``: whether the transaction log that is brought, if it is, can be replayed
    after one of them.
    """

    full: float | None = None
    increment: float | None = None
    based: bool = True

    def and_now(self, due: Due, now: float) -> "Made":
        """The same, and another one."""
        if due == Due.FULL:
            return dataclasses.replace(self, full=now, based=True)
        return dataclasses.replace(self, increment=now)


def due(plan: Plan, made: Made, now: float) -> Due | None:
    """What is due at this moment."""
    if made.full is None or not made.based:
        return Due.FULL
    if _day(plan, now) - _day(plan, made.full) >= plan.full_every:
        return Due.FULL
    if plan.increment_every is None:
        return None
    last = max(made.full, made.increment or made.full)
    return Due.INCREMENT if _turn(plan, now) > _turn(plan, last) else None


def following(plan: Plan, made: Made, now: float) -> float:
    """The first moment after this one at which the plan has something due.

    What is late already waits for the next turn: a change of a plan begins nothing.
    """
    today = _day(plan, now)
    day = today + 1
    if made.full is not None:
        day = max(day, _day(plan, made.full) + plan.full_every)
    if plan.increment_every is None:
        return _begin(plan, day)
    _, turn = _turn(plan, now)
    increment = _begin(plan, today) + (turn + 1) * plan.increment_every * HOUR
    return min(increment, _begin(plan, today + 1))


def again(faults: int, now: float) -> float:
    """When another is tried of which so many have failed one after the other.

    While one is made its instance takes no other order: what fails for good (an agent
    that is too old) must not do so each hour.
    """
    return now + math.ldexp(AFTER_FAULT, min(faults - 1, 10))


def _day(plan: Plan, moment: float) -> int:
    return math.floor((moment - plan.window * MINUTE) / DAY)


def _begin(plan: Plan, day: int) -> float:
    return day * DAY + plan.window * MINUTE


def _turn(plan: Plan, moment: float) -> tuple[int, int]:
    """The day, and which of its turns."""
    day = _day(plan, moment)
    length = (plan.increment_every or 24) * HOUR
    return day, int((moment - _begin(plan, day)) // length)


# -- what is over -------------------------------------------------------------------


def over(
    links: typing.Iterable[Link],
    scheduled: typing.Container[str],
    since: float,
    gone: float | None = None,
) -> list[list[Link]]:
    """The trees that may go, oldest first: none with a link that a user made.

    ``gone``: when the instance was deleted. Its last backups are kept as long as any,
    from that moment on. One that failed goes as soon as there is another after it.
    """
    known = list(links)
    if gone is not None and gone <= since:
        trees = [t for t in backups.trees(known) if not any(map(_goes_on, t))]
    else:
        trees = backups.over(known, since)
    taken = [tree for tree in trees if all(link.id in scheduled for link in tree)]
    ids = {link.id for tree in taken for link in tree}
    return taken + [[link] for link in _failed(known, scheduled) if link.id not in ids]


def _failed(known: list[Link], scheduled: typing.Container[str]) -> list[Link]:
    """Those that restore nothing, and are not the last word of why."""
    mine = sorted((x for x in known if x.id in scheduled), key=_age)
    parents = {link.parent for link in known}
    return [
        link
        for link in mine[:-1]
        if link.state == BackupState.FAILED and link.id not in parents
    ]


def _age(link: Link) -> tuple[float, str]:
    return link.ended, link.id


def _goes_on(link: Link) -> bool:
    return link.state in backups.RUNNING
