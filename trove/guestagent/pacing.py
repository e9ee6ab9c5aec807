# SPDX-License-Identifier: Apache-2.0
"""What a program says, handed on no faster than it is to: who says it waits meanwhile.

The bytes go from pipe to pipe in the kernel (``splice(2)``): a thread that counts them
is all that it costs.
"""

import contextlib
import fcntl
import os
import threading
import time
import typing

PIECE = 1024 * 1024
"""Bytes that go on at once, and that a pipe holds where the kernel lets it."""
SHORTEST = 0.01
"""Seconds that are worth waiting."""


def widen(pipe: int) -> None:
    """A pipe holds more from now on: who says something waits less for who reads it."""
    with contextlib.suppress(OSError):  # of who may have no larger one
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIECE)


class Pacing:
    """Hands on what comes from ``source``, which is closed at the end; ``taken`` is the
    end to read from."""

    def __init__(self, source: typing.IO[bytes], rate: int) -> None:
        """``rate``: bytes in a second, at the most."""
        self._source, self._rate = source, rate
        self._over = threading.Event()
        taken, self._sink = os.pipe2(os.O_CLOEXEC)
        self.taken: typing.IO[bytes] = open(taken, "rb", buffering=0)
        widen(self._sink)
        self._thread = threading.Thread(target=self._run, name="pacing", daemon=True)
        self._thread.start()

    def end(self, within: float) -> None:
        """Hands on nothing more; who says it has ended, or will hear of it."""
        self._over.set()
        self.taken.close()
        self._thread.join(within)

    def _run(self) -> None:
        try:
            with contextlib.suppress(BrokenPipeError):  # who read it says why
                self._hand_on()
        finally:
            os.close(self._sink)
            self._source.close()

    def _hand_on(self) -> None:
        due = time.monotonic()
        while moved := os.splice(self._source.fileno(), self._sink, PIECE):
            # what was not said in time is not made up for
            due = max(due, time.monotonic()) + moved / self._rate
            wait = due - time.monotonic()
            if wait > SHORTEST and self._over.wait(wait):
                return
