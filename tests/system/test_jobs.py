# SPDX-License-Identifier: Apache-2.0
"""The agent is killed in the middle of a job of a living database (T04, INV-11).

With agent and child dead the server is rebooted. What was asked for is then in force,
the database serves, its status is right, and the operation ended once. ``prepare``
and the growing file system have theirs in ``test_prepare.py``.
"""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import signal
import typing

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, until
from tests.system.faults.conftest import LONG
from tests.system.test_groups import LIVE, Owner
from tests.system.test_modules import FIRST, made, on
from tests.system.test_prepare import Guest, reboot, running

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

Plain = dict[str, typing.Any]
Ask = typing.Callable[[], typing.Any]

SERVERS = {"mariadb": b"mariadbd", "postgresql": b"postgres"}
MOMENTS = ("begun", "written", "done")
"""Nothing is done yet; the files are written, and the engine knows nothing; it is done,
and nobody was told."""
SHORT = [("mariadb", "written"), ("mariadb", "done"), ("postgresql", "begun")]
AIMS = [(name, moment) for name in VERSIONS for moment in MOMENTS] if LONG else SHORT


APPLY = ("begun", "done") if LONG else ("begun",)


class Job:
    """What a guest's ledger has of a method since this was made."""

    def __init__(self, guest: Guest, method: str) -> None:
        self.guest, self.method = guest, method
        self._known = {path.name for path in self._files()}

    def _files(self) -> list[pathlib.Path]:
        where = self.guest.root / "var/lib/trove-guest/jobs"
        return list(where.glob(f"*{self.method}*.job"))

    def found(self, suffix: str = ".job") -> Plain:
        """Its file, or what its child said; nothing, if there is none."""
        for path in self._files():
            if path.name not in self._known:
                with contextlib.suppress(OSError):
                    said = json.loads(path.with_suffix(suffix).read_text())
                    return typing.cast(Plain, said)
        return {}

    def begun(self) -> bool:
        """Its child runs, or waits for the lock."""
        return self.found().get("state") == "running"

    def done(self) -> bool:
        """Its child has said its last word."""
        return self.found(".out").get("state") == "done"


@contextlib.contextmanager
def locked(guest: Guest) -> typing.Iterator[None]:
    """No child of the guest works meanwhile."""
    path = guest.root / "var/lib/trove-guest/jobs/lock"
    with path.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def asleep(guest: Guest, name: bytes) -> typing.Iterator[None]:
    """The processes of that name do nothing meanwhile."""
    pids = [pid for pid, _ in guest.processes() if name in guest.name(pid)]
    assert pids, f"there is no {name!r}"
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def killed(
    guest: Guest,
    job: Job,
    moment: str,
    ask: Ask,
    name: bytes = b"",
    written: typing.Callable[[], bool] = lambda: False,
) -> None:
    """Asks for the job, and kills agent and child at the moment."""
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        if moment == "written":
            with asleep(guest, name):
                told = beside.submit(ask)
                until("its values are written", written)
                assert not job.done()
                guest.cut_off()
        else:
            with locked(guest):
                told = beside.submit(ask)
                until("its child waits", job.begun)
                if moment == "begun":
                    guest.cut_off()
                else:
                    os.kill(guest.agent(), signal.SIGSTOP)
            if moment == "done":
                until("its child is done", job.done)
                guest.cut_off()
        reboot(guest.deployment, guest.id)
        assert told.result(60).status_code < 300, told.result().text


@pytest.fixture(scope="module")
def owners(demo: User) -> typing.Iterator[typing.Callable[[str], Owner]]:
    """One instance of each datastore, which has a group."""
    there: dict[str, Owner] = {}

    def owner(datastore: str) -> Owner:
        if datastore not in there:
            there[datastore] = Owner(demo, datastore)
            there[datastore].has(there[datastore].group)
        return there[datastore]

    yield owner
    for each in there.values():
        demo.delete(each.id)
        demo.gone(each.id)


@pytest.mark.parametrize(("datastore", "moment"), AIMS)
def test_the_agent_dies_while_a_group_is_applied_and_its_server_is_rebooted(
    deployment: Deployment,
    demo: User,
    owners: typing.Callable[[str], Owner],
    datastore: str,
    moment: str,
) -> None:
    owner = owners(datastore)
    name, _, shown = LIVE[datastore]
    value = 700 + MOMENTS.index(moment)
    guest = running(deployment, owner.id)
    job = Job(guest, "configure")

    def ask() -> typing.Any:
        body = {"configuration": {"values": {name: value}}}
        return demo.ask("PATCH", f"/configurations/{owner.group}", body)

    def written() -> bool:
        (file,) = (guest.root / f"etc/trove-{datastore}").glob("50-group*")
        return str(value) in file.read_text()

    killed(guest, job, moment, ask, SERVERS[datastore], written)
    until("it is at rest", lambda: at_rest(deployment, owner.id, "instance.configure"))
    demo.wait(owner.id)
    assert owner.value(name) == shown.replace(shown.rstrip("kB"), str(value))
    assert owner.status() in ("ACTIVE", "HEALTHY")
    job.guest = running(deployment, owner.id)
    tries = job.found()["tries"]
    assert (tries == 1) == (moment == "done"), "what is done is not done again"
    told = demo.ask("GET", f"/instances/{owner.id}/events?limit=100").json()["events"]
    ends = [one["type"] for one in told if one["type"].startswith("instance.configure")]
    assert ends.count("instance.configure.end") * 2 == len(ends), ends


@pytest.mark.parametrize("moment", APPLY)
def test_the_agent_dies_while_a_module_is_applied_and_its_server_is_rebooted(
    deployment: Deployment,
    demo: User,
    owners: typing.Callable[[str], Owner],
    moment: str,
) -> None:
    id, module = owners("mariadb").id, made(demo, f"killed-{moment}")
    guest = running(deployment, id)
    job = Job(guest, "apply_module")
    body = {"modules": [{"id": module}]}
    killed(
        guest, job, moment, lambda: demo.ask("POST", f"/instances/{id}/modules", body)
    )
    until("it is at rest", lambda: at_rest(deployment, id, "instance.modules"))
    demo.wait(id)
    said = on(demo, id, "?from_guest=1")[module]
    assert (said["status"], said["message"]) == ("OK", FIRST)
    job.guest = running(deployment, id)
    assert (job.found()["tries"] == 1) == (moment == "done")


def at_rest(deployment: Deployment, id: str, kind: str) -> bool:
    """Its operations of that kind are done, all of them."""
    rows = deployment.rows(
        "SELECT state FROM operations WHERE object_id = ? AND kind = ?", id, kind
    )
    states = {state for (state,) in rows}
    assert not states & {"failed", "stuck"}, states
    return states == {"done"}
