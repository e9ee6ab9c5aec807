# SPDX-License-Identifier: Apache-2.0
"""The pre-forked workers of the API under eventlet, and the parent that keeps them.

The parent loads nothing of the application: it listens, forks, replaces what dies and
passes SIGTERM on. It also says when the API is ready and gone, for both backends.
"""

import logging
import os
import pathlib
import signal
import socket
import ssl
import sys
import threading
import time
import typing

from trove.service import concurrency, notify

LOG = logging.getLogger(__name__)

QUICK = 2.0
"""A worker that lived less long than this failed to start (seconds)."""


def say_ready(ready_file: str | None) -> None:
    """The API listens: tell systemd, the ready file, and the watchdog from now on."""
    if ready_file:
        pathlib.Path(ready_file).write_text(f"{os.getpid()}\n")
    notify.ready("trove-api serves.")
    every = notify.watchdog_interval()
    if every is not None:
        threading.Thread(target=_ping, args=(every,), daemon=True).start()


def say_gone(ready_file: str | None) -> None:
    """The API stops."""
    notify.stopping()
    if ready_file:
        pathlib.Path(ready_file).unlink(missing_ok=True)


def _ping(every: float) -> None:
    while notify.alive():
        time.sleep(every)


class GreenWorkers:
    """Forks ``workers`` processes that serve one socket in green threads."""

    def __init__(
        self,
        load: typing.Callable[[], typing.Any],
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        *,
        workers: int,
        connections: int,
        keep_alive: float,
        drain: float,
        ready_file: str | None,
    ) -> None:
        self._load = load
        self._listener = listener
        self._tls = tls
        self._workers = workers
        self._connections = connections
        self._keep_alive = keep_alive
        self._drain = drain
        self._ready_file = ready_file
        self._children: dict[int, float] = {}
        self._stopping = False
        self._failures = 0

    def run(self) -> int:
        """Until SIGTERM; 1 if the workers cannot start or had to be killed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        signal.signal(signal.SIGHUP, self._renew)
        while len(self._children) < self._workers:
            self._fork()
        say_ready(self._ready_file)
        while not self._stopping and self._failures < 5 * self._workers:
            self._reap()
            while not self._stopping and len(self._children) < self._workers:
                self._fork()
            time.sleep(0.2)
        say_gone(self._ready_file)
        return 0 if self._end() and self._stopping else 1

    def _told(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _renew(self, _number: int, _frame: object) -> None:
        """SIGHUP: every worker ends after its requests, and a new one takes over."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for child in list(self._children):
            try:
                os.kill(child, number)
            except ProcessLookupError:
                continue

    def _fork(self) -> None:
        child = os.fork()
        if child:
            self._children[child] = time.monotonic()
            return
        status = 1
        try:
            status = self._work()
        except Exception:
            LOG.exception("a worker of the API failed")
        finally:
            logging.shutdown()
            sys.stderr.flush()
            os._exit(status)

    def _work(self) -> int:
        concurrency.after_fork()
        server = concurrency.GreenServer(
            self._listener,
            self._tls,
            connections=self._connections,
            keep_alive=self._keep_alive,
        )
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda _number, _frame: server.stop())
        if self._stopping:  # told between the fork and the line above
            return 0
        return 0 if server.serve(self._load(), self._drain) else 1

    def _reap(self) -> None:
        for child, born in list(self._children.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                continue
            del self._children[child]
            quick = time.monotonic() - born < QUICK
            self._failures = self._failures + 1 if status and quick else 0
            if not self._stopping:
                LOG.warning("worker %d ended with status %d", child, status)

    def _end(self) -> bool:
        """Pass the signal on; kill what has not ended a little after its drain."""
        self._signal(signal.SIGTERM)
        end = time.monotonic() + self._drain + 2
        while self._children and time.monotonic() < end:
            self._reap()
            time.sleep(0.1)
        clean = not self._children
        self._signal(signal.SIGKILL)
        while self._children:
            self._reap()
            time.sleep(0.05)
        return clean
