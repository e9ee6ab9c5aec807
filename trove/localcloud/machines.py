# SPDX-License-Identifier: Apache-2.0
"""Machines: the LXC system containers that servers are, by the ``lxc-*`` programs.

Each has a monitor process of its own whose parent is PID 1, so this process may die and
come back; what runs is asked of LXC, never remembered.
"""

import dataclasses
import logging
import os
import pathlib
import shutil
import time
import typing

from trove import errors
from trove.localcloud import containers, programs

LOG = logging.getLogger(__name__)

RUNNING = "RUNNING"
STOPPED = "STOPPED"


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file put into a server's root file system before it first starts."""

    path: str
    text: str
    mode: int = 0o644


class Machines:
    """The machines of one deployment, in one directory."""

    def __init__(
        self,
        directory: pathlib.Path,
        tag: str,
        host: programs.Runner,
        v2: bool | None = None,
        sleep: typing.Callable[[float], None] = time.sleep,
    ) -> None:
        self.directory = directory
        self._tag = tag
        self._host = host
        self._v2 = containers.unified() if v2 is None else v2
        self._sleep = sleep

    # -- names ---------------------------------------------------------------------

    def name(self, server: str) -> str:
        """The container's name, which its control groups carry too."""
        return f"{self._tag}-{server}"

    def home(self, server: str) -> pathlib.Path:
        """The directory of a server's machine."""
        return self.directory / self.name(server)

    def all(self) -> set[str]:
        """Every server that has a directory here."""
        prefix = f"{self._tag}-"
        if not self.directory.is_dir():
            return set()
        return {
            found.name.removeprefix(prefix)
            for found in self.directory.iterdir()
            if found.name.startswith(prefix)
        }

    # -- life ----------------------------------------------------------------------

    def prepare(
        self, server: str, files: typing.Iterable[File], generation: int = 0
    ) -> None:
        """The directories of a machine and its first files; twice does no harm.

        Those of an earlier generation go, with all that was written into them: the
        machine is off.
        """
        home = self.home(server)
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self.prepared(server, generation):
            return
        for part in ("upper", "work"):
            shutil.rmtree(home / part, ignore_errors=True)
        for part in ("upper", "work", "rootfs"):
            (home / part).mkdir(mode=0o755, exist_ok=True)
        for file in files:
            _put(home / "upper", file)
        (home / "prepared").write_text(str(generation))

    def prepared(self, server: str, generation: int) -> bool:
        """Whether its directories are those of this generation."""
        done = self.home(server) / "prepared"
        return done.exists() and (done.read_text() or "0") == str(generation)

    def configure(self, container: containers.Container) -> None:
        """Writes a machine's configuration; it counts from the next start."""
        text = containers.render(container, self._v2)
        file = container.directory / "config"
        new = file.with_suffix(".new")
        new.write_text(text)
        new.rename(file)

    def start(self, server: str) -> None:
        """The machine runs.

        On a loaded host its start may take too long, or meet what is left of its last
        run: it is tried once more.
        """
        if self.running(server):
            return
        try:
            self._start(server)
        except programs.ProgramFailed as failed:
            if self.running(server):
                return
            LOG.warning("machine %s: %s; it is started anew", server, failed)
            self.kill(server)
            self._start(server)

    def _start(self, server: str) -> None:
        log = str(self.home(server) / "lxc.log")
        try:
            self._lxc("start", server, "-l", "WARN", "-o", log, within=60)
        except programs.ProgramFailed as failed:
            raise programs.ProgramFailed(
                "lxc-start", failed.status, _last_errors(log) or failed.message
            ) from None

    def stop(self, server: str, within: int = 60) -> None:
        """The machine has shut down in order, or was killed after the time.

        Asked more than once: a first process that is just beginning hears nothing.
        """
        for part in (within // 20, within // 5, within):
            if not self.running(server):
                break
            words = ("--nokill", "-t", str(max(part, 1)))
            self._lxc("stop", server, *words, ok=(0, 1, 2), within=within + 30)
        self.kill(server)

    def kill(self, server: str) -> None:
        """The machine is off, whatever it was doing."""
        if not (self.home(server) / "config").exists():
            return
        if self.state(server) != STOPPED:
            self._lxc("stop", server, "-k", ok=(0, 1, 2))
        self._wait_stopped(server)

    def remove(self, server: str) -> None:
        """Nothing of the machine is left."""
        self.kill(server)
        shutil.rmtree(self.home(server), ignore_errors=True)
        if self.home(server).exists():
            raise errors.Internal(why=f"{self.home(server)} cannot be removed")

    # -- what is -------------------------------------------------------------------

    def state(self, server: str) -> str:
        """LXC's word for the machine's state; STOPPED when there is no machine."""
        if not (self.home(server) / "config").exists():
            return STOPPED
        return self._lxc("info", server, "-s", "-H", ok=(0, 1)) or STOPPED

    def running(self, server: str) -> bool:
        """Whether the machine runs."""
        return self.state(server) == RUNNING

    def active(self) -> set[str]:
        """Every server whose machine runs, asked at once."""
        if not self.directory.is_dir():
            return set()
        said = self._host.run("lxc-ls", "-P", str(self.directory), "-1", "--active")
        prefix = f"{self._tag}-"
        names = (line.strip() for line in said.splitlines())
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    def pid(self, server: str) -> int | None:
        """The host's number of the machine's first process."""
        said = self._lxc("info", server, "-p", "-H", ok=(0, 1))
        return int(said) if said.isdigit() else None

    def console(self, server: str, lines: int | None = None) -> str:
        """The end of what the machine wrote on its console."""
        file = self.home(server) / "console.log"
        try:
            with file.open("rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - (256 << 10)))
                text = stream.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        kept = text.splitlines(keepends=True)
        return "".join(kept if lines is None else kept[len(kept) - lines :])

    # -- change of a running machine ---------------------------------------------

    def plug(self, server: str, disk: containers.Disk) -> None:
        """A running machine sees a block device: the permission comes first."""
        major, minor = disk.number.split(":")
        self._lxc("cgroup", server, "devices.allow", f"b {disk.number} rwm")
        node = (disk.node, "b", major, minor)
        self._inside(server, "rm", "-f", disk.node)
        self._inside(server, "mknod", "-m", "660", *node)

    def unplug(self, server: str, disk: containers.Disk) -> None:
        """A running machine sees the device no more."""
        self._inside(server, "rm", "-f", disk.node)
        if disk.number:
            self._lxc("cgroup", server, "devices.deny", f"b {disk.number} rwm")

    def _inside(self, server: str, *argv: str) -> str:
        return self._lxc("attach", server, "--clear-env", "--", *argv, within=20)

    def _lxc(
        self,
        tool: str,
        server: str,
        *words: str,
        ok: tuple[int, ...] = (0,),
        within: float = 30,
    ) -> str:
        argv = (f"lxc-{tool}", "-P", str(self.directory), "-n", self.name(server))
        return self._host.run(*argv, *words, ok=ok, within=within)

    def _wait_stopped(self, server: str, within: float = 30) -> None:
        for _ in range(int(within / 0.05)):
            if self.state(server) == STOPPED:
                return
            self._sleep(0.05)
        raise errors.Internal(why=f"server {server} does not stop")


def _put(root: pathlib.Path, file: File) -> None:
    path = root / file.path.lstrip("/")
    for parent in reversed(path.parents):
        # Below the upper directory only; what is made hides the image's own mode.
        if parent.is_relative_to(root):
            parent.mkdir(mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(file.text)
    path.chmod(file.mode)


def _last_errors(log: str) -> str:
    try:
        lines = pathlib.Path(log).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return " ".join(line.split(" - ", 1)[-1] for line in lines if " ERROR " in line)[
        -500:
    ]
