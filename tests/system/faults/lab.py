# SPDX-License-Identifier: Apache-2.0
"""The laboratory: every daemon of the control plane as a process, to be ill-treated.

RabbitMQ, MariaDB, trove-api, trove-conductor and two trove-taskmanagers are real. The
cloud is the memory cloud and guests are toys, in a process of their own, so that an
instance costs a second and what exists can be counted. Leases are short.
"""

import contextlib
import gc
import pathlib
import re
import signal
import socket
import sys
import typing
import warnings

from tests import slots
from tests.functional.suite.client import Client
from tests.system.faults.hosted import LOOPBACK, ROOT, Hosted
from tests.system.faults.servers import mariadb, until
from tests.system.faults.wire import SOCKET, Cloud, Lines, Noun
from trove.actions import audit
from trove.db import types
from trove.db.session import Database
from trove.localcloud import rabbitmq
from trove.service.crashpoints import VARIABLE

LEASE = 5
TASKMANAGERS = ("taskmanager-1", "taskmanager-2")
MORE = ("taskmanager-3", "taskmanager-4", "taskmanager-5")
"""Known, and started when a test needs them."""

OPTIONS: dict[str, typing.Any] = {
    "trove": {
        "cloud": {"name": "laboratory", "deployment": "laboratory"},
        "quota": {"instances": 100, "volumes": 100},
    },
    "api": {"listen": {"workers": 1}},
    "conductor": {"conductor": {"flush_interval": 0.2}},
    "taskmanager": {
        "taskmanager": {
            "management_network": "guests",
            "workers": 8,
            "poll_interval": 0.3,
            "lease": LEASE,
            "call_timeout": 2,
            "visibility_grace": 1,
            "heartbeat_interval": 1,
            "reaper_interval": 10,
        }
    },
}


