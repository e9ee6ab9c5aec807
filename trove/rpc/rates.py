# SPDX-License-Identifier: Apache-2.0
"""How often a guest is listened to: a bucket of tokens each, so none drowns the others.

What a guest says too often is dropped, unread and counted. It costs nobody anything
that it is lost: a heartbeat is followed by the next, and holds what a job came to.
"""

import collections
import dataclasses
import logging
import re
import threading
import time
import typing

LOG = logging.getLogger(__name__)

EACH_SECOND = 10.0
BURST = 50.0
"""What a guest may say at once after a silence: its jobs, told after a broken line."""
TOLD_EVERY = 60.0
"""Seconds between two lines of the log about the same guest."""
ROOM = 4096
"""Buckets kept before those that are full again are thrown away."""

_GUEST_USER = re.compile(r"guest-[0-9A-Za-z_-]{1,64}")


@dataclasses.dataclass(slots=True)
class Bucket:
    """One guest's: what it may still say, as of a moment."""

    tokens: float
    at: float
    dropped: int = 0
    told_at: float | None = None


class Rates:
    """The buckets of a process; ``each_second`` 0 listens to everything."""

    def __init__(
        self,
        each_second: float = EACH_SECOND,
        burst: float = BURST,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._clock = each_second, burst, clock
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        self._room = ROOM
        self.dropped: collections.Counter[str] = collections.Counter()
        """Messages of each guest that were dropped, since the process began."""

    def allow(self, sender: object) -> bool:
        """May this one be read? ``sender`` is the user that the broker vouches for.

        Anybody but a guest may say what it likes: it is the control plane.
        """
        if not self._rate or not isinstance(sender, str):
            return True
        if not _GUEST_USER.fullmatch(sender):
            return True
        with self._lock:
            bucket = self._filled(sender, self._clock())
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return True
            self._drop(sender, bucket)
            return False

    def _filled(self, sender: str, now: float) -> Bucket:
        bucket = self._buckets.get(sender)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[sender] = Bucket(self._burst, now)
        gained = (now - bucket.at) * self._rate
        bucket.tokens = min(self._burst, bucket.tokens + gained)
        bucket.at = now
        return bucket

    def _drop(self, sender: str, bucket: Bucket) -> None:
        self.dropped[sender] += 1
        bucket.dropped += 1
        if bucket.told_at is None or bucket.at - bucket.told_at >= TOLD_EVERY:
            LOG.warning(
                "%s says more than %g messages a second: dropped %s, and what follows",
                sender,
                self._rate,
                bucket.dropped,
            )
            bucket.told_at, bucket.dropped = bucket.at, 0

    def _make_room(self, now: float) -> None:
        """A bucket that is full again, and has nothing to tell, is as good as none."""
        if len(self._buckets) < self._room:
            return
        quiet = max(TOLD_EVERY, self._burst / self._rate)
        for name in [n for n, b in self._buckets.items() if now - b.at > quiet]:
            del self._buckets[name]
            del self.dropped[name]
        # A crowd of live guests is not gone through again for each newcomer.
        self._room = max(ROOM, 2 * len(self._buckets))
