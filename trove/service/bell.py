# SPDX-License-Identifier: Apache-2.0
"""A bell: a taskmanager is told of new work by a thread that nobody waits for.

The work is in the database before the bell rings, and a bell that nobody hears costs
one poll. So a broker that is slow, away or hung must not keep whoever has work to tell
of: a user's request, or a guest's report.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)

MOST = 1000
"""Rings that wait; more than a taskmanager could use after the broker was away."""


class Bell:
    """Rings ``ring(operation id)``, in order, as soon as may be."""

    def __init__(self, ring: Callable[[str], object], most: int = MOST) -> None:
        self._ring, self._most = ring, most
        self._lock = threading.Lock()
        self._process = 0
        self._waiting: queue.Queue[str] = queue.Queue(most)

    def __call__(self, operation: str) -> None:
        """Returns at once, and never fails."""
        self._ready()
        try:
            self._waiting.put_nowait(operation)
        except queue.Full:
            LOG.warning("operation %s: nobody was told: the bell is busy", operation)

    def _ready(self) -> None:
        """In this process: a server forks after the application was loaded."""
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():
                self._waiting = queue.Queue(self._most)
                threading.Thread(target=self._work, name="bell", daemon=True).start()
                self._process = os.getpid()

    def _work(self) -> None:
        waiting = self._waiting
        while True:
            operation = waiting.get()
            try:
                self._ring(operation)
            except Exception as error:  # the work is accepted, whatever a bus raises
                LOG.warning("operation %s: nobody was told: %s", operation, error)
