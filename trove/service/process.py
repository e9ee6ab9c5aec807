# SPDX-License-Identifier: Apache-2.0
"""One process: its parts started in order, its signals, its bounded drain.

Works the same under native threads, under eventlet and inside a guest: it imports
neither eventlet nor oslo.service. Signals are noticed through a pipe that the
interpreter writes to, so that no handler runs code that could wait for a lock.
"""

import collections
import contextlib
import faulthandler
import logging
import os
import pathlib
import select
import signal
import sys
import time
import typing

from trove.service import notify

LOG = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Part(typing.Protocol):
    """Something a process runs: a server, a worker, a periodic call."""

    def start(self) -> None:
        """Begin; return when it serves."""

    def stop(self, within: float) -> bool:
        """Take nothing new, finish what was begun; False if it took too long."""


@typing.runtime_checkable
class Watched(Part, typing.Protocol):
    """A part that can tell whether it still does its work."""

    def alive(self) -> bool:
        """The watchdog asks; while one says no, systemd hears nothing."""


class Process:
    """Runs its parts until SIGTERM; SIGHUP reloads; SIGUSR2 prints every stack."""

    def __init__(
        self,
        name: str,
        parts: typing.Sequence[Part],
        *,
        drain: float = 60.0,
        ready_file: str | os.PathLike[str] | None = None,
        reload: typing.Callable[[], object] | None = None,
        give_up: typing.Callable[[int], typing.Any] = os._exit,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._parts = parts
        self._drain = drain
        self._ready_file = pathlib.Path(ready_file) if ready_file else None
        self._reload = reload
        self._give_up = give_up
        self._clock = clock
        self._seen: collections.deque[int] = collections.deque()

    def run(self) -> int:
        """The exit code: 0 after a clean stop, 1 when the drain was cut short."""
        started: list[Part] = []
        with self._signals() as wake:
            try:
                for part in self._parts:
                    part.start()
                    started.append(part)
            except BaseException:
                LOG.critical("%s could not start", self._name)
                self._stop(started)
                raise
            self._say_ready()
            LOG.info("%s is up, process %d", self._name, os.getpid())
            self._until_told(wake)
            notify.stopping()
            if self._ready_file:
                self._ready_file.unlink(missing_ok=True)
            clean = self._stop(started)
        LOG.info("%s is down%s", self._name, "" if clean else ", not all was finished")
        if not clean:  # threads that hang must not hold the exit
            logging.shutdown()
            sys.stderr.flush()
            self._give_up(1)
        return 0 if clean else 1

    def _say_ready(self) -> None:
        if self._ready_file:
            self._ready_file.write_text(f"{os.getpid()}\n")
        notify.ready(f"{self._name} serves.")

    @contextlib.contextmanager
    def _signals(self) -> typing.Iterator[int]:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        before = {
            number: signal.signal(number, lambda seen, _frame: self._seen.append(seen))
            for number in (*STOP_SIGNALS, signal.SIGHUP)
        }
        wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        with contextlib.suppress(ValueError, OSError, AttributeError):
            faulthandler.register(signal.SIGUSR2, all_threads=True)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def _until_told(self, wake: int) -> None:
        every = notify.watchdog_interval()
        while True:
            readable, _, _ = select.select([wake], [], [], every or 30.0)
            if readable:
                os.read(wake, 512)
            while self._seen:
                number = self._seen.popleft()
                if number in STOP_SIGNALS:
                    LOG.info("%s was told to stop", self._name)
                    return
                self._read_again()
            if every is not None and self._alive():
                notify.alive()

    def _alive(self) -> bool:
        return all(part.alive() for part in self._parts if isinstance(part, Watched))

    def _read_again(self) -> None:
        notify.reloading()
        if self._reload is not None:
            try:
                self._reload()
                LOG.info("%s read its configuration again", self._name)
            except Exception:  # a typing error in a file must not end the service
                LOG.exception("%s keeps its configuration", self._name)
        notify.ready(f"{self._name} serves.")

    def _stop(self, started: list[Part]) -> bool:
        """In reverse; each part has what the ones before it left of the bound."""
        end = self._clock() + self._drain
        clean = True
        for part in reversed(started):
            try:
                clean = part.stop(max(0.1, end - self._clock())) and clean
            except Exception:
                LOG.exception("%s: a part failed while it stopped", self._name)
                clean = False
        return clean
