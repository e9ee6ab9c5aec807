# SPDX-License-Identifier: Apache-2.0
"""Flavors: the cloud's, believed for a minute so that lists cost no call."""

import threading
import time
from collections.abc import Callable

from trove import errors
from trove.cloud.protocol import Compute, Flavor


class Flavors:
    """The cloud's flavors, by id, as they were at most ``believed`` seconds ago."""

    def __init__(
        self,
        compute: Compute,
        believed: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._believed = believed
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Flavor] = {}
        self._read_at: float | None = None

    def all(self) -> list[Flavor]:
        """Every flavor, smallest first."""
        known = self._current().values()
        return sorted(known, key=lambda flavor: (flavor.ram, flavor.vcpus, flavor.id))

    def find(self, id: str) -> Flavor:
        """Raises ``errors.FlavorNotFound``. One made a moment ago is found too."""
        known = self._current().get(id)
        if known is None:
            known = self._compute.flavor(id)
            with self._lock:
                self._known[id] = known
        return known

    def _current(self) -> dict[str, Flavor]:
        now = self._clock()
        if self._read_at is None or now - self._read_at > self._believed:
            # two requests at once may both ask: that costs one call, a lock a queue
            found = {flavor.id: flavor for flavor in self._compute.flavors()}
            with self._lock:
                self._known, self._read_at = found, now
        return dict(self._known)


def id_of(reference: str | int) -> str:
    """A flavor's id from what a client sends: an id, a number, or a link."""
    id = str(reference).rstrip("/").rpartition("/")[2]
    if not id:
        raise errors.Invalid("The flavorRef names no flavor.")
    return id
