# SPDX-License-Identifier: Apache-2.0
"""The supervisor: runs a set of processes on one machine, as systemd does elsewhere.

Each is started when those it comes after are ready, restarted with back-off when it
ends, and stopped before those it comes after. What runs is written down with its start
time, so a supervisor that was killed finds everything again at its next start.
"""

import contextlib
import fcntl
import json
import logging
import os
import pathlib
import select
import signal
import socket
import time
import typing

from trove.service.supervised import Child, Program

LOG = logging.getLogger(__name__)

CHILDREN = "supervise.json"
LOG_SIZE = 20 * 1024 * 1024
LOGS_KEPT = 3
STEADY = 60.0
"""Seconds after which a process counts as well, and its back-off starts anew."""
LONGEST_PAUSE = 30.0


class Watched:
    """One program and the state it is in: waiting starting up pausing stopping down."""

    def __init__(
        self, program: Program, log: pathlib.Path, clock: typing.Callable[[], float]
    ) -> None:
        self.program = program
        self.log = log
        self.child: Child | None = None
        self.state = "waiting"
        self.since = clock()
        self.restarts = 0
        self.last_status: int | None = None
        self._failures = 0
        self._asking: Child | None = None
        self._clock = clock

    def become(self, state: str) -> None:
        """Change the state."""
        if state != self.state:
            LOG.info("%s: %s", self.program.name, state)
        self.state, self.since = state, self._clock()

    def tick(self, may_start: bool) -> None:
        """Look at it once, and do what is next."""
        if self.state in {"starting", "up"} and self._ended():
            return
        age = self._clock() - self.since
        if self.state == "waiting" and may_start:
            self.start()
        elif self.state == "pausing" and age >= self.pause() and may_start:
            self.restarts += 1
            self.start()
        elif self.state == "starting":
            if self.program.ready.met(self.program.environ()):
                self.become("up")
            elif age > self.program.ready.within:
                LOG.error("%s: not ready in time", self.program.name)
                self.kill()
        elif self.state == "up" and age > STEADY:
            self._failures = 0

    def start(self) -> None:
        """Start it now; a program that cannot be run is tried again like any other."""
        try:
            if self.program.ready.file:  # what a killed one left does not count
                pathlib.Path(self.program.ready.file).unlink(missing_ok=True)
            self.child = Child.spawn(self.program, self.log)
            self.become("starting")
        except (OSError, KeyError) as error:
            LOG.error("%s: cannot be run: %s", self.program.name, error)
            self._fail(127)

    def adopt(self, child: Child) -> None:
        """It runs already."""
        self.child = child
        self.become("starting")

    def pause(self) -> float:
        """Seconds before the next try."""
        return min(LONGEST_PAUSE, 0.5 * 2.0**self._failures)

    def ask_to_stop(self) -> None:
        """The drain begins."""
        if self.child is None or self.child.ended() is not None:
            self.become("down")
            return
        self.become("stopping")
        if self.program.stop:
            with contextlib.suppress(OSError):
                self._asking = Child.spawn(
                    Program("stop", self.program.stop, self.program.env), self.log
                )
        else:
            self.child.signal(signal.SIGTERM)

    def finish_stopping(self) -> None:
        """See whether it has ended; SIGKILL past its bound."""
        if self.child is None or self.child.ended() is not None:
            if self.child is not None:
                self.child.signal(signal.SIGKILL, everyone=True)
            if self._asking is not None:
                self._asking.reap(5)
            self.child = None
            self.become("down")
        elif self._clock() - self.since > self.program.stop_within:
            LOG.warning("%s: did not end in time and is killed", self.program.name)
            self.child.signal(signal.SIGKILL, everyone=True)

    def kill(self) -> None:
        """At once, with everyone it left behind."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL, everyone=True)

    def rotate(self, largest: int = LOG_SIZE) -> None:
        """Copy and truncate: the process keeps its open file."""
        if not self.log.exists() or self.log.stat().st_size < largest:
            return
        for number in range(LOGS_KEPT - 1, 0, -1):
            older = self.log.with_suffix(f".log.{number}")
            if older.exists():
                older.replace(self.log.with_suffix(f".log.{number + 1}"))
        copy = self.log.with_suffix(".log.1")
        copy.write_bytes(self.log.read_bytes())
        os.truncate(self.log, 0)

    def report(self) -> dict[str, typing.Any]:
        """For ``status``."""
        return {
            "name": self.program.name,
            "state": self.state,
            "pid": self.child.pid if self.child else None,
            "seconds": round(self._clock() - self.since, 1),
            "restarts": self.restarts,
            "last_status": self.last_status,
            "log": str(self.log),
        }

    def _ended(self) -> bool:
        status = self.child.ended() if self.child else 0
        if status is None:
            return False
        LOG.warning("%s: ended with status %s", self.program.name, status)
        self.kill()  # whoever it left behind would hold its ports
        self._fail(status)
        return True

    def _fail(self, status: int) -> None:
        self.child = None
        self.last_status = status
        self._failures += 1
        self.become("pausing")


class Supervisor:
    """Runs programs until it is told to stop."""

    def __init__(
        self,
        programs: typing.Sequence[Program],
        run: pathlib.Path,
        log: pathlib.Path,
        *,
        clock: typing.Callable[[], float] = time.monotonic,
        tick: float = 0.2,
    ) -> None:
        self._check(programs)
        self._run, self._tick, self._clock = run, tick, clock
        run.mkdir(parents=True, exist_ok=True, mode=0o755)
        log.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.watched = {
            program.name: Watched(program, log / f"{program.name}.log", clock)
            for program in programs
        }
        self._children = run / CHILDREN
        self._written = ""
        self._stopping = False
        self._rotated = clock()

    @staticmethod
    def _check(programs: typing.Sequence[Program]) -> None:
        known: set[str] = set()
        for program in programs:
            missing = set(program.after) - known
            if missing or program.name in known:
                raise ValueError(f"{program.name}: after {missing}, or named twice")
            known.add(program.name)

    def run(self) -> int:
        """Until SIGTERM or a ``stop`` on the socket; 0 when everything has ended."""
        with self._lock(), self._socket() as listener, self._signals() as wake:
            self._find_again()
            while not self._down():
                watch: list[typing.Any] = [listener, wake]
                readable, _, _ = select.select(watch, [], [], self._tick)
                if wake in readable:
                    os.read(wake, 64)
                if listener in readable:
                    self._converse(listener)
                self.look()
            self._children.unlink(missing_ok=True)
        return 0

    def stop(self) -> None:
        """Stop everything, in reverse."""
        self._stopping = True

    def look(self) -> None:
        """One look at every process."""
        for name, one in self.watched.items():
            if self._stopping:
                self._look_down(name, one)
            else:
                one.tick(all(self.watched[n].state == "up" for n in one.program.after))
        if self._clock() - self._rotated > 30:
            self._rotated = self._clock()
            for one in self.watched.values():
                one.rotate()
        self._write_down()

    def _look_down(self, name: str, one: Watched) -> None:
        if one.state == "stopping":
            one.finish_stopping()
        elif one.state != "down":
            others = [o for o in self.watched.values() if name in o.program.after]
            if all(other.state == "down" for other in others):
                one.ask_to_stop()

    def _down(self) -> bool:
        return self._stopping and all(
            one.state == "down" for one in self.watched.values()
        )

    # -- what runs, for the next supervisor ------------------------------------------

    def _write_down(self) -> None:
        told = json.dumps(
            {
                name: [one.child.pid, one.child.started, one.program.digest()]
                for name, one in self.watched.items()
                if one.child is not None
            }
        )
        if told != self._written:
            new = self._children.with_suffix(".new")
            new.write_text(told)
            new.replace(self._children)
            self._written = told

    def _find_again(self) -> None:
        """Take over what an earlier supervisor left; end what is not wanted so."""
        for name, (child, digest) in left(self._run).items():
            one = self.watched.get(name)
            if one is not None and one.program.digest() == digest:
                LOG.info("%s: found again, process %d", name, child.pid)
                one.adopt(child)
            else:
                LOG.info("%s: left by another configuration; it is ended", name)
                end(child)

    # -- the socket --------------------------------------------------------------------

    def _converse(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(1)
            try:
                asked = json.loads(connection.recv(4096))
                connection.sendall(json.dumps(self._answer(asked)).encode())
            except (OSError, ValueError, AttributeError) as error:
                LOG.warning("a bad question on the socket: %s", error)

    def _answer(self, asked: dict[str, typing.Any]) -> dict[str, typing.Any]:
        if asked.get("do") == "stop":
            self.stop()
        elif asked.get("do") == "restart" and asked.get("name") in self.watched:
            child = self.watched[asked["name"]].child
            if child is not None:
                child.signal(signal.SIGTERM)
        reports = [one.report() for one in self.watched.values()]
        return {"pid": os.getpid(), "stopping": self._stopping, "processes": reports}

    # -- of the process itself ---------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self) -> typing.Iterator[None]:
        with (self._run / "supervise.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RuntimeError(f"another supervisor runs in {self._run}") from error
            yield

    @contextlib.contextmanager
    def _socket(self) -> typing.Iterator[socket.socket]:
        path = self._run / "supervise.sock"
        path.unlink(missing_ok=True)  # a dead one's; the lock says that it is dead
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(16)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _signals(self) -> typing.Iterator[int]:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        before = {
            number: signal.signal(number, lambda _number, _frame: self.stop())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)


def left(run: pathlib.Path) -> dict[str, tuple[Child, str]]:
    """What a supervisor that was killed left running, and each one's digest."""
    try:
        written = json.loads((run / CHILDREN).read_text())
    except (OSError, ValueError):
        return {}
    found = {
        name: (Child.found(pid, started), digest)
        for name, (pid, started, digest) in written.items()
    }
    return {name: (child, digest) for name, (child, digest) in found.items() if child}


def end(child: Child, within: float = 60.0) -> None:
    """SIGTERM, then SIGKILL."""
    child.signal(signal.SIGTERM)
    last = time.monotonic() + within
    while child.ended() is None and time.monotonic() < last:
        time.sleep(0.1)
    child.signal(signal.SIGKILL, everyone=True)


def ask(run: pathlib.Path, do: str, name: str | None = None) -> dict[str, typing.Any]:
    """Ask the supervisor of this directory; ``ConnectionError`` when none runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        try:
            connection.connect(str(run / "supervise.sock"))
        except FileNotFoundError as error:
            raise ConnectionRefusedError(str(error)) from error
        connection.sendall(json.dumps({"do": do, "name": name}).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    told: dict[str, typing.Any] = json.loads(answer)
    return told
