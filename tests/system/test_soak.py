# SPDX-License-Identifier: Apache-2.0
"""Healthy databases under load, on a machine without a free core: no fault is told."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.system.deployment import VERSIONS, ask, until
from trove.model.health import SILENT_AFTER

LONG = os.environ.get("TROVE_CHAOS") == "all"
SECONDS = 3600.0 if LONG else 60.0
"""An hour is what is promised. A minute is six reports of each guest and fifteen of its
looks at the database: enough to see a promise that has been broken altogether."""
WARM = 30.0 if LONG else 8.0
"""Seconds of load before the first figure: pools fill and caches are made."""
PARTS = 12
"""Figures of each process over the whole."""
QUERY_EVERY = 0.05
KEPT = 2000
"""Rows of the clients' table; what is older goes, for a volume is small."""
BUDGET = 60 * 1024
"""KiB that an agent may have resident."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.localcloud,
    pytest.mark.timeout(SECONDS + 900),
]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
SPIN = """
import ctypes, signal, time
# ended with the test, also while it stands still: PR_SET_PDEATHSIG
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    sum(range(200_000))
"""
REPORTS = (
    "SELECT instance_id, service, why, boot, seq, received_at, changed_at "
    "FROM guest_reports"
)
EVENTS = "SELECT object_id, seq, kind FROM events ORDER BY object_id, seq"
STATEMENTS = {
    "mariadb": "CREATE TABLE t (n INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(100))",
    "postgresql": "CREATE TABLE t (n SERIAL PRIMARY KEY, v VARCHAR(100))",
}

# -- load


class Busy:
    """Children that compute, as many as keep more than two waiting for each core.

    What others run on the machine counts, and ours stand still for it: the load is
    bounded, whoever else is there.
    """

    def __init__(self) -> None:
        cores = os.cpu_count() or 1
        self._wanted = 2 * cores + 2
        self._children: list[subprocess.Popen[bytes]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="busy")
        self.seen: list[float] = []
        """The load average, each second."""

    def __enter__(self) -> "Busy":
        argv = [sys.executable, "-c", SPIN.format(seconds=SECONDS + 600)]
        self._children = [subprocess.Popen(argv) for _ in range(self._wanted)]
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._ended.set()
        self._thread.join()
        for child in self._children:
            child.kill()
            child.wait()

    def _run(self) -> None:
        going = len(self._children)
        while not self._ended.wait(1.0):
            words = pathlib.Path("/proc/loadavg").read_text().split()
            self.seen.append(float(words[0]))
            runnable = int(words[3].partition("/")[0])
            if runnable < self._wanted and going < len(self._children):
                self._children[going].send_signal(signal.SIGCONT)
                going += 1
            elif runnable > self._wanted and going > 1:
                going -= 1
                self._children[going].send_signal(signal.SIGSTOP)


class Client:
    """An ordinary user of one database: writes a row, reads it, again and again."""

    def __init__(self, demo, shown) -> None:
        self._demo, self._shown = demo, shown
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="client")
        self.queries, self.slowest = 0, 0.0
        self.fault: Exception | None = None

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def _run(self) -> None:
        try:
            login = (self._shown, "ada", USER["password"], "shop")
            with self._demo.connect(*login) as line:
                ask(line, STATEMENTS[self._shown["datastore"]["type"]])
                while not self._ended.wait(QUERY_EVERY):
                    self._round(line)
        except Exception as error:  # noqa: BLE001 - the test tells it
            self.fault = error

    def _round(self, line) -> None:
        begun = time.monotonic()
        number = self.queries
        ask(line, "INSERT INTO t (v) VALUES (%s)", f"row {number}")
        newest = ask(line, "SELECT v FROM t ORDER BY n DESC LIMIT 1")
        assert newest[0][0] == f"row {number}", newest
        self.queries += 1
        if self.queries % KEPT == 0:
            ask(line, "DELETE FROM t WHERE n < %s", self.queries - KEPT)
        self.slowest = max(self.slowest, time.monotonic() - begun)


# -- what is seen


@dataclasses.dataclass
class Guest:
    """What its reports were."""

    boot: int
    changed: float
    first: int
    seq: int
    received: float
    lag: float = 0.0


class Reports:
    """Every change of health that the conductor wrote down, and each late report.

    ``changed_at`` moves with every change of the service, so that one that came and
    went between two looks is found as well; ``events`` holds the operations and the
    guests that were shut out.
    """

    def __init__(self, deployment) -> None:
        self._deployment = deployment
        self.guests: dict[str, Guest] = {}
        for id, service, why, boot, seq, received, changed in deployment.rows(REPORTS):
            assert service == "healthy", (id, service, why)
            self.guests[id] = Guest(boot, changed, seq, seq, received)
        self._events = deployment.rows(EVENTS)
        self.faults: list[str] = []

    def look(self) -> None:
        for row in self._deployment.rows(REPORTS):
            self._one(*row)
        now = self._deployment.rows(EVENTS)
        if now != self._events:
            self._say(f"events: {[row for row in now if row not in self._events]}")
            self._events = now

    def _one(self, id, service, why, boot, seq, received, changed) -> None:
        guest = self.guests[id]
        if (boot, changed) != (guest.boot, guest.changed) or service != "healthy":
            self._say(f"{id}: {service} ({why}) since {changed}, boot {boot}")
            guest.boot, guest.changed = boot, changed
        lag = max(received - guest.received, time.time() - received)
        guest.lag = max(guest.lag, lag)
        guest.seq, guest.received = seq, received

    def _say(self, what: str) -> None:
        said = f"{time.strftime('%H:%M:%S')} {what}"
        if said[9:] not in [each[9:] for each in self.faults]:
            print(said, flush=True)
            self.faults.append(said)


@dataclasses.dataclass(frozen=True)
class Figures:
    """Of a process and its children: KiB resident, descriptors, threads."""

    resident: int
    files: int
    threads: int


SLACK = Figures(resident=2 * 1024, files=4, threads=2)
"""What may be more at the end than at the beginning, and is no leak."""
POOL = 64 + 32
"""Threads that a process may come to have, and which are no leak: its own, and those of
oslo.messaging's pool, which takes one more for each message until it is full."""


