# SPDX-License-Identifier: Apache-2.0
"""The agent is killed at each step of a job, and its server is rebooted (T04).

The order is taken up by the next life of the agent; what was made is not made again
(INV-11), and the instance ends ACTIVE with all that was asked for. Backup, restore and
promotion have theirs where those are tested.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
import typing

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, ask, until
from tests.system.faults.conftest import LONG

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
STEPS = (5, 20, 30, 60, 75, 80, 90)
"""What the job says after: order, volume, configured, initialised, started, databases,
accounts (``trove/guestagent/deeds.py``)."""
INITIALISED = 60
SHORT = [("mariadb", 5), ("mariadb", 30), ("mariadb", 75)]
SHORT += [("postgresql", 20), ("postgresql", 60), ("postgresql", 90)]
AIMS = [(name, step) for name in VERSIONS for step in STEPS] if LONG else SHORT
FIRST_FILE = {
    "mariadb": "srv/mariadb/data/ibdata1",
    "postgresql": "srv/postgresql/data/PG_VERSION",
}
"""Made once, when the data directory is; another inode is another directory."""


@dataclasses.dataclass
class Guest:
    """A guest that boots, seen from the machine under it."""

    deployment: Deployment
    id: str
    pid: int
    """Of the process that is its init."""

    @property
    def root(self) -> pathlib.Path:
        return pathlib.Path(f"/proc/{self.pid}/root")

    def cut_off(self) -> None:
        """kill -9 of the agent and of the child that works for it."""
        for pid in self.agents():
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)

    def jobs(self, kind: str) -> list[dict[str, typing.Any]]:
        """The files of that kind in the ledger of its job ``prepare``."""
        found = self.root.glob(f"var/lib/trove-guest/jobs/*prepare*.{kind}")
        return [json.loads(path.read_text()) for path in found]

    def progress(self) -> int:
        """How far prepare is; 100 when it has ended."""
        for said in self.jobs("out"):
            return 100 if said["state"] else int(said["progress"])
        return 0

    def agents(self) -> list[int]:
        """The agent and its children."""
        return [pid for pid, argv in self.processes() if b"trove." in argv]

    def agent(self) -> int:
        """The agent alone."""
        agents = self.processes()
        return next(pid for pid, argv in agents if b"trove.cmd.guestagent" in argv)

    def processes(self) -> list[tuple[int, bytes]]:
        """Each of the guest's, with its words."""
        found = []
        own = os.readlink(f"/proc/{self.pid}/ns/pid")
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "ns/pid") == own:
                    argv = (folder / "cmdline").read_bytes()
                    found.append((int(folder.name), argv))
            except OSError:  # it ended
                continue
        return found

    def name(self, pid: int) -> bytes:
        """Of one of its processes."""
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_bytes()
        except OSError:  # it ended
            return b""


def booting(deployment: Deployment, id: str) -> Guest:
    """As soon as its init runs."""
    until(
        f"{id} waits for its guest",
        lambda: deployment.at_step(id, "instance.create", "wait_for_guest"),
    )
    return running(deployment, id)


