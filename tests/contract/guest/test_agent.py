# SPDX-License-Identifier: Apache-2.0
"""The whole agent, as a process, with a real broker and a toy engine."""

import datetime
import os
import pathlib
import signal

import pytest

from trove.guestagent import enrolment
from trove.rpc import sealing
from trove.rpc.messages import DatabaseOrder, Plan

pytestmark = [
    pytest.mark.root,
    pytest.mark.rabbitmq,
    # oslo.messaging leaves the socket of a connection that broke to the collector
    pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning"),
]

MIB = 1024 * 1024
BUDGET = 60 * 1000 * 1000
PASSWORD = "unforgettable-canary-9c1f"


def plan(conductor, machine):
    secret = {
        "users": [
            {"name": "ann o'neil", "host": None, "password": PASSWORD, "databases": []}
        ]
    }
    return Plan(
        datastore="toy",
        version="1",
        memory=512,
        vcpus=1,
        server_id=7,
        device=None,
        fstype="xfs",
        databases=(DatabaseOrder("shop"),),
        sealed=sealing.seal(conductor.keys[machine.instance], secret),
    )


def prepared(conductor, machine):
    machine.start()
    conductor.wait(machine.instance, lambda report: report.service == "new")
    machine.guest().prepare(job="op/prepare", plan=plan(conductor, machine))
    return conductor.wait(machine.instance, lambda report: report.service == "healthy")


def accepts(node, machine, password):
    return enrolment.accepts(
        node.access.guest_hosts,
        "/trove-guests",
        f"guest-{machine.instance}",
        password,
        node.access.ca_file,
    )


def files(machine):
    for top in (machine.state, machine.etc):
        for path in top.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


def test_from_nothing_to_healthy(conductor, machine, node):
    report = prepared(conductor, machine)
    assert (report.role, report.position, report.version) == ("primary", "7", "1.0")
    assert report.disk_total > report.disk_used > 0
    assert report.certificate_expires
    done = conductor.wait(
        machine.instance,
        lambda report: any(job.state == "done" for job in report.jobs),
    )
    assert [(job.id, job.progress) for job in done.jobs] == [("op/prepare", 100)]
    assert (machine.data / "databases/shop").exists()
    account = machine.data / "accounts/ann%20o%27neil"
    assert account.read_text() == PASSWORD

    # The bootstrap credential is of no use any more, and is nowhere
    assert not accepts(node, machine, machine.bootstrap)
    for path, content in files(machine):
        assert machine.bootstrap.encode() not in content, path
        assert PASSWORD.encode() not in content, path
    assert machine.bootstrap not in machine.log
    assert PASSWORD not in machine.log

    # A job that is known is answered, and then not reported any more
    assert machine.guest().job(job="op/prepare").state == "done"
    assert machine.guest().job(job="op/other") is None
    conductor.forget()
    conductor.wait(machine.instance, lambda report: report.jobs == ())

    # It stays small
    assert report.rss < BUDGET
    assert machine.rss < BUDGET, machine.rss
    print(f"idle agent: {machine.rss / 1e6:.1f} MB resident")
    assert machine.stop() == 0


def test_the_database_outlives_the_agent_and_is_found_again(conductor, machine):
    prepared(conductor, machine)
    database = machine.database
    first = max(report.boot for _, report in conductor.reports)
    machine.kill()
    os.kill(database, 0)
    conductor.forget()
    machine.start()
    report = conductor.wait(
        machine.instance, lambda report: report.service == "healthy"
    )
    assert report.boot == first + 1
    assert machine.database == database
    machine.guest().prepare(job="op/prepare", plan=plan(conductor, machine))
    conductor.forget()
    conductor.wait(
        machine.instance,
        lambda report: [job.state for job in report.jobs] == ["done"],
    )
    calls = (machine.home / "toy/calls").read_text().split()
    assert calls.count("initialise") == 1


def test_a_certificate_is_renewed_by_a_living_agent(conductor, machine):
    """Two thirds of it are over when it comes: a minute's life, and five old."""
    conductor.days = 60 / 86400
    try:
        first = prepared(conductor, machine)
    finally:
        conductor.days = 30.0
    database = machine.database
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    later = conductor.wait(
        machine.instance,
        lambda report: (report.certificate_expires or "") > tomorrow.isoformat(),
    )
    conductor.wait(machine.instance, lambda report: report.service == "healthy")
    assert later.boot == first.boot, "the agent did not start again for it"
    renewed = [entry for entry in conductor.renewed if entry[0] == machine.instance]
    assert len(renewed) == 1
    pair = machine.state / "tls/server.pem"
    assert pair.stat().st_mode & 0o777 == 0o600
    assert machine.database == database
    # The engine's copies are replaced with it
    wait_for(lambda: (machine.etc / "tls/server.pem").read_text() == pair.read_text())