class Processes:
    """Ours and the agents', by name."""

    def __init__(self, deployment, ids) -> None:
        watched = ("api", "conductor", "taskmanager")
        self._pids = {
            name: one["pid"]
            for name, one in deployment.processes().items()
            if name.startswith(watched)
        }
        assert len(self._pids) >= len(watched), self._pids
        for id in ids:
            self._pids[f"agent {id}"] = agent(deployment, id)
        self.seen: dict[str, list[Figures]] = {name: [] for name in self._pids}

    def look(self) -> None:
        for name, pid in self._pids.items():
            self.seen[name].append(figures(pid))

    def leaks(self) -> list[str]:
        """What grew from each quarter to the next, and by more than nothing."""
        found = []
        for name, seen in self.seen.items():
            for what in ("resident", "files", "threads"):
                values = [getattr(one, what) for one in seen]
                part = len(values) // 4
                most = [max(values[n * part : (n + 1) * part]) for n in range(4)]
                steady = most[0] <= most[1] < most[2] < most[3]
                grown = most[3] - most[1] > getattr(SLACK, what)
                if what == "threads" and most[3] <= POOL:
                    continue
                if steady and grown:
                    found.append(f"{name}: {what} {values}")
        return found


def agent(deployment, id) -> int:
    """The host's number of a guest's agent."""
    unit = ("systemctl", "show", "-P", "MainPID", "trove-guestagent")
    inside, server = deployment.inside(id, *unit).strip(), deployment.container(id)
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if server not in (place / "cgroup").read_text():
                continue
            numbers = next(x for x in status(place) if x.startswith("NSpid")).split()
            if numbers[-1] == inside:
                return int(place.name)
    raise AssertionError(f"the agent of {id} does not run")


