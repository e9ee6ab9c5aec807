# SPDX-License-Identifier: Apache-2.0
"""Delete wins in every state of everything else, however often it is asked for (T22).

A taskmanager is stopped at a chosen point of an instance's life, the delete comes by
the API, and the taskmanager goes on: the instance is gone, and nothing of it is left
(INV-2, 5, 16).
"""

import signal

import pytest
import sqlalchemy as sa

from tests.system.faults.conftest import LONG
from tests.system.faults.lab import TASKMANAGERS
from tests.system.faults.points import FLOWS, passed
from tests.system.faults.servers import until
from trove.db.tables import Instance, Operation

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

# the others: test_delete_at_every_point_there_is
POINTS = {
    "create": ["before:users.add_guest", "after:volumes.create", "after:guest.prepare"],
    "restart": ["before:guest.restart_database"],
    "delete": ["before:compute.delete"],
}


GONE = "after:instance.delete.settle.write"
"""Where it has been deleted, and the process does not know it yet."""


def deleted_at(lab, user, flow, point, id):
    """Two deletes while the flow is stopped there; the instance's id."""
    lab.arm(f"stop {point}:1")
    id = FLOWS[flow](user, id)
    sleeper = lab.struck()
    assert sleeper.startswith("taskmanager"), point
    try:
        for _ in range(2):
            answer = user.ask("DELETE", f"instances/{id}")
            assert answer.status == (404 if point == GONE else 202), point
        # gone is what it is to whoever looks, or going
        seen = user.states().get(id, ("SHUTDOWN", ""))
        assert seen[0] == "SHUTDOWN", (point, seen)
        late = user.ask("POST", f"instances/{id}/action", {"restart": {}})
        assert late.status in (404, 422), (point, late.body)
    finally:
        lab.daemons[sleeper].send(signal.SIGCONT)
        lab.asleep.discard(sleeper)
    return id


def gone(lab, user, *ids):
    """Nothing is left of them: not a thing, not a job, no quota, no live operation."""
    until("they are gone", lambda: not set(ids) & set(user.states()), 60)
    for id in ids:
        assert user.ask("GET", f"instances/{id}").status == 404
        assert user.ask("DELETE", f"instances/{id}").status == 404
        assert lab.hands.things(id) == []
    with lab.store.reading() as tx:
        live = sa.select(Operation.kind).where(
            Operation.object_id.in_(ids), Operation.lock_key.is_not(None)
        )
        assert tx.scalars(live).all() == []
        rows = sa.select(Instance.deleted_at).where(Instance.id.in_(ids))
        assert None not in tx.scalars(rows).all()


def test_delete_in_the_middle_of_create_restart_and_delete(lab, user):
    """T22: at some points of each flow, twice, and restarts that come too late."""
    ready = [user.create("db") for _ in (*POINTS["restart"], *POINTS["delete"])]
    user.ready(*ready, within=60)
    spare = iter(ready)
    for flow, points in POINTS.items():
        for point in points:
            before = "" if flow == "create" else next(spare)
            # one after the other: the process that is stopped does nothing else
            gone(lab, user, deleted_at(lab, user, flow, point, before))
    assert set(user.usage().values()) == {(0, 0)}


def test_delete_of_what_is_half_made_or_was_never_made(lab, user):
    """T22: nobody works on it; or its create has failed; or nobody has begun."""
    lab.hands.refuse("compute.boot")
    failed = user.create("failed")
    until("it has failed", lambda: user.state(failed)[0] == "ERROR", 40)
    lab.hands.refuse()
    assert lab.hands.things(failed) == [], "INV-2: undone"
    lab.arm("kill after:volumes.create:1")
    half = user.create("half")
    lab.struck()
    for name in TASKMANAGERS:
        lab.daemons[name].kill()
    never = user.create("never")
    for id in (failed, half, never) * 2:
        assert user.ask("DELETE", f"instances/{id}").status == 202
    lab.restart(*TASKMANAGERS)
    gone(lab, user, failed, half, never)
    assert set(user.usage().values()) == {(0, 0)}


@pytest.mark.skipif(not LONG, reason="every point there is: --long")
@pytest.mark.timeout(7200)
def test_delete_at_every_point_there_is(lab, user):
    """The points are those that an undisturbed life passes; a delete at each."""
    for flow, point, before in passed(lab, user):
        gone(lab, user, deleted_at(lab, user, flow, point, before))
