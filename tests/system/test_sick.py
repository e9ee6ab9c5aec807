# SPDX-License-Identifier: Apache-2.0
"""A sick database is told in fifteen seconds, with what ails it (T14, T15)."""

import contextlib
import dataclasses
import pathlib
import threading
import time
import typing

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
PLACES = {
    "mariadb": ("/srv/mariadb", "mariadb.service"),
    "postgresql": ("/srv/postgresql", "trove-postgresql.service"),
}
ENDED = "the database ended with an error"
PROMISE = 15.0
"""Seconds from the fault to its word in the API."""


@dataclasses.dataclass
class Patient:
    """An instance, and the hands of somebody who makes it ill."""

    deployment: Deployment
    demo: User
    id: str
    datastore: str

    @property
    def data(self) -> str:
        return PLACES[self.datastore][0]

    @property
    def unit(self) -> str:
        return PLACES[self.datastore][1]

    def inside(self, *argv: str) -> str:
        return self.deployment.inside(self.id, *argv).strip()

    def status(self) -> str:
        shown = self.demo.show(self.id)
        assert shown is not None
        assert shown["status"] == "ACTIVE"
        return str(shown["operating_status"])

    def why(self) -> str:
        told = self.deployment.rows(
            "SELECT why FROM guest_reports WHERE instance_id = ?", self.id
        )
        return str(told[0][0] or "")

    def signal(self, name: str) -> None:
        pid = self.inside("systemctl", "show", "-P", "MainPID", self.unit)
        assert int(pid) > 1
        self.inside("kill", f"-{name}", pid)

    def red(self, word: str, why: str, since: float) -> float:
        """Until the API says so and the report says why; the seconds it took."""

        def told() -> bool:
            return self.status() == word and why in self.why()

        until(f"{word}: {why}", told, within=PROMISE)
        took = time.monotonic() - since
        print(f"{self.datastore}: {word} ({self.why()}) after {took:.1f} s")
        return took

    def well(self) -> None:
        self.demo.wait(self.id)

    def restart(self) -> None:
        path = f"/instances/{self.id}/action"
        answer = self.demo.ask("POST", path, {"restart": {}})
        assert answer.status_code == 202, answer.text

    def fault(self) -> str:
        shown = self.demo.show(self.id)
        assert shown is not None
        return str(shown.get("fault", {}).get("message", ""))

    # -- its data

    def query(self, *statements: str) -> object:
        """What the last of them answers."""
        answer = None
        shown = self.demo.wait(self.id)
        with self.demo.connect(shown, "ada", USER["password"], "shop") as line:
            for statement in statements:
                answer = ask(line, statement)
        return answer

    def remember(self, number: int) -> None:
        self.query(
            "CREATE TABLE IF NOT EXISTS kept (n INT)",
            "DELETE FROM kept",
            f"INSERT INTO kept VALUES ({number})",
        )

    def remembers(self, number: int) -> bool:
        return [tuple(row) for row in self.query("SELECT n FROM kept")] == [(number,)]

    # -- its machine

    def reboot(self) -> None:
        """Hard, by the cloud: as an operator does, or a power cut."""
        (server,) = self.deployment.rows(
            "SELECT server_id FROM instances WHERE id = ?", self.id
        )[0]
        boot = self.boot()
        with contextlib.closing(self.deployment.cloud()) as cloud:
            cloud.compute.reboot(server, hard=True)
        until("its agent has started anew", lambda: self.boot() > boot)

    def boot(self) -> int:
        return int(
            self.deployment.rows(
                "SELECT boot FROM guest_reports WHERE instance_id = ?", self.id
            )[0][0]
        )


@pytest.fixture(scope="module", params=VERSIONS)
def patient(request, deployment, demo):
    datastore = request.param
    id = demo.create(datastore, f"sick-{datastore}", [USER])
    demo.wait(id)
    yield Patient(deployment, demo, id, datastore)
    demo.delete(id)
    demo.gone(id)


def test_a_frozen_database(patient):
    """T14: SIGSTOP."""
    since = time.monotonic()
    patient.signal("STOP")
    try:
        patient.red("ACTIVE", "answer", since)
    finally:
        patient.signal("CONT")
    patient.well()


def test_a_killed_database_says_so_and_comes_back(patient):
    """T14: kill -9, which is also what the kernel does when memory is short."""
    since = time.monotonic()
    patient.signal("KILL")
    patient.red("SHUTDOWN", "killed", since)
    patient.well()


@contextlib.contextmanager
def failing(patient: Patient, unit: str, service: str) -> typing.Iterator[str]:
    """What is to be there for it to start; these are lines of its unit meanwhile."""
    place, mended = f"/run/systemd/system/{patient.unit}.d", "/run/mended"
    words = f"[Unit]\n{unit}[Service]\nExecStartPre=/usr/bin/ls {mended}\n{service}"
    patient.inside("mkdir", place)
    try:
        file = ("tee", f"{place}/sick.conf")
        patient.deployment.inside(patient.id, *file, input=words)
        patient.inside("systemctl", "daemon-reload")
        yield mended
    finally:
        patient.inside("rm", "-r", "-f", place, mended)
        patient.inside("systemctl", "daemon-reload")


def test_one_that_failed_often_is_started_for_who_asks(patient):
    """systemd refuses such a one, which is for what it starts by itself."""
    patient.remember(40)
    limit = "StartLimitIntervalSec=900\nStartLimitBurst=5\n"

    def state():
        return patient.inside("systemctl", "show", "-P", "ActiveState", patient.unit)

    with failing(patient, limit, "RestartSec=0\n") as mended:
        patient.inside("systemctl", "restart", "--no-block", patient.unit)
        until("systemd gives it up", lambda: state() == "failed")
        patient.red("SHUTDOWN", ENDED, time.monotonic())
        patient.inside("touch", mended)
        patient.restart()
        patient.well()
    assert patient.remembers(40)


