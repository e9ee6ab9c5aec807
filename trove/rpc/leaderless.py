# SPDX-License-Identifier: Apache-2.0
"""Guests' queues that a broker's crash left without a leader are taken away.

A quorum queue that was being declared when its broker was killed can come back as one
that exists and elects nobody: what is sent to it is never confirmed, who consumes from
it waits, and declaring it again changes nothing. It holds no message. Without it the
guest's next connection declares a new one.

Nobody lists all queues for that: whoever sends, or waits, in vain names the guest, and
the broker is asked for that guest's alone.
"""

import logging
import re
import threading
import time
import typing

from trove import errors

LOG = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks, in memory, at who is suspected."""
GRACE = 25.0
"""Seconds that a queue must have been seen without one. The broker tells of a new one's
leader with its first statistics, after up to 5; when hundreds are declared at once on
two processors, after 12 and more (measured)."""

_QUEUE = re.compile(
    r"(?:guestagent\.|reply_guest-)([0-9A-Za-z_-]{1,64})(?:[.:][0-9A-Za-z_.:-]*)?"
)


class Suspects:
    """Instances whose guests may have such a queue, until somebody asks for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: set[str] = set()

    def queue(self, name: object) -> None:
        """What was sent to this queue was not confirmed in time."""
        found = _QUEUE.fullmatch(name) if isinstance(name, str) else None
        if found is not None:
            self.note(found[1])

    def note(self, instance: str) -> None:
        """This one's guest is waited for in vain."""
        with self._lock:
            self._noted.add(instance)

    def take(self) -> list[str]:
        """Who was noted since this was asked last."""
        with self._lock:
            noted, self._noted = self._noted, set()
        return sorted(noted)


SUSPECTS = Suspects()
"""Of this process: those who send and those who mend know nothing of each other."""


class Queues(typing.Protocol):
    """What is needed of the broker (``rpc/broker.py``)."""

    def leaderless(self, instance: str) -> list[str]: ...

    def remove_queue(self, name: str) -> None: ...


class Mender:
    """``round`` is one look; a taskmanager and a conductor take one each ``EVERY``."""

    def __init__(
        self,
        broker: Queues,
        suspects: Suspects = SUSPECTS,
        *,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker, self._suspects, self._clock = broker, suspects, clock
        self._since: dict[str, float] = {}

    def round(self) -> None:
        """Takes away what has been without a leader for ``GRACE``."""
        named = self._suspects.take()
        seen: dict[str, float] = {}
        try:
            for instance in named:
                for queue in self._look(instance):
                    seen[queue] = self._since.get(queue, self._clock())
        except errors.TroveError:
            for instance in named:  # they are looked at again
                self._suspects.note(instance)
            raise
        self._since = seen

    def _look(self, instance: str) -> list[str]:
        """Those of this guest's that are to be looked at again."""
        left = []
        for queue in self._broker.leaderless(instance):
            if self._clock() - self._since.get(queue, self._clock()) < GRACE:
                left.append(queue)
                self._suspects.note(instance)
            else:
                self._broker.remove_queue(queue)
                LOG.warning(
                    "instance %s: the queue %s had no leader and was taken away; the "
                    "guest declares it again",
                    instance,
                    queue,
                )
        return left