class Lab(Hosted):
    """All of it."""

    def __init__(self) -> None:
        super().__init__("lab", tag="tfl", ports=free_ports())
        self.crash = self.home / "crash"
        self.asleep: set[str] = set()
        """Those that were stopped at a point, and not yet woken."""
        self.environment |= {
            "PYTHONPATH": f"{ROOT}:{self.home}",
            SOCKET: str(self.home / "cloud.sock"),
            VARIABLE: str(self.crash),
        }

    # -- up and down ---------------------------------------------------------------

    def start(self) -> None:
        self._prepare()
        for name in ("rabbitmq", "outside"):
            self.daemons[name].spawn()
        self._database()
        for name in ("rabbitmq", "outside"):
            self.daemons[name].wait_ready()
        rabbitmq.setup(self.place)
        self.lines = Lines(self.environment[SOCKET])
        self.cloud = typing.cast(typing.Any, Cloud(self.lines))
        self.hands = Noun(self.lines, "tests")
        self.restart("api", "conductor", *TASKMANAGERS)

    def stop(self) -> None:
        """Nothing is left: no process, no file."""
        if hasattr(self, "lines"):
            self.lines.close()
            self.store.close()
        ours = ("api", "conductor", *TASKMANAGERS, *MORE)
        self.end((*ours, "outside", "mariadb"), "TROVE_LAB_LOGS")
        with warnings.catch_warnings():
            # What the libraries left open when a server went from under them.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def _prepare(self) -> None:
        home = self.home
        types.use_key(self.prepare())
        described = home / "laboratory-1.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Name: laboratory\nVersion: 1\n")
        (described / "entry_points.txt").write_text(
            "[trove.cloud]\nlaboratory = tests.system.faults.wire:connect\n"
        )
        paste = (ROOT / "etc/trove/api-paste.ini").read_text()
        (home / "api-paste.ini").write_text(
            paste.replace(
                "keystonemiddleware.auth_token:", "tests.system.faults.identity:"
            )
        )
        access = self.access
        there = pathlib.Path(self.environment[SOCKET])
        (home / "guests").mkdir()
        words = [str(there), str(home / "guests"), ",".join(access.guest_hosts)]
        argv = [sys.executable, "-m", "tests.system.faults.outside", *words]
        self.daemon("outside", [*argv, access.ca_file], there.exists)

    def _database(self) -> None:
        self.daemons["mariadb"], url = mariadb(self.home)
        ours = ("api", "conductor", *TASKMANAGERS, *MORE)
        paste = self.home / "api-paste.ini"
        self.configure(url, ours, OPTIONS, paste)
        self.manage("db", "sync")
        for words in (("mariadb", "10.11"), ("postgresql", "15")):
            self.manage(
                *("datastore", "version", "register", *words, "--manager", words[0]),
                *("--image-tags", "trove,guest", "--default"),
            )
        self.store = Database(url, pool_size=2)
        for name in ours:
            self.trove(name, self.api_ready if name == "api" else None)

    def api_ready(self) -> bool:
        try:
            return self.client("nobody").ask("GET", "instances").status == 200
        except OSError:
            return False

    def restart(self, *names: str) -> None:
        """Those of them that do not run are started, together."""
        names = tuple(name for name in names if not self.daemons[name].alive())
        for name in names:
            self.ready_file(name).unlink(missing_ok=True)
            self.daemons[name].kill()  # whoever it left behind
            self.daemons[name].spawn()
        for name in names:
            self.daemons[name].wait_ready()

    def skew(self, name: str, seconds: int) -> None:
        """A daemon whose clock is wrong by so much is in that one's place."""
        daemon = self.daemons[name]
        daemon.kill()
        wrong = self.home / f"skew{seconds}"
        wrong.mkdir(exist_ok=True)
        # what the interpreter loads before anything else
        (wrong / "sitecustomize.py").write_text(
            f"import time\nreal = time.time\ntime.time = lambda: real() + {seconds}\n"
        )
        paths = self.environment["PYTHONPATH"]
        daemon.how["env"] = self.environment | {"PYTHONPATH": f"{wrong}:{paths}"}
        self.restart(name)
        daemon.how["env"] = self.environment

    def heal(self) -> None:
        """Everything runs again, nothing is armed."""
        self.crash.unlink(missing_ok=True)
        self.asleep.clear()
        for daemon in self.daemons.values():
            daemon.send(signal.SIGCONT)
        for name in MORE:
            self.daemons[name].kill()
        self.restart("api", "conductor", *TASKMANAGERS)

    # -- hands ---------------------------------------------------------------------

    def client(self, project: str, role: str = "member") -> Client:
        return Client(self.place.api_port, project, role)

    def audit(self) -> list[str]:
        """What ``trove-manage audit`` would say, in this process."""
        broker = self.access.broker()
        return [str(v) for v in audit.audit(self.store, self.cloud, broker)]

    def arm(self, *points: str) -> None:
        """The points at which a process dies (or stops) next, one after the other."""
        new = self.crash.with_suffix(".new")
        new.write_text("".join(f"{point}\n" for point in points))
        new.rename(self.crash)

    def struck(self, within: float = 40.0) -> str:
        """Waits until the last armed point was reached; who was killed or stopped."""
        self.reached(within)
        name = str(until("it shows", self._hurt, 10))
        if self.daemons[name].alive():
            self.asleep.add(name)
        return name

    def reached(self, within: float = 40.0) -> None:
        """Waits until the last armed point was reached."""
        until(f"somebody gets to {self._armed()}", self._taken, within)

    def _armed(self) -> str:
        return self.crash.read_text().strip() if self.crash.exists() else "nothing"

    def _taken(self) -> bool:
        return not self.crash.exists()

    def _hurt(self) -> str:
        for name, daemon in self.daemons.items():
            if name not in self.asleep and daemon.process is not None:
                if not daemon.alive() or stopped(daemon.pid):
                    return name
        return ""

    def logs(self) -> str:
        """Tracebacks that the daemons wrote."""
        found = []
        for name in ("api", "conductor", *TASKMANAGERS):
            text = self.daemons[name].log.read_text(errors="replace")
            found += re.findall(rf"{name}.*Traceback.*", text)
        return "\n".join(found)


def free_ports() -> int:
    """The first of a hundred ports of which nobody has any."""
    mine = 23000 + 300 * slots.slot()
    for first in range(mine, mine + 300, 100):
        if not any(_taken(port) for port in range(first, first + 100)):
            return first
    raise AssertionError("no ports are free")


def _taken(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal."""
    try:
        line = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return line.rpartition(")")[2].split()[0] == "T"
