# SPDX-License-Identifier: Apache-2.0
"""Verifications: backups that are restored on a server that is thrown away.

Which backups are is an instance's policy to say: every one, so many a week, or none. A
week has as many turns as it may have verifications, and of each turn the first backup
is chosen: so they are spread, and none drifts.
"""

import enum
import math

OWNER = "service:verification"
"""The project of the servers that backups are restored on: ours, and nobody's in
Keystone, whose projects' ids have no colon. Its quota of instances is how many may be
there at once."""

EVERY, NEVER = -1, 0
"""How often, where it is no number of a week's."""
SAID = {"every": EVERY, "never": NEVER}
MOST = 7 * 24
WORDS = r"every|never|[1-9][0-9]?|1[0-5][0-9]|16[0-8]"
"""How that is written: a pattern."""
WEEK = 7 * 86400.0
MINUTE = 60.0


class Verification(enum.StrEnum):
    """How the last verification of a backup stands, as users are told."""

    WAITING = "WAITING"  # for there to be a place
    RUNNING = "RUNNING"
    VERIFIED = "VERIFIED"
    FAILED = "FAILED"  # it does not restore, or what it restores is sick
    UNKNOWN = "UNKNOWN"  # it could not be tried


UNDER_WAY = (Verification.WAITING, Verification.RUNNING)


def often(said: str) -> int:
    """What is written so."""
    return SAID[said] if said in SAID else int(said)


def written(often: int) -> str | int:
    """How it is written."""
    return {EVERY: "every", NEVER: "never"}.get(often, often)


def chosen(often: int, window: int, last: float | None, begun: float) -> bool:
    """Whether a backup that was begun at this moment is verified.

    ``often`` is of a week, ``window`` the minute of the day that its turns begin with;
    ``last`` is when the last one was begun that was chosen, None: there was none.
    """
    if often in (EVERY, NEVER):
        return often == EVERY
    return last is None or _turn(often, window, begun) > _turn(often, window, last)


def _turn(often: int, window: int, moment: float) -> int:
    return math.floor((moment - window * MINUTE) * often / WEEK)