def status(place) -> list[str]:
    return (place / "status").read_text().splitlines()


def figures(pid: int) -> Figures:
    """It and what it started."""
    resident = files = threads = 0
    for each in (pid, *children(pid)):
        place = pathlib.Path("/proc", str(each))
        said = dict(line.partition(":")[::2] for line in status(place))
        resident += int(said["VmRSS"].split()[0])
        threads += int(said["Threads"])
        files += len(list((place / "fd").iterdir()))
    return Figures(resident, files, threads)


def children(pid: int) -> list[int]:
    told = pathlib.Path("/proc", str(pid), "task", str(pid), "children").read_text()
    return [int(word) for word in told.split()]


# -- the soak


@pytest.fixture
def pair(deployment, demo):
    """One of each datastore, which nobody else uses."""
    made = [
        demo.create(datastore, f"soak-{datastore}", [USER]) for datastore in VERSIONS
    ]
    yield [demo.wait(id) for id in made]
    for id in made:
        demo.delete(id)
    for id in made:
        demo.gone(id)


def test_no_fault_is_told_of_a_healthy_database(deployment, demo, pair):
    """INV-20, T14, T15: the other half of the promise, and nothing grows meanwhile."""
    until("nothing is under way", lambda: quiet(deployment))
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(Busy())
        clients = [stack.enter_context(Client(demo, shown)) for shown in pair]
        reports = Reports(deployment)
        processes = Processes(deployment, reports.guests)
        begun, users = time.monotonic(), 0
        while (age := time.monotonic() - begun) < WARM + SECONDS:
            reports.look()
            for shown in pair if users <= age // 5 else ():
                seen = demo.show(shown["id"])
                words = (seen["status"], seen["operating_status"])
                assert words == ("ACTIVE", "HEALTHY"), (seen, reports.faults)
            users = int(age // 5) + 1
            taken = len(next(iter(processes.seen.values())))
            if age >= WARM + taken * SECONDS / PARTS:
                processes.look()
                tell(age, reports, clients, processes, busy)
            time.sleep(0.5)  # between two looks
        processes.look()
    tell(SECONDS + WARM, reports, clients, processes, busy)
    assert reports.faults == []
    assert [client.fault for client in clients] == [None, None]
    assert max(guest.lag for guest in reports.guests.values()) < SILENT_AFTER
    assert processes.leaks() == []
    for name, seen in processes.seen.items():
        if name.startswith("agent"):
            assert max(one.resident for one in seen) <= BUDGET, (name, seen)
    assert busy.seen[-1] > (os.cpu_count() or 1), "it was no load"


def quiet(deployment) -> bool:
    held = "SELECT 1 FROM operations WHERE lock_key IS NOT NULL"
    sick = "SELECT 1 FROM guest_reports WHERE service != 'healthy'"
    return not deployment.rows(held) and not deployment.rows(sick)


def tell(age, reports, clients, processes, busy) -> None:
    """The figures so far."""
    lags = [f"{guest.lag:.1f}" for guest in reports.guests.values()]
    heard = sum(guest.seq - guest.first for guest in reports.guests.values())
    print(
        f"{age:.0f} s: load {busy.seen[-1] if busy.seen else 0:.1f}, "
        f"{heard} reports, longest silence of each {lags} s, "
        f"queries {[client.queries for client in clients]}, "
        f"slowest {[round(client.slowest, 2) for client in clients]} s",
        flush=True,
    )
    for name, seen in processes.seen.items():
        first, last = seen[0], seen[-1]
        print(
            f"  {name}: {first.resident / 1024:.1f} -> {last.resident / 1024:.1f} MiB, "
            f"files {first.files} -> {last.files}, "
            f"threads {first.threads} -> {last.threads}",
            flush=True,
        )