def test_a_renewal_that_fails_is_told_in_time_and_the_old_one_serves(
    conductor, machine
):
    conductor.days, conductor.refuse = 60 / 86400, True
    try:
        machine.start()
        conductor.wait(machine.instance, lambda report: report.service == "new")
        machine.guest().prepare(job="op/prepare", plan=plan(conductor, machine))
        red = conductor.wait(
            machine.instance, lambda report: report.service == "running", within=60
        )
        assert "certificate" in red.why
        assert "could not be renewed" in machine.log
        serving = (machine.etc / "tls/server.pem").read_text()
        assert "BEGIN CERTIFICATE" in serving
        assert not conductor.renewed or conductor.renewed[-1][0] != machine.instance
    finally:
        conductor.days, conductor.refuse = 30.0, False
    # Whoever starts again asks again
    machine.kill()
    conductor.forget()
    machine.start()
    conductor.wait(machine.instance, lambda report: report.service == "healthy")


def test_restart_and_stop(conductor, machine):
    prepared(conductor, machine)
    before = machine.database
    machine.guest().restart_database(job="op/restart_database")
    conductor.wait(
        machine.instance,
        lambda report: (
            ("op/restart_database", "done")
            in [(job.id, job.state) for job in report.jobs]
        ),
    )
    assert machine.database != before
    conductor.forget()
    conductor.wait(machine.instance, lambda report: report.service == "healthy")
    machine.guest().stop_database(job="op/stop_database")
    conductor.wait(machine.instance, lambda report: report.service == "stopped")
    # It stays stopped when the agent starts again
    assert machine.stop() == 0
    conductor.forget()
    machine.start()
    conductor.wait(machine.instance, lambda report: report.service == "stopped")


def test_a_frozen_and_a_dead_database_are_told_in_time(conductor, machine):
    prepared(conductor, machine)
    conductor.forget()
    os.kill(machine.database, signal.SIGSTOP)
    frozen = conductor.wait(
        machine.instance, lambda report: report.service == "running", within=15
    )
    assert "not answer" in frozen.why
    os.kill(machine.database, signal.SIGCONT)
    conductor.forget()
    conductor.wait(machine.instance, lambda report: report.service == "healthy")
    os.kill(machine.database, signal.SIGKILL)
    conductor.wait(
        machine.instance, lambda report: report.service == "crashed", within=15
    )


def test_enrolment_is_taken_up_where_the_agent_died(conductor, machine, node):
    """Our password is taken already, and the answer never came."""
    conductor.hold.clear()
    try:
        machine.start()
        conductor.wait_enrolled(machine.instance)
        machine.kill()
    finally:
        conductor.hold.set()
    assert not accepts(node, machine, machine.bootstrap)
    machine.start()
    conductor.wait(machine.instance, lambda report: report.service == "new")


def test_a_broker_that_comes_back_finds_the_agent_again(conductor, machine, node):
    prepared(conductor, machine)
    database = machine.database
    node.stop()
    os.kill(database, 0)
    node.start()
    conductor.forget()
    conductor.wait(
        machine.instance, lambda report: report.service == "healthy", within=90
    )
    assert machine.agent.poll() is None
    assert machine.guest().job(job="op/prepare").state == "done"
    assert machine.rss < BUDGET, machine.rss


def test_the_agent_starts_without_a_broker_and_the_database_does_not_wait(
    conductor, machine, node
):
    prepared(conductor, machine)
    os.kill(machine.database, signal.SIGKILL)
    (machine.data / "pid").unlink()
    machine.kill()
    node.stop()
    try:
        machine.start()
        started = machine.data / "pid"
        wait_for(started.exists)
    finally:
        node.start()
    conductor.forget()
    conductor.wait(
        machine.instance, lambda report: report.service == "healthy", within=90
    )


def test_a_deleted_guest_is_cut_off(conductor, machine, node):
    prepared(conductor, machine)
    node.broker.remove_guest(machine.instance)
    wait_for(lambda: "reports are not heard" in machine.log)
    conductor.forget()
    with pytest.raises(AssertionError):
        conductor.wait(machine.instance, lambda report: True, within=6)
    assert machine.agent.poll() is None
    assert machine.stop() in (0, 1)
    assert pathlib.Path(f"/proc/{machine.database}").exists()


def wait_for(found, within=30.0):
    import time

    end = time.monotonic() + within
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)
