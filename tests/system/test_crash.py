# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle: every instance ends ACTIVE or gone (T01, T06)."""

import os
import pathlib
import signal

import pytest

from tests.system.deployment import VERSIONS, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}


def kill_at(deployment, id, kind, step):
    """kill -9 of the taskmanager that holds the operation, as soon as it is there.

    To be called at once after the request: what has ended is held by nobody.
    """
    pid = until(f"{kind} is at {step}", lambda: deployment.at_step(id, kind, step))
    deployment.kill(pid)
    return pid


def whole_again(deployment, *killed):
    """Until another is in the place of each."""

    def replaced():
        pids = {one["pid"] for one in deployment.processes().values()}
        return deployment.all_up() and pids.isdisjoint(killed)

    until("another is in its place", replaced)


def prove(demo, id):
    with demo.connect(demo.wait(id), "ada", "correct horse", "shop") as connection:
        assert ask(connection, "SELECT 1")[0][0] == 1


def test_a_taskmanager_dies_during_creates(deployment, demo):
    """At different steps of two creates, the second while the first is taken over."""
    first, second = VERSIONS
    made = [demo.create(first, f"kill-{first}", [USER])]
    killed = [kill_at(deployment, made[0], "instance.create", "make_volume")]
    made.append(demo.create(second, f"kill-{second}", [USER]))
    killed.append(kill_at(deployment, made[1], "instance.create", "wait_for_guest"))
    whole_again(deployment, *killed)
    for id in made:
        prove(demo, id)
    # and again on the way out
    demo.delete(made[0])
    killed = [kill_at(deployment, made[0], "instance.delete", "delete_server")]
    demo.delete(made[1])
    whole_again(deployment, *killed)
    for id in made:
        demo.gone(id)


def test_the_broker_dies_during_a_create(deployment, demo):
    id = demo.create("postgresql", "without-a-broker", [USER])
    until(
        "its server boots",
        lambda: deployment.at_step(id, "instance.create", "wait_for_guest"),
    )
    for pid in tree(deployment.processes()["rabbitmq"]["pid"]):
        os.kill(pid, signal.SIGKILL)
    prove(demo, id)
    demo.delete(id)
    demo.gone(id)


def test_the_databases_do_not_notice_that_everything_died(deployment, demo):
    """INV-15, in small: every daemon of the control plane is killed at once."""
    id = demo.create("mariadb", "steady", [USER])
    with demo.connect(demo.wait(id), "ada", "correct horse", "shop") as connection:
        ask(connection, "CREATE TABLE t (n INT)")
        before = deployment.processes()
        for name in ("api", "conductor", "taskmanager-1", "taskmanager-2"):
            deployment.kill(before[name]["pid"])
        for n in range(50):
            ask(connection, "INSERT INTO t VALUES (%s)", n)
        until("all is up again", deployment.all_up)
        assert ask(connection, "SELECT count(*) FROM t")[0][0] == 50
    demo.wait(id)
    demo.delete(id)
    demo.gone(id)


def tree(pid):
    """A process and its descendants, children first."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found = [*tree(int(child)), *found]
    return found
