# SPDX-License-Identifier: Apache-2.0
"""The part that has the log brought: a round each so many seconds, and what it said.

A round is a process of its own (``rounds``), for what it needs is not for an agent that
serves to have in its memory. It outlives the agent; a second one waits for it.
"""

import contextlib
import logging
import os
import select
import sys
import time
import typing

from trove import errors
from trove.guestagent import grants
from trove.guestagent.archives import Shelf
from trove.guestagent.host import Host
from trove.guestagent.jobs import INHERITED, SHARE, SYSTEMD
from trove.guestagent.places import Places
from trove.rpc.messages import ArchiveOrder, ArchiveReport
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

IDLE = 3600.0
"""Seconds between two looks where nothing is ordered: an order rings."""
SLICE = 5.0
"""Seconds between two looks at what a round that goes on has written down."""
SOONEST, LATEST = 5, 3600
"""Seconds that an order may ask for between two rounds."""


class Archiving(Looping):
    """``tell`` sends a report (``errors.Unavailable``: it cannot be sent)."""

    name = "archiving"

    def __init__(
        self,
        places: Places,
        host: Host,
        tell: typing.Callable[[ArchiveReport], object],
        *,
        clock: typing.Callable[[], float] = time.monotonic,
        module: str = "trove.guestagent.rounds",
    ) -> None:
        super().__init__()
        self._places, self._host, self._tell = places, host, tell
        self._clock, self._module = clock, module
        self._shelf = Shelf(places)
        self._child: tuple[int, int] | None = None
        self._due = 0.0
        self._ending = self._shelf.order() is None and self._left()

    # -- what is ordered

    def order(self, order: ArchiveOrder) -> None:
        """It goes on from now on; an older one changes nothing."""
        if not self._shelf.take(order):
            return
        if self._child is not None:
            grants.give(self._shelf.granted(order.archive), order.sealed)
        self._ending = False
        self.ring()

    def end(self, archive: str) -> None:
        """No more of it."""
        if self._shelf.end(archive):
            self._ending = True
            self._due = 0.0
            self.ring()

    # -- the part

    def look(self) -> float:
        """A round when it is due; what it wrote down, when it has, or goes on."""
        try:
            return self._look()
        except (errors.TroveError, OSError) as error:
            LOG.warning("no round of the archive: %s", error)
            return SLICE

    def _look(self) -> float:
        order = self._shelf.order()
        if self._child is None:
            if order is None and not self._ending:
                return IDLE
            if (left := self._due - self._clock()) > 0:
                return left
            self._begin(order)
        if not self._ended(SLICE):
            self._say()
            return 0.0
        self._ending = self._ending and self._left()
        self._say()
        return max(0.0, self._due - self._clock())

    def _begin(self, order: ArchiveOrder | None) -> None:
        every = SOONEST if order is None else order.every
        self._due = self._clock() + max(SOONEST, min(every, LATEST))
        words = [sys.executable, "-m", self._module]
        words += [str(self._places.state), str(self._places.etc)]
        if SYSTEMD.is_dir():
            words = [*SHARE, *words]
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        pid = self._host.start(words, env)
        self._child = pid, os.pidfd_open(pid)

    def _ended(self, within: float) -> bool:
        """Whether the round has; it is reaped then."""
        pid, descriptor = typing.cast(tuple[int, int], self._child)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(within * 1000):
            return False
        os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        self._child = None
        return True

    def _say(self) -> None:
        """All that is not counted, each time: nothing is lost with a message."""
        order, progress = self._shelf.order(), self._shelf.progress()
        if order is None or progress is None or progress.archive != order.archive:
            return
        try:
            self._tell(progress.report())
        except errors.TroveError as error:
            LOG.info("how the archive stands is told later: %s", error.message)

    def _left(self) -> bool:
        """Whether an archive that is over was not let go yet."""
        return self._shelf.progress() is not None
