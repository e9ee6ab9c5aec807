# SPDX-License-Identifier: Apache-2.0
"""A sick database is told in fifteen seconds, with what ails it (T14)."""

import dataclasses
import time

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
PLACES = {
    "mariadb": ("/srv/mariadb", "mariadb.service"),
    "postgresql": ("/srv/postgresql", "trove-postgresql.service"),
}
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


def test_the_agent_is_small_after_all_that(patient):
    """At most 60 MB resident."""
    pid = patient.inside("systemctl", "show", "-P", "MainPID", "trove-guestagent")
    status = patient.inside("cat", f"/proc/{pid}/status")
    resident = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    print(f"{patient.datastore}: agent {int(resident.split()[1]) / 1024:.1f} MiB")
    assert int(resident.split()[1]) <= 60 * 1024
