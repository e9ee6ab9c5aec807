# SPDX-License-Identifier: Apache-2.0
"""Periodic calls: jittered, never overlapping, never ended by an error.

The next call is timed from the end of the last, so a slow call delays the next and
cannot run beside it. The jitter keeps ten taskmanagers from asking all at once.
"""

import logging
import random
import typing

from trove import errors
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)


class Periodic(Looping):
    """A part that calls ``work`` about every ``every`` seconds."""

    patience = None  # the call under way is waited for

    def __init__(
        self,
        name: str,
        work: typing.Callable[[], object],
        every: float,
        *,
        jitter: float = 0.2,
        at_once: bool = False,
        pick: typing.Callable[[float, float], float] = random.uniform,
    ) -> None:
        super().__init__()
        self.name = name
        self._work = work
        self._every = every
        self._jitter = jitter
        self._at_once = at_once
        self._pick = pick

    def start(self) -> None:
        """The first call comes after a part of the interval, or at once."""
        self._pause = self.pause(first=True)
        super().start()

    def pause(self, first: bool) -> float:
        """Seconds until the next call."""
        if first:
            return 0.0 if self._at_once else self._pick(0.0, self._every)
        spread = self._every * self._jitter
        return self._pick(self._every - spread, self._every + spread)

    def look(self) -> float:
        """One call; seconds until the next."""
        try:
            self._work()
        except errors.Unavailable as error:
            # Who is away is known; where we asked says no more.
            LOG.warning("%s failed; it is tried again: %s", self.name, error)
        except Exception:  # the next call may succeed
            LOG.exception("%s failed; it is tried again", self.name)
        return self.pause(first=False)
