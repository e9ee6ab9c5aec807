# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the API before it could answer, and of the conductor under way (T02, T03).

What a client sends again with its Idempotency-Key is one instance, wherever the API
died; what a guest has to say it says until it was heard, and it counts once.
"""

import concurrent.futures
import http.client
import time

import pytest
import sqlalchemy as sa

from tests.system.faults.conftest import LONG
from tests.system.faults.servers import until
from trove.db.queries import deeds
from trove.db.tables import Deed, Event, GuestJob

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]


def stubborn(user, name, key, within=40.0):
    """A client that sends the same request until it is answered; how often it did."""
    end, tries = time.monotonic() + within, 0
    while time.monotonic() < end:
        tries += 1
        try:
            answer = user.ask(
                "POST",
                "instances",
                user.order(name),
                headers={"Idempotency-Key": key},
            )
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
            continue
        if answer.status < 500:
            assert answer.status == 200, answer.body
            return answer.json["instance"]["id"], tries
        time.sleep(0.1)
    raise AssertionError(f"{name} was never answered")


@pytest.mark.parametrize(
    "point",
    ["after:api.write"]
    if not LONG
    else ["before:api.write", "after:api.write", "before:api.ring", "after:api.ring"],
)
def test_the_api_dies_and_its_client_asks_again(lab, user, point):
    """INV-3, 5, 8: between look and commit, commit and bell, bell and answer."""
    lab.arm(f"kill {point}:1")
    id, tries = stubborn(user, "once", f"key of {point}")
    lab.reached()  # the bell rings beside the request
    assert tries > 1 or "ring" in point
    assert list(user.states()) == [id]
    assert sum(user.usage()["instances"]) == 1
    user.ready(id)
    user.delete(id)


@pytest.mark.skipif(not LONG, reason="a crowd takes its time: --long")
def test_all_of_the_api_dies_under_a_crowd(lab, user):
    """Ten clients, and kill -9 of the whole process group: ten instances."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(stubborn, user, f"db{n}", f"crowd {n}") for n in range(10)]
        for wanted in (2, 6):
            until("some are accepted", lambda n=wanted: _accepted(lab, user) >= n, 30)
            lab.daemons["api"].kill()
            lab.restart("api")
        made = {each.result(60)[0] for each in asked}
    assert len(made) == 10
    assert set(user.states()) == made
    user.ready(*made, within=60)
    assert user.usage()["instances"] == (10, 0)
    user.delete(*made)


@pytest.mark.parametrize(
    "point, said",
    [
        ("before:api.write:2", {503, 202}),
        ("after:api.write:1", {503, 202}),
        ("after:api.write:2", {202}),
    ]
    if LONG
    else [("before:api.write:2", {503, 202})],
)
def test_the_api_dies_while_a_guest_is_asked(lab, user, point, said):
    """INV-8, 19: done and not answered; what comes again is one change, one event."""
    id = user.create("db")
    user.ready(id)
    key = {"Idempotency-Key": f"key of {point}"}
    path, body = f"instances/{id}/databases", {"databases": [{"name": "shop"}]}
    lab.arm(f"kill {point}")
    with pytest.raises((OSError, http.client.HTTPException)):
        user.ask("POST", path, body, headers=key)
    lab.reached()
    lab.restart("api")
    first = user.ask("POST", path, body, headers=key).status
    assert first in said
    _age(lab, deeds.BOUND)
    assert user.ask("POST", path, body, headers=key).status == 202
    assert user.ask("GET", path).json == {"databases": [{"name": "shop"}]}
    assert _told(lab, id) == ["instance.databases_create"]
    other = {"databases": [{"name": "another"}]}
    assert user.ask("POST", path, other, headers=key).status == 409
    user.delete(id)


def test_the_api_dies_while_a_guest_is_asked_and_nobody_asks_again(lab, user):
    """INV-19: a taskmanager says that nobody knows what became of it."""
    id = user.create("db")
    user.ready(id)
    lab.arm("kill before:api.write:2")
    with pytest.raises((OSError, http.client.HTTPException)):
        user.ask("POST", f"instances/{id}/databases", {"databases": [{"name": "shop"}]})
    lab.reached()
    lab.restart("api")
    assert _told(lab, id) == []
    _age(lab, deeds.LATE)
    until("its end is told", lambda: _told(lab, id), 90)
    assert _told(lab, id) == ["instance.databases_create.unknown"]
    shown = user.ask("GET", f"instances/{id}/events").json["events"][-1]
    assert shown["details"]["databases"] == ["shop"]
    user.delete(id)


def _age(lab, seconds):
    """As if all that was asked of guests had been asked so long ago."""
    with lab.store.transaction() as tx:
        tx.execute(sa.update(Deed).values(at=Deed.at - seconds - 1))


def _told(lab, id):
    """The events of an instance, but those of its operations."""
    with lab.store.reading() as tx:
        kinds = tx.scalars(
            sa.select(Event.kind).where(Event.object_id == id).order_by(Event.seq)
        )
        return [kind for kind in kinds if "databases" in kind]


def _accepted(lab, user):
    with lab.store.reading() as tx:
        return tx.scalar(
            sa.text("SELECT count(*) FROM instances WHERE project = :p"),
            {"p": user.project},
        )


def test_the_conductor_dies_with_reports_and_results_under_way(lab, user):
    """Reports by the hundred, results, deaths: each result counts, and once."""
    points = ["after:conductor.enrol", "before:conductor.heartbeat.write"]
    if LONG:
        points += ["before:conductor.enrol.write", "after:conductor.heartbeat.write"]
    made = []
    for point in points:
        lab.arm(f"kill {point}:1")
        made.append(user.create("db"))
        assert lab.struck() == "conductor"
        lab.restart("conductor")
    made.append(user.create("db"))
    until("its server is there", lambda: lab.hands.things(made[-1]), 30)
    user.ready(*made, within=60)
    for id in made:
        assert user.ask("POST", f"instances/{id}/action", {"restart": {}}).status == 202
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        said = [pool.submit(_hurry, lab, id) for id in made]
        lab.daemons["conductor"].kill()
        lab.restart("conductor")
        for each in said:
            each.result(60)
    user.ready(*made, within=60)
    with lab.store.reading() as tx:
        for id in made:
            assert lab.hands.jobs(id) == ["prepare", "restart_database"], "INV-11"
            rows = tx.scalars(sa.select(GuestJob).where(GuestJob.instance_id == id))
            assert {(row.method, row.state) for row in rows} == {
                ("prepare", "done"),
                ("restart_database", "done"),
            }
            kinds = list(
                tx.scalars(
                    sa.select(Event.kind)
                    .where(Event.object_id == id)
                    .order_by(Event.seq)
                )
            )
            assert kinds == [
                "instance.create.accepted",
                "instance.create.end",
                "instance.restart.accepted",
                "instance.restart.end",
            ], "INV-19"
    user.delete(*made)


def _hurry(lab, id):
    """What a guest may say at once (``rpc/rates.py``): more would be a flood."""
    lab.hands.beat(id, 45)
    lab.lines.close()
