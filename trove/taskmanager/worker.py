# SPDX-License-Identifier: Apache-2.0
"""The worker: takes operations that are due, runs them in a pool, drains on a signal.

Nothing waits in a thread: an operation that is not finished is parked in its row, and
this process keeps only a timer for it. A ring (``TaskManager.run``) makes an operation
run now; a ring that is lost costs one poll.
"""

import concurrent.futures
import heapq
import logging
import threading
import time
import typing

from trove import errors
from trove.workflow.claims import Claims
from trove.workflow.engine import Engine

LOG = logging.getLogger(__name__)


class Worker:
    """Runs operations until it is stopped.

    ``poll`` is in seconds: how long a lost ring may go unnoticed.
    """

    def __init__(
        self,
        claims: Claims,
        engine: Engine,
        *,
        threads: int,
        poll: float = 1.0,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._claims, self._engine = claims, engine
        self._poll, self._clock = poll, clock
        self._pool = concurrent.futures.ThreadPoolExecutor(
            threads, thread_name_prefix="operation"
        )
        self._news = threading.Condition()
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._timers: list[tuple[float, str]] = []
        self._stopping = False
        self._loop = threading.Thread(target=self._watch, name="due", daemon=True)

    def start(self) -> None:
        """Begins to look for due operations."""
        self._loop.start()

    def ring(self, operation: str) -> None:
        """An operation is due now, somebody says."""
        with self._news:
            if operation in self._running:
                self._again.add(operation)  # it may have looked before the news
            else:
                self._submit(operation)

    def stop(self, within: float) -> bool:
        """Takes nothing new, and waits for what runs; False when time ran out.

        What is still running then is taken over by another worker when its lease ends.
        """
        with self._news:
            self._stopping = True
            self._news.notify_all()
            running = bool(self._running)
        end = self._clock() + within
        with self._news:
            while self._running and self._clock() < end:
                self._news.wait(end - self._clock())
            running = bool(self._running)
        self._pool.shutdown(wait=not running, cancel_futures=True)
        return not running

    def alive(self) -> bool:
        """Whether due operations are still looked for."""
        return self._loop.is_alive()

    # -- inside --------------------------------------------------------------------

    def _submit(self, operation: str) -> None:
        if self._stopping or operation in self._running:
            return
        self._running.add(operation)
        self._pool.submit(self._run, operation)

    def _run(self, operation: str) -> None:
        parked = None
        try:
            parked = self._engine.run(operation)
        except Exception:  # a worker outlives any one operation
            LOG.exception("operation %s: this worker failed on it", operation)
        finally:
            with self._news:
                self._running.discard(operation)
                again = operation in self._again
                self._again.discard(operation)
                if again or (parked is not None and parked.seconds <= 0):
                    self._submit(operation)
                elif parked is not None:
                    # a little late rather than a little early: "not due" costs a poll
                    at = self._clock() + parked.seconds + 0.02
                    heapq.heappush(self._timers, (at, operation))
                self._news.notify_all()

    def _watch(self) -> None:
        next_poll = self._clock()
        while True:
            with self._news:
                if self._stopping:
                    return
                moment = self._clock()
                while self._timers and self._timers[0][0] <= moment:
                    self._submit(heapq.heappop(self._timers)[1])
                wake = min([next_poll, *(due for due, _ in self._timers[:1])])
                if wake > moment:
                    self._news.wait(wake - moment)
                    continue
            next_poll = self._clock() + self._poll
            self._look()

    def _look(self) -> None:
        try:
            due = self._claims.due()
        except errors.Unavailable as error:  # the next poll looks again
            LOG.warning("cannot ask for due operations: %s", error)
            return
        except Exception:  # the next poll may succeed
            LOG.exception("cannot ask for due operations")
            return
        with self._news:
            for operation in due:
                self._submit(operation)
