# SPDX-License-Identifier: Apache-2.0
"""How often a guest is listened to: a bucket of tokens each, so none drowns the others.

What a guest says too often is dropped, unread and counted. It costs nobody anything
that it is lost: a heartbeat is followed by the next, and holds what a job came to.
To drop is dear all the same (a guest sends quicker than it is read), so who goes on is
noted, and the conductor shuts it out of the broker (``conductor/curb.py``).
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

FLOOD = 100
"""So many dropped of one guest in a row of ``WINDOW`` seconds are a flood."""
WINDOW = 10.0
LASTING, SOME = 3.0, 10
"""And fewer, when they are large: this many, over this many seconds."""
REFUSED, WITHIN = 40, 30.0
"""And so many that are too large, or no messages, in so many seconds: those cost most.
"""

_GUEST_USER = re.compile(r"guest-[0-9A-Za-z_-]{1,64}")


@dataclasses.dataclass(slots=True)
class Bucket:
    """One guest's: what it may still say, as of a moment."""

    tokens: float
    at: float
    dropped: int = 0
    told_at: float | None = None
    window_at: float = 0.0
    in_window: int = 0

    def floods(self) -> bool:
        """One more was dropped: is this no burst any more?"""
        if not self.in_window or self.at - self.window_at > WINDOW:
            self.window_at, self.in_window = self.at, 0
        self.in_window += 1
        lasted = self.at - self.window_at
        return self.in_window >= FLOOD or (lasted >= LASTING and self.in_window >= SOME)


class Floods:
    """Users of the broker that go on over their rate, until somebody asks for them."""

    def __init__(self, clock: typing.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._refused: collections.Counter[str] = collections.Counter()
        self._since = 0.0

    def refused(self, sender: object) -> None:
        """A message of this one was none: no agent of ours ever sends that."""
        if not isinstance(sender, str) or not _GUEST_USER.fullmatch(sender):
            return
        with self._lock:
            if self._clock() - self._since > WITHIN:
                self._refused.clear()
                self._since = self._clock()
            self._refused[sender] += 1
            if self._refused[sender] == REFUSED:
                self._seen.add(sender)

    def note(self, sender: str) -> None:
        """This one does not stop."""
        with self._lock:
            self._seen.add(sender)

    def take(self) -> list[str]:
        """Who was noted since this was asked last."""
        with self._lock:
            seen, self._seen = self._seen, set()
        return sorted(seen)


FLOODS = Floods()
"""Of this process: oslo.messaging makes the buckets, and nobody else sees them."""


class Rates:
    """The buckets of a process; ``each_second`` 0 listens to everything."""

    def __init__(
        self,
        each_second: float = EACH_SECOND,
        burst: float = BURST,
        clock: typing.Callable[[], float] = time.monotonic,
        floods: Floods = FLOODS,
    ) -> None:
        self._rate, self._burst, self._clock = each_second, burst, clock
        self._floods = floods
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
        if bucket.floods():
            self._floods.note(sender)
            bucket.in_window = 0
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
