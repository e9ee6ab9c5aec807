# SPDX-License-Identifier: Apache-2.0
"""Messages twice, in any order, late, or never: the same end (T06, T07)."""

import contextlib
import signal

import pytest
import sqlalchemy as sa

from tests.system.faults.conftest import LONG
from tests.system.faults.recorder import Recorder
from tests.system.faults.servers import until
from trove.db.tables import Event, Guest, GuestJob, GuestReport, Operation
from trove.localcloud import rabbitmq

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

PLAYED = 200 if LONG else 3
"""How often the whole tape is played."""


@pytest.fixture
def recorder(lab):
    with contextlib.closing(Recorder(lab.place)) as made:
        yield made


def state(lab, user, *ids):
    """All that a user, an operator or an auditor can see, but for moments."""
    with lab.store.reading() as tx:
        operations = tx.execute(
            sa.select(Operation.object_id, Operation.kind, Operation.state)
            .where(Operation.object_id.in_(ids))
            .order_by(Operation.object_id, Operation.kind)
        ).all()
        events = tx.execute(
            sa.select(Event.object_id, Event.seq, Event.kind)
            .where(Event.object_id.in_(ids))
            .order_by(Event.object_id, Event.seq)
        ).all()
        jobs = tx.execute(
            sa.select(GuestJob.id, GuestJob.state)
            .where(GuestJob.instance_id.in_(ids))
            .order_by(GuestJob.id)
        ).all()
        guests = [
            sorted(tx.scalars(sa.select(table.instance_id)))
            for table in (Guest, GuestReport)
        ]
    seen = {id: state for id, state in user.states().items() if id in ids}
    deeds = {id: lab.hands.jobs(id) for id in ids}
    return operations, events, jobs, guests, seen, deeds, lab.hands.things()


def test_everything_is_said_again_in_any_order(lab, user, recorder):
    """Each message again and again as a new one, while there is work and after it."""
    made = [user.create("db") for _ in range(2)]
    user.ready(*made)
    answer = user.ask("POST", f"instances/{made[0]}/action", {"restart": {}})
    assert answer.status == 202
    user.ready(*made)
    methods = {message.method for message in recorder.listen()}
    assert methods >= {"run", "enrol", "heartbeat", "prepare", "restart_database"}
    before = state(lab, user, *made)
    later = user.create("later")  # not on the tape: its work goes on meanwhile
    for seed in range(PLAYED):
        recorder.play(recorder.shuffled(seed))
    user.ready(later, *made, within=60)
    said_last(lab, made)
    user.delete(later)
    assert state(lab, user, *made) == before
    recorder.listen()
    user.delete(*made)
    gone = state(lab, user, *made)
    assert gone[3] == [[], []], "nothing of what the guests said is left"
    for seed in range(PLAYED):
        recorder.play(recorder.shuffled(seed))
    quiet(recorder)
    assert state(lab, user, *made) == gone
    assert set(user.usage().values()) == {(0, 0)}


def said_last(lab, made):
    """What each guest says now was heard, and so was all that was sent before it."""
    for id in made:
        before = seq(lab, id)
        lab.hands.beat(id, 1)
        until("it is heard", lambda id=id, seen=before: seq(lab, id) > seen, 30)


def seq(lab, id):
    with lab.store.reading() as tx:
        return tx.scalar(
            sa.select(GuestReport.seq).where(GuestReport.instance_id == id)
        )


def quiet(recorder):
    """Waits until nothing waits in any queue."""

    def empty():
        return not any(
            queue.get("messages", 0)
            for vhost in (rabbitmq.CONTROL_VHOST, rabbitmq.GUESTS_VHOST)
            for queue in recorder.ask("GET", "queues", vhost).json()
            if queue["name"].startswith("trove")
        )

    until("every queue is empty", empty, 60)


def test_what_waits_in_the_queues_is_lost(lab, user, recorder):
    """Purged again and again while three are made: each becomes what was asked for."""
    lab.daemons["conductor"].send(signal.SIGSTOP)  # so that something waits
    made = [user.create("db") for _ in range(3)]
    until("all have booted", lambda: len(servers(lab)) == 3, 30)
    recorder.purge()
    lab.daemons["conductor"].send(signal.SIGCONT)
    for _ in range(5):
        recorder.purge()
    user.ready(*made, within=90)
    user.delete(*made)


def servers(lab):
    return [key for kind, key in lab.hands.things() if kind == "server"]


def test_the_broker_is_killed_and_comes_back(lab, user):
    """During creates; and what runs already does not mind (T06)."""
    old = user.create("old")
    user.ready(old)
    made = [user.create("db") for _ in range(3)]
    until("one has booted", lambda: len(servers(lab)) > 1, 30)
    lab.daemons["rabbitmq"].kill()
    made.append(user.create("without a broker"))  # accepted all the same
    lab.daemons["rabbitmq"].spawn()
    lab.daemons["rabbitmq"].wait_ready()
    user.ready(old, *made, within=90)
    for id in made:
        assert lab.hands.jobs(id) == ["prepare"], "INV-11"
    user.delete(old, *made)