def test_one_that_ends_without_an_error_of_its_own(patient):
    """Its last words are the fault: its user reads no journal of the server's."""
    with failing(patient, "", "Restart=no\n") as mended:
        patient.restart()
        told = until("it is told why", patient.fault)
        last = f"/usr/bin/ls: cannot access '{mended}'"
        assert f"{ENDED}; it wrote last: {last}" in told
        patient.red("SHUTDOWN", ENDED, time.monotonic())
        patient.inside("touch", mended)
        patient.restart()
        patient.well()


def test_a_full_disk(patient):
    """T14. The data that fill it are removed again, and writes are allowed."""
    filler = f"{patient.data}/filler"
    free = patient.inside("stat", "-f", "-c", "%a %S", patient.data).split()
    size = int(free[0]) * int(free[1]) - 16 * 1024 * 1024
    since = time.monotonic()
    patient.inside("fallocate", "-l", str(size), filler)
    try:
        patient.red("BLOCKED", "the disk is full", since)
    finally:
        patient.inside("rm", filler)
    patient.well()


def test_a_disk_that_fails(patient):
    """T15: the kernel shuts the file system down under the running database."""
    patient.remember(41)
    since = time.monotonic()
    patient.inside("xfs_io", "-x", "-c", "shutdown -f", patient.data)
    try:
        until("red", lambda: patient.status() != "HEALTHY", within=PROMISE)
        until(
            "it says what fails",
            lambda: "the data's file system fails: Input/output" in patient.why(),
            within=PROMISE - (time.monotonic() - since),
        )
        print(f"{patient.datastore}: {patient.why()}: {time.monotonic() - since:.1f} s")
    finally:
        patient.reboot()
    patient.well()
    assert patient.remembers(41)


def test_a_guest_whose_volume_is_missing_never_begins_anew(patient):
    """T15: nothing is made on the empty mount point, by the agent or by systemd."""
    patient.remember(42)
    device = patient.inside("findmnt", "-n", "-o", "SOURCE", patient.data)
    hidden = f"/root/{pathlib.Path(device).name}"
    patient.inside("systemctl", "stop", "trove-guestagent", patient.unit)
    patient.inside("umount", patient.data)
    patient.inside("mv", device, hidden)
    try:
        patient.inside("systemctl", "start", "trove-guestagent")
        missing = "it did not appear"
        until("it is told", lambda: missing in patient.why(), within=PROMISE)
        assert patient.status() == "SHUTDOWN"
        state = patient.inside("systemctl", "show", "-P", "ActiveState", patient.unit)
        assert state in ("inactive", "failed")
        assert patient.inside("ls", "-A", patient.data) == ""
    finally:
        patient.inside("mv", hidden, device)
    patient.well()  # by itself, as soon as the volume is back
    assert patient.remembers(42)


HOG = """
import os, sys, time
open("/proc/self/oom_score_adj", "w").write("-1000")
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
held, end = [], time.monotonic() + 4
while time.monotonic() < end:
    held += [b"x" * (4 << 20)] if len(held) < 60 else []
    time.sleep(0.02)
"""
"""Sits in the database's cgroup, takes its memory, and is not chosen to die for it."""


def test_a_database_that_the_kernel_kills_for_its_memory(patient):
    """T14: by the limit of its own cgroup; it is told, and comes back by itself.

    PostgreSQL's first process is not chosen, and outlives its children: what is killed
    is one of those, and there may be nothing to tell of a second without connections.
    """
    patient.remember(43)
    where = patient.inside("systemctl", "show", "-P", "ControlGroup", patient.unit)
    one = patient.inside("stat", "-f", "-c", "%T", "/sys/fs/cgroup") == "cgroup2fs"
    group = f"/sys/fs/cgroup{'' if one else '/memory'}{where}"
    counter = f"{group}/memory.{'current' if one else 'usage_in_bytes'}"
    limit = int(patient.inside("cat", counter)) + (32 << 20)
    order = ("systemctl", "set-property", "--runtime", patient.unit)
    patient.inside(*order, f"MemoryMax={limit}")
    before = killed(patient, group)
    since = time.monotonic()
    hog = threading.Thread(target=hold, args=(patient, group))
    hog.start()
    try:
        if patient.datastore == "mariadb":
            patient.red("SHUTDOWN", "killed", since)
        else:
            until("the kernel kills", lambda: killed(patient, group) > before, PROMISE)
    finally:
        hog.join()
        patient.inside(*order, "MemoryMax=infinity")
    patient.well()
    assert patient.remembers(43)


def killed(patient, group):
    """How many processes of the cgroup were killed for its memory."""
    first = group.startswith("/sys/fs/cgroup/memory/")
    file = "memory.oom_control" if first else "memory.events"
    said = patient.inside("cat", f"{group}/{file}")
    return next(int(x.split()[1]) for x in said.splitlines() if "oom_kill " in x)


def hold(patient, group):
    """systemd ends it with the unit that it sits in."""
    with contextlib.suppress(AssertionError):
        patient.inside("/usr/bin/python3", "-c", HOG, group)


def test_the_agent_is_small_after_all_that(patient):
    """At most 60 MB resident."""
    pid = patient.inside("systemctl", "show", "-P", "MainPID", "trove-guestagent")
    status = patient.inside("cat", f"/proc/{pid}/status")
    resident = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    print(f"{patient.datastore}: agent {int(resident.split()[1]) / 1024:.1f} MiB")
    assert int(resident.split()[1]) <= 60 * 1024
