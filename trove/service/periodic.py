# SPDX-License-Identifier: Apache-2.0
"""Periodic calls: jittered, never overlapping, never ended by an error.

The next call is timed from the end of the last, so a slow call delays the next and
cannot run beside it. The jitter keeps ten taskmanagers from asking all at once.
"""

import logging
import random
import threading
import typing

from trove import errors

LOG = logging.getLogger(__name__)


class Periodic:
    """A part that calls ``work`` about every ``every`` seconds."""

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
        self._name = name
        self._work = work
        self._every = every
        self._jitter = jitter
        self._at_once = at_once
        self._pick = pick
        self._stopping = threading.Event()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """The first call comes after a part of the interval, or at once."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Waits for the call that is under way."""
        self._stopping.set()
        self._rung.set()
        if self._thread is None:
            return True
        self._thread.join(within)
        return not self._thread.is_alive()

    def alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread is not None and self._thread.is_alive()

    def ring(self) -> None:
        """Call as soon as the call under way, if any, has ended."""
        self._rung.set()

    def pause(self, first: bool) -> float:
        """Seconds until the next call."""
        if first:
            return 0.0 if self._at_once else self._pick(0.0, self._every)
        spread = self._every * self._jitter
        return self._pick(self._every - spread, self._every + spread)

    def _run(self) -> None:
        first = True
        while True:
            self._rung.wait(self.pause(first))
            first = False
            if self._stopping.is_set():
                return
            self._rung.clear()
            try:
                self._work()
            except errors.Unavailable as error:
                # Who is away is known; where we asked says no more.
                LOG.warning("%s failed; it is tried again: %s", self._name, error)
            except Exception:  # the next call may succeed
                LOG.exception("%s failed; it is tried again", self._name)