def running(deployment: Deployment, id: str) -> Guest:
    """One whose init runs."""
    place = str(deployment.place.cloud / "servers")
    told = subprocess.run(
        ["lxc-info", "-P", place, "-n", deployment.container(id), "-p", "-H"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return Guest(deployment, id, int(told.stdout))


@contextlib.contextmanager
def hurried() -> typing.Iterator[None]:
    """Before others on a loaded machine: what is looked for is over in a moment."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def killed_at(guest: Guest, step: int) -> int:
    """kill -9 of agent and child once prepare is there; where it really was."""
    end = time.monotonic() + 120
    with hurried():
        while (seen := guest.progress()) < step:
            assert time.monotonic() < end, f"prepare never was at {step}, but at {seen}"
            time.sleep(0.001)
        guest.cut_off()
    return guest.progress()


def killed_underway(
    deployment: Deployment, demo: User, datastore: str, step: int
) -> tuple[str, Guest, int]:
    """An instance whose agent died with its job half done, and where that was.

    A job that was done first shows nothing: another instance is made, twice at most.
    """
    for _ in range(3):
        id = demo.create(datastore, f"prepare-{step}", [USER])
        guest = booting(deployment, id)
        at = killed_at(guest, step)
        print(f"{datastore}: aimed at {step} %, killed at {at} %")
        if at < 100:
            break
        demo.delete(id)
        demo.gone(id)
    return id, guest, at


def reboot(deployment: Deployment, id: str) -> None:
    """The server's power is cut, and it boots."""
    server = deployment.rows("SELECT server_id FROM instances WHERE id = ?", id)
    cloud = deployment.cloud()
    try:
        cloud.compute.reboot(server[0][0], hard=True)
    finally:
        cloud.close()


@pytest.mark.parametrize(("datastore", "step"), AIMS)
def test_the_agent_dies_at_each_step_of_prepare_and_its_server_is_rebooted(
    deployment: Deployment, demo: User, datastore: str, step: int
) -> None:
    id, guest, at = killed_underway(deployment, demo, datastore, step)
    assert step <= at < 100, "it was done before it died: nothing is shown"
    first = guest.root / FIRST_FILE[datastore]
    inode = first.stat().st_ino if at >= INITIALISED else None
    reboot(deployment, id)
    shown = demo.wait(id)
    with demo.connect(shown, "ada", "correct horse", "shop") as connection:
        assert ask(connection, "SELECT 1")[0][0] == 1
    jobs = deployment.inside(id, "sh", "-c", "cat /var/lib/trove-guest/jobs/*.job")
    assert '"tries": 2' in jobs, jobs
    if inode is not None:
        found = deployment.inside(id, "stat", "-c", "%i", f"/{FIRST_FILE[datastore]}")
        assert int(found) == inode, "the data directory was made a second time"
    listed = demo.ask("GET", f"/instances/{id}/databases").json()["databases"]
    assert [one["name"] for one in listed] == ["shop"]
    demo.delete(id)
    demo.gone(id)


GROWS = "/usr/sbin/xfs_growfs"
WAITS = """#!/bin/sh
{first}
touch /run/there
exec sleep 600
"""
MOMENTS = {"before": ":", "after": f'{GROWS}.real "$@"'}
"""The file system has not begun to grow; it has, and nobody was told."""


@pytest.fixture(scope="module")
def grown(deployment: Deployment, demo: User) -> typing.Iterator[str]:
    id = demo.create("mariadb", "grow", [USER])
    demo.wait(id)
    yield id
    demo.delete(id)
    demo.gone(id)


@pytest.mark.parametrize(("moment", "size"), [("before", 2), ("after", 3)])
def test_the_agent_dies_while_a_file_system_grows_and_its_server_is_rebooted(
    deployment: Deployment, demo: User, grown: str, moment: str, size: int
) -> None:
    waits = WAITS.format(first=MOMENTS[moment])
    deployment.inside(grown, "mv", GROWS, f"{GROWS}.real")
    deployment.inside(grown, "/usr/bin/tee", GROWS, input=waits)
    deployment.inside(grown, "chmod", "755", GROWS)
    guest = running(deployment, grown)
    body = {"resize": {"volume": {"size": size}}}
    answer = demo.ask("POST", f"/instances/{grown}/action", body)
    assert answer.status_code == 202, answer.text
    until("the file system is at it", (guest.root / "run/there").exists)
    guest.cut_off()
    deployment.inside(grown, "mv", f"{GROWS}.real", GROWS)
    reboot(deployment, grown)
    demo.wait(grown)

    def larger() -> bool:
        shown = demo.show(grown)
        assert shown is not None and shown["status"] != "ERROR", shown
        words = ("df", "--output=size", "-BM", "/srv/mariadb")
        total = deployment.inside(grown, *words).split()[-1].rstrip("M")
        return shown["volume"]["size"] == size and int(total) > 1024 * (size - 0.3)

    until("its file system has grown", larger)
    with demo.connect(demo.wait(grown), "ada", "correct horse", "shop") as connection:
        assert ask(connection, "SELECT 1")[0][0] == 1
