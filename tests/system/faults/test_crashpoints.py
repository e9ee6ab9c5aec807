# SPDX-License-Identifier: Apache-2.0
"""kill -9 at each step of each flow: another taskmanager ends what it began (T01).

Two taskmanagers run. Whichever comes to the point dies there by SIGKILL; the other
takes the operation over when the lease has ended. INV-1 to 8 by the audit, and nothing
is made twice.
"""

import functools

import pytest

from tests.system.faults.conftest import LONG
from tests.system.faults.lab import TASKMANAGERS
from tests.system.faults.points import FLOWS, delete, passed, restart

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

# a few of all: test_they_die_at_every_point_there_is has the rest
CREATE = [
    "after:users.add_guest",
    "after:volumes.create",
    "after:compute.boot",
    "before:instance.create.settle.write",
]
RESTART = ["after:guest.restart_database"]
DELETE = [
    "after:compute.delete",
    "after:instance.delete.settle.write",
]
LIFE = ["group", "port", "server", "volume"]


def die(lab, point, deed):
    """A taskmanager dies there, because of ``deed``; another is started for it."""
    lab.arm(f"kill {point}:1")
    made = deed()
    assert lab.struck().startswith("taskmanager"), point
    lab.restart(*TASKMANAGERS)
    return made


def test_they_die_at_steps_of_create_restart_and_delete(lab, user):
    """Many instances, each the death of one; all become what was asked for."""
    made = [die(lab, point, lambda: user.create("db")) for point in CREATE]
    user.ready(*made, within=60)
    for id in made:
        assert [kind for kind, _ in lab.hands.things(id)] == LIFE
        assert lab.hands.jobs(id) == ["prepare"], "INV-11"
    assert user.usage()["instances"] == (len(made), 0)
    for point, id in zip(RESTART, made, strict=False):
        die(lab, point, lambda id=id: restart(user, id))
    user.ready(*made)
    assert lab.hands.jobs(made[0]) == ["prepare", "restart_database"], "INV-11"
    for point, id in zip(DELETE, made, strict=False):
        die(lab, point, lambda id=id: delete(user, id))
    user.delete(*made)
    assert lab.hands.things() == []
    assert set(user.usage().values()) == {(0, 0)}


@pytest.mark.skipif(not LONG, reason="every point there is: --long")
@pytest.mark.timeout(7200)
def test_they_die_at_every_point_there_is(lab, user):
    """The points are those that an undisturbed life passes; each is met alone."""
    for flow, point, before in passed(lab, user):
        id = die(lab, point, functools.partial(FLOWS[flow], user, before))
        if flow != "delete":
            user.ready(id)
        user.delete(id)
        assert lab.hands.things() == [], point
        assert lab.audit() == [], point
