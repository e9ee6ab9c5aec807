# SPDX-License-Identifier: Apache-2.0
"""Crowds: more creates than a quota has room for, or than taskmanagers live (T20-21).

What was accepted is made, each thing once, whoever dies meanwhile; what was refused
leaves nothing behind.
"""

import collections
import concurrent.futures
import contextlib
import itertools
import threading
import time

import pytest
import sqlalchemy as sa

from tests.system.faults.conftest import LONG
from tests.system.faults.lab import MORE, TASKMANAGERS
from tests.system.faults.servers import until
from trove.db.tables import Operation

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

WIDE = 4
"""Processes that serve the API, so that the database alone can count."""
ASKED, ROOM = 200, 10
CROWD = 500 if LONG else 60
EVERY = 30.0 if LONG else 1.0
"""Seconds between two deaths."""
LIFE = ["group", "port", "server", "volume"]


@pytest.fixture(scope="module", autouse=True)
def _wide(whole):
    """The API is served by several processes."""
    file = whole.home / "api.conf"
    narrow = file.read_text()
    file.write_text(narrow.replace("workers = 1", f"workers = {WIDE}"))
    whole.daemons["api"].kill()  # the next test starts it
    yield
    file.write_text(narrow)
    whole.daemons["api"].kill()


def room(lab, user, instances, volumes=None):
    """An administrator sets the quota of a user's project."""
    said = {"quotas": {"instances": instances, "volumes": volumes or instances}}
    path = f"mgmt/quotas/{user.project}"
    assert lab.client("admins", "admin").ask("PUT", path, said).status == 200


def at_once(count, workers, deed):
    """The answers to ``deed(0)`` and on, asked by many together."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(deed, range(count)))


@pytest.mark.parametrize("least", ["instances", "volumes"] if LONG else ["instances"])
def test_no_more_is_accepted_than_there_is_room_for(lab, user, least):
    """T21, S25, INV-5: 200 at once through four processes, room for 10."""
    room(lab, user, *((ROOM, 1000) if least == "instances" else (1000, ROOM)))

    def ask(number):
        body = user.order(f"db{number}")
        return user.ask("POST", "instances", body, xml=bool(number % 2))

    answers = at_once(ASKED, 40, ask)
    statuses = collections.Counter(answer.status for answer in answers)
    assert statuses == {200: ROOM, 413: ASKED - ROOM}
    for number, answer in enumerate(answers):
        if answer.status == 413:
            [(name, fault)] = (answer.xml if number % 2 else answer.json).items()
            assert (name, str(fault["code"])) == ("overLimit", "413")
            assert "quota" in fault["message"].lower()
    made = [*user.states()]
    assert len(made) == ROOM
    assert {sum(user.usage()[each]) for each in ("instances", "volumes")} == {ROOM}
    user.ready(*made, within=90)
    assert user.usage()["instances"] == user.usage()["volumes"] == (ROOM, 0)
    assert ask(0).status == 413
    # room comes back with each delete, and only once: all are asked for thrice
    gone = made[: ROOM // 2]
    again = at_once(
        3 * len(gone),
        3 * len(gone),
        lambda n: user.ask("DELETE", f"instances/{gone[n % len(gone)]}").status,
    )
    assert set(again) <= {202, 404}
    until("half is gone", lambda: len(user.states()) == ROOM - len(gone), 60)
    assert user.usage()["instances"] == (ROOM - len(gone), 0)
    answers = at_once(40, 40, ask)
    assert sum(answer.status == 200 for answer in answers) == len(gone)
    user.delete(*user.states())
    assert set(user.usage().values()) == {(0, 0)}
    assert lab.hands.things() == []


@contextlib.contextmanager
def deaths(lab, names):
    """One of them after the other dies by kill -9, and is started again."""
    over, died, faults = threading.Event(), [], []

    def reap():
        for name in itertools.cycle(names):
            if over.wait(EVERY):
                return
            lab.daemons[name].kill()
            died.append(name)
            try:
                lab.restart(name)
            except AssertionError as late:  # it is started again in its next turn
                faults.append(f"{name}: {late}")

    reaper = threading.Thread(target=reap)
    reaper.start()
    try:
        yield died
    finally:
        over.set()
        reaper.join()
    assert not faults, faults


@pytest.mark.timeout(3600)
def test_a_crowd_is_served_by_taskmanagers_that_die(lab, user):
    """T20, INV-1 to 8: every one ACTIVE, every guest prepared once."""
    names = (*TASKMANAGERS, *MORE[:2])
    lab.restart(*names)
    room(lab, user, CROWD)
    began = time.monotonic()
    with deaths(lab, names) as died:
        made = at_once(CROWD, 20, lambda number: user.create(f"light{number}"))
        accepted = time.monotonic() - began
        user.ready(*made, within=2400 if LONG else 180)
        ready = time.monotonic() - began
    assert len(set(made)) == CROWD
    assert len(died) >= 2
    for id in made:
        assert [kind for kind, _ in lab.hands.things(id)] == LIFE, "INV-2, 6"
        assert lab.hands.jobs(id) == ["prepare"], "INV-11"
    with lab.store.reading() as tx:
        ended = tx.execute(
            sa.select(Operation.state, sa.func.count(), sa.func.max(Operation.fence))
            .where(Operation.object_id.in_(made))
            .group_by(Operation.state)
        ).all()
    [(state, count, _)] = ended
    assert (state, count) == ("done", CROWD), "INV-1, 3"
    assert user.usage()["instances"] == (CROWD, 0)
    assert lab.audit() == []
    began = time.monotonic()
    user.delete(*made, within=1200)
    gone = time.monotonic() - began
    print(
        f"{CROWD} creates, {len(names)} taskmanagers, {len(died)} killed: "
        f"accepted in {accepted:.1f} s, ACTIVE in {ready:.1f} s "
        f"({CROWD / ready:.1f}/s); deleted in {gone:.1f} s"
    )
    assert lab.hands.things() == []
    assert set(user.usage().values()) == {(0, 0)}
