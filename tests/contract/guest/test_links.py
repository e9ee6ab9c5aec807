# SPDX-License-Identifier: Apache-2.0
"""S2: links planted beforehand at every path the agent writes are never followed."""

import os
import time

import pytest

from trove import errors
from trove.rpc import sealing
from trove.rpc.messages import Plan

pytestmark = [
    pytest.mark.root,
    pytest.mark.rabbitmq,
    # oslo.messaging leaves the socket of a connection that broke to the collector
    pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning"),
]

GIVEN = {"etc/guest.conf"}
SHM = "/dev/shm"


def live(conductor, machine):
    """A whole life: enrolled, prepared, healthy, restarted."""
    machine.start()
    conductor.wait(machine.instance, lambda report: report.service == "new")
    plan = Plan(
        "toy",
        "1",
        512,
        1,
        7,
        None,
        "xfs",
        sealed=sealing.seal(conductor.keys[machine.instance], {"users": []}),
    )
    ordered(machine, plan)
    conductor.wait(machine.instance, lambda report: report.service == "healthy")
    machine.stop()
    machine.start()
    machine.guest().job(job="op/prepare")


def ordered(machine, plan, within=30.0):
    """Again, as an operation does, while the agent's queue is not there yet."""
    end = time.monotonic() + within
    while True:
        try:
            return machine.guest().prepare(job="op/prepare", plan=plan)
        except errors.GuestSilent:
            assert time.monotonic() < end
            time.sleep(0.2)


def written(machine):
    """Every file there is after such a life, relative to the machine's home."""
    return sorted(
        str(path.relative_to(machine.home))
        for top in (machine.state, machine.etc)
        for path in top.rglob("*")
        if path.is_file()
    )


def test_a_link_at_any_path_is_replaced_or_refused(
    conductor, machine, node, wire, tmp_path_factory
):
    before = set(os.listdir(SHM))
    live(conductor, machine)
    paths = [path for path in written(machine) if path not in GIVEN]
    assert len(paths) > 12
    assert not [name for name in set(os.listdir(SHM)) - before if "guest" in name]

    home = tmp_path_factory.mktemp("planted")
    victim = home / "victim"
    victim.write_text("precious")
    second = type(machine)(home, node, wire)
    try:
        for path in paths:
            # The lock of jobs is opened, not replaced: see the next test
            if path.endswith("/lock"):
                continue
            (home / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (home / path).symlink_to(victim)
        # What would be read from there is not: a link is no state of ours
        for path in paths:
            if path.endswith((".json", ".job", ".out", "boot")):
                (home / path).unlink(missing_ok=True)
        live(conductor, second)
        assert victim.read_text() == "precious"
        left = [path for path in paths if (home / path).is_symlink()]
        assert left == []
    finally:
        second.end()


@pytest.mark.parametrize("where", ["state/jobs", "state/tls", "state"])
def test_a_link_in_the_place_of_a_directory_is_refused(
    conductor, machine, tmp_path, where
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    if "/" in where:
        machine.state.mkdir(mode=0o700)
    (tmp_path / where).symlink_to(elsewhere)
    machine.start()
    assert machine.agent.wait(30) != 0
    assert os.listdir(elsewhere) == []
    assert elsewhere.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["boot", "identity.json", "guest.json", "jobs/lock"])
def test_a_link_in_the_place_of_the_state_is_not_read(
    conductor, machine, tmp_path, name
):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (machine.state / "jobs").mkdir(parents=True, mode=0o700)
    (machine.state / name).symlink_to(victim)
    machine.start()
    if name == "jobs/lock":
        conductor.wait(machine.instance, lambda report: report.service == "new")
        machine.guest().restart_database(job="op/restart")
        conductor.wait(
            machine.instance,
            lambda report: [job.state for job in report.jobs] == ["failed"],
        )
    elif name == "guest.json":
        conductor.wait(machine.instance, lambda report: report.service == "new")
        assert not (machine.state / name).is_symlink()
    else:
        assert machine.agent.wait(30) != 0
    assert victim.read_text() == "precious"
