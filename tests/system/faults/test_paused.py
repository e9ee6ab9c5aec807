# SPDX-License-Identifier: Apache-2.0
"""A taskmanager that sleeps longer than its lease, and comes back (T05).

It is stopped by SIGSTOP where it hurts most: its lease was just checked, the next thing
that it does is the call. The other takes over; the sleeper's late call is refused by
the cloud, or what it makes belongs to nobody and goes (INV-2, 6, 9).
"""

import signal

import pytest

from tests.system.faults.conftest import LONG
from tests.system.faults.lab import MORE
from tests.system.faults.servers import until

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]


def asleep(lab, point, deed):
    """A taskmanager is stopped there; it still sleeps."""
    lab.arm(f"stop {point}:1")
    made = deed()
    name = lab.struck()
    assert name.startswith("taskmanager")
    return made, lab.daemons[name]


def woken(daemon):
    """It comes back, and learns that it was replaced, in its own words."""
    before = daemon.log.stat().st_size
    daemon.send(signal.SIGCONT)
    until(
        "the sleeper is told",
        lambda: "taken over by another worker" in tail(daemon.log, before),
        20,
    )


def tail(log, begin):
    with log.open(errors="replace") as file:
        file.seek(begin)
        return file.read()


def restful(lab, user, *points):
    """For each point an instance, and a taskmanager that was stopped there."""
    made, sleepers = [], []
    for point in points:
        id, sleeper = asleep(lab, point, lambda: user.create("db"))
        made.append(id)
        sleepers.append(sleeper)
    return made, sleepers


def test_they_sleep_in_the_middle(lab, user):
    """Four of five sleep, each at its worst moment; then all wake at once.

    Of a server there is no second, for the cloud refuses it (rule 5). A second port is
    nobody's and goes. A second volume stays, for a data volume is never deleted by a
    machine's own wit: the audit names it, and it goes with the instance.
    """
    lab.restart(*MORE)
    old = user.create("db")
    user.ready(old)
    points = ["before:compute.boot", "before:network.create_port"]
    made, sleepers = restful(lab, user, *points, "before:volumes.create")
    sleepers.append(
        asleep(lab, "before:compute.delete", lambda: user.ask("DELETE", of(old)))[1]
    )
    user.ready(*made, within=60)
    until("it is gone", lambda: old not in user.states(), 60)
    for sleeper in sleepers:
        woken(sleeper)
    lab.asleep.clear()
    whole = ["group", "port", "server", "volume"]
    # who meets a point is whoever comes by: one that was taken over may, too
    both = [*whole, "volume"]
    until(
        "no port is there twice", lambda: lives(lab, made) == [whole, whole, both], 40
    )
    [twin] = [id for id in made if kinds(lab, id) == both]
    assert kinds(lab, old) == []
    assert not [what for what in lab.hands.twice() if what.startswith("compute.boot")]
    lab.hands.forget()
    [said] = lab.audit()
    assert said.startswith("INV-2: volume") and twin in said
    for id in made:
        assert lab.hands.jobs(id) == ["prepare"], "INV-11"
        assert user.state(id) == ("ACTIVE", "HEALTHY")
    user.delete(*made)
    assert lab.hands.things() == []
    assert set(user.usage().values()) == {(0, 0)}


@pytest.mark.skipif(not LONG, reason="more points: --long")
@pytest.mark.parametrize(
    "point",
    [
        "before:users.add_guest",
        "before:network.create_group",
        "after:compute.boot",
        "after:volumes.create",
        "before:guest.prepare",
        "before:instance.create.settle.write",
    ],
)
def test_one_sleeps(lab, user, point):
    [id], [sleeper] = restful(lab, user, point)
    user.ready(id, within=60)
    woken(sleeper)
    until("nothing is there twice", lambda: len(kinds(lab, id)) == 4, 40)
    lab.hands.forget()
    assert user.state(id) == ("ACTIVE", "HEALTHY")
    user.delete(id)
    assert lab.hands.things() == []


def of(id):
    return f"instances/{id}"


def lives(lab, made):
    """What each has, those that have least first."""
    return sorted((kinds(lab, id) for id in made), key=len)


def kinds(lab, id):
    return [kind for kind, _ in lab.hands.things(id)]
