# SPDX-License-Identifier: Apache-2.0
"""One supervised process: what it is, how it is started, found again, asked and ended.

A process is known by its number and its start time, as the kernel tells them, so that a
supervisor that was killed finds its children again and never ends a stranger.
"""

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import typing
import urllib.parse

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")
"""What a child gets of the supervisor's own environment."""

ASKING = 2.0
"""Seconds for one question about readiness."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """When a process counts as up: when all of these hold that are given.

    They are asked in this order: a program costs more than a connection.
    """

    tcp: str | None = None
    """``address:port`` accepts."""
    http: str | None = None
    """This URL answers, with less than 500."""
    file: str | None = None
    """This file exists."""
    argv: tuple[str, ...] = ()
    """This program ends with 0."""
    within: float = 60.0

    def met(self, environ: dict[str, str]) -> bool:
        """Ask once."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            if self.tcp:
                host, _, port = self.tcp.rpartition(":")
                socket.create_connection((host, int(port)), ASKING).close()
            if self.http and not _answers(self.http):
                return False
            if self.file and not os.path.exists(self.file):
                return False
            return not self.argv or _succeeds(self.argv, environ)
        return False


def _answers(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # Is it up? is all that is asked: nothing secret is sent or believed.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(
            host, port, timeout=ASKING, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=ASKING)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < 500
    finally:
        connection.close()


def _succeeds(argv: tuple[str, ...], environ: dict[str, str]) -> bool:
    try:
        done = subprocess.run(
            argv, env=environ, capture_output=True, timeout=5 * ASKING, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What to run, after which others, and how it ends."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    user: str | None = None
    cwd: str = "/"
    after: tuple[str, ...] = ()
    ready: Ready = Ready()
    stop: tuple[str, ...] = ()
    """A program that asks it to end; SIGTERM when there is none."""
    stop_within: float = 60.0

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "Program":
        """From the supervisor's file; a key it does not know is an error."""
        plain: dict[str, typing.Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in data.items()
        }
        ready = dict(plain.pop("ready", {}))
        if "argv" in ready:
            ready["argv"] = tuple(ready["argv"])
        return cls(**plain, ready=Ready(**ready))

    def to_dict(self) -> dict[str, typing.Any]:
        """For the supervisor's file."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """Changes whenever what would be run changes."""
        told = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def environ(self) -> dict[str, str]:
        """The whole environment of the process."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return passed | self.env


def start_time(pid: int) -> int | None:
    """When the kernel started it (clock ticks since boot); None: there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in brackets, may hold anything: count from its end.
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


class Child:
    """A running process; ours, or found again."""

    def __init__(
        self, pid: int, started: int, popen: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        self.pid = pid
        self.started = started
        self._popen = popen

    @classmethod
    def spawn(cls, program: Program, log: pathlib.Path) -> "Child":
        """Start it, in a session of its own, writing to its log."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            popen = subprocess.Popen(
                program.argv,
                env=program.environ(),
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                **_identity(program.user),
            )
        finally:
            os.close(descriptor)
        return cls(popen.pid, start_time(popen.pid) or 0, popen)

    @classmethod
    def found(cls, pid: int, started: int) -> "Child | None":
        """The process that an earlier supervisor started, if it still runs."""
        return cls(pid, started) if started and start_time(pid) == started else None

    def ended(self) -> int | None:
        """None while it runs; else its status (0 when nobody can know it)."""
        if self._popen is not None:
            return self._popen.poll()
        return None if start_time(self.pid) == self.started else 0

    def reap(self, within: float) -> None:
        """Wait for its end, if it is ours."""
        if self._popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(within)

    def signal(self, number: signal.Signals, everyone: bool = False) -> None:
        """To the process, or to everyone of its session that it left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if everyone:
                os.killpg(self.pid, number)
            elif self.ended() is None:
                os.kill(self.pid, number)


def _identity(user: str | None) -> dict[str, typing.Any]:
    if user is None or os.geteuid() != 0:
        return {}
    import pwd

    group = pwd.getpwnam(user).pw_gid
    return {"user": user, "group": group, "extra_groups": []}
