# SPDX-License-Identifier: Apache-2.0
"""A machine where a unit is an ordinary process below a new root.

Its engines are those of this very machine, or of another root file system (``tree``).
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import time
import typing

from tests.contract.datastore import within
from trove import errors
from trove.datastores.protocol import Ran, Stage
from trove.guestagent.host import Host, Owner


class Machine(Host):
    """The agent's own host, but below ``root``, and with processes for units."""

    def __init__(self, root: pathlib.Path, tree: pathlib.Path | None = None) -> None:
        super().__init__()
        self.root, self.tree = root, tree
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: dict[str, str] = {}
        self.begun: dict[str, int] = {}
        self.make_directory(self.path("/etc/systemd/system"))

    def path(self, path: str) -> str:
        return f"{self.root}{path}"

    def run(
        self, argv: typing.Any, *, user: str | None = None, **how: typing.Any
    ) -> Ran:
        if self.tree is None:
            return super().run(argv, user=user, **how)
        return super().run([*self._inside(), *_as(user), *argv], **how)

    def reading(
        self, *stages: Stage, **how: typing.Any
    ) -> contextlib.AbstractContextManager[typing.BinaryIO]:
        return super().reading(*map(self._there, stages), **how)

    def writing(
        self, *stages: Stage, **how: typing.Any
    ) -> contextlib.AbstractContextManager[typing.BinaryIO]:
        return super().writing(*map(self._there, stages), **how)

    def _there(self, stage: Stage) -> Stage:
        if self.tree is None:
            return stage
        argv = (*self._inside(), *_as(stage.user), *stage.argv)
        return dataclasses.replace(stage, argv=argv, user=None)

    def write_file(
        self,
        path: str | os.PathLike[str],
        text: str | bytes,
        *,
        mode: int = 0o644,
        owner: Owner = "root",
    ) -> bool:
        return super().write_file(path, text, mode=mode, owner=self.ids(owner))

    def make_directory(
        self,
        path: str | os.PathLike[str],
        *,
        mode: int = 0o755,
        owner: Owner = "root",
    ) -> None:
        super().make_directory(path, mode=mode, owner=self.ids(owner))

    def ids(self, owner: Owner) -> Owner:
        """A user of the tree as numbers: this machine may have none of the name."""
        if self.tree is None or not isinstance(owner, str):
            return owner
        lines = (self.tree / "etc/passwd").read_text().splitlines()
        entry = next(line for line in lines if line.startswith(f"{owner}:"))
        uid, gid = entry.split(":")[2:4]
        return int(uid), int(gid)

    def _inside(self) -> list[str]:
        return [] if self.tree is None else within.command(self.tree, self.root)

    def service(self, action: str, unit: str, *, timeout: float = 60.0) -> None:
        match action:
            case "start":
                self._start(unit, timeout)
            case "stop":
                self._stop(unit, timeout)
            case "restart":
                self._stop(unit, timeout)
                self._start(unit, timeout)

    def service_state(self, unit: str, within: float = 1.0) -> str:
        if unit not in self.processes:
            return self.ended.get(unit, "inactive")
        return "active" if self.processes[unit].poll() is None else "failed"

    def service_result(self, unit: str, within: float = 1.0) -> str:
        process = self.processes.get(unit)
        code = process.poll() if process is not None else 0
        return "success" if not code else "signal" if code < 0 else "exit-code"

    def service_log(self, unit: str, lines: int = 50, *, latest: bool = False) -> str:
        with contextlib.suppress(FileNotFoundError):
            written = self._log(unit).read_bytes()
            begun = self.begun.get(unit, 0) if latest else 0
            text = written[begun:].decode(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def close(self) -> None:
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait()

    def _log(self, unit: str) -> pathlib.Path:
        return self.root / f"{unit}.log"

    def _settings(self, unit: str) -> dict[str, str]:
        text = pathlib.Path(self.path(f"/etc/systemd/system/{unit}")).read_text()
        pairs = (line.partition("=") for line in text.splitlines())
        return {key: value for key, _, value in pairs if value}

    def _start(self, unit: str, timeout: float) -> None:
        if self.service_state(unit) == "active":
            return
        settings = self._settings(unit)
        mount = settings.get("AssertPathIsMountPoint", "/")
        directory = settings["AssertPathIsDirectory"]
        if not (os.path.isdir(directory) and os.path.ismount(mount)):
            raise errors.CommandFailed(program="systemctl", code=1, why="assertion")
        user = settings["User"]
        runtime = self.path(f"/run/{settings['RuntimeDirectory']}")
        self.make_directory(runtime, owner=user)
        address = str(self.root / "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(address)
            os.chmod(address, 0o777)
            notices.settimeout(0.2)
            with self._log(unit).open("ab") as log:
                self.begun[unit] = log.tell()
                # The server must not outlive the tests, whatever happens to them.
                words = [*self._inside(), *_as(user, "--pdeathsig=KILL")]
                self.processes[unit] = subprocess.Popen(
                    words + settings["ExecStart"].split(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={"NOTIFY_SOCKET": address, "PATH": os.environ["PATH"]},
                    cwd="/",
                    start_new_session=True,
                )
            self._wait(unit, notices, time.monotonic() + timeout)

    def _wait(self, unit: str, notices: socket.socket, end: float) -> None:
        while time.monotonic() < end and self.service_state(unit) == "active":
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notices.recv(4096):
                    return
        raise errors.CommandFailed(program="systemctl", code=1, why="not ready")

    def _stop(self, unit: str, timeout: float) -> None:
        process = self.processes.get(unit)
        if process is None:
            return
        number = getattr(signal, self._settings(unit)["KillSignal"])
        if process.poll() is None:
            process.send_signal(number)
        process.wait(timeout)
        del self.processes[unit]
        self.ended[unit] = "inactive"


def _as(user: str | None, *more: str) -> list[str]:
    """What has the words after it be run as that user."""
    if user is None:
        return []
    who = (f"--reuid={user}", f"--regid={user}", "--clear-groups")
    return ["setpriv", *more, *who, "--"]
