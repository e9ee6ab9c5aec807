# SPDX-License-Identifier: Apache-2.0
"""What is written goes to the disk while more of it comes.

The kernel keeps it in memory for half a minute, or until there are gigabytes of it; who
wants it durable then waits for the disk, which has had nothing to do until then.
"""

import contextlib
import logging
import threading
import typing

from trove import errors

LOG = logging.getLogger(__name__)

EACH = 32 * 1024 * 1024
"""Bytes after which it is worth to begin."""


class Writeback:
    """Calls ``sync`` in a thread of its own, whenever so much has come since it was
    called last. It makes nothing durable: who needs that syncs at the end."""

    def __init__(self, sync: typing.Callable[[], object], each: int = EACH) -> None:
        self._sync, self._each = sync, each
        self._changed = threading.Condition()
        self._waiting, self._over = 0, False
        self._thread = threading.Thread(target=self._run, name="writeback", daemon=True)
        self._thread.start()

    def wrote(self, size: int) -> None:
        """So many bytes more were written, or soon will be."""
        with self._changed:
            self._waiting += size
            if self._waiting >= self._each:
                self._changed.notify()

    def end(self) -> None:
        """Nothing more is begun; what was, is over."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _due(self) -> bool:
        return self._over or self._waiting >= self._each

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._due)
                if self._over:
                    return
                self._waiting = 0
            try:
                self._sync()
            except (errors.TroveError, OSError) as error:
                # whoever makes it durable in the end hears of it, and fails by it
                LOG.warning("what was written is not on the disk yet: %s", error)


@contextlib.contextmanager
def meanwhile(
    sync: typing.Callable[[], object], each: int = EACH
) -> typing.Iterator[Writeback]:
    """One for as long as the block."""
    made = Writeback(sync, each)
    try:
        yield made
    finally:
        made.end()
