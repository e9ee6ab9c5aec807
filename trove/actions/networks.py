# SPDX-License-Identifier: Apache-2.0
"""Networks that the service may use: believed for half a minute once they were seen."""

import threading
import time
from collections.abc import Callable

from trove.cloud.protocol import Networking

BELIEVED = 30.0
"""Seconds. A create whose network goes within them ends in an error of its port."""

MOST = 1000
"""Of what is remembered: a deployment's networks may be many."""


class Usable:
    """Whether the service may see a network. Who asks is looked at elsewhere, each
    time, with his own token."""

    def __init__(
        self, network: Networking, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._network, self._clock = network, clock
        self._lock = threading.Lock()
        self._known: dict[str, float] = {}

    def __call__(self, id: str) -> bool:
        """Only what is there is believed: one that comes is found at once."""
        with self._lock:
            known = self._known.get(id)
        if known is not None and self._clock() - known < BELIEVED:
            return True
        if self._network.network(id) is None:
            return False
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[id] = self._clock()
        return True
