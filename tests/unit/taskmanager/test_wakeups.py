# SPDX-License-Identifier: Apache-2.0
"""Who waits for what has changed is due at once; nobody else is."""

import sqlalchemy as sa

from tests.unit.db.queries.test_things import thing
from trove import errors
from trove.db.tables import Operation
from trove.taskmanager.wakeups import Wakeups
from trove.workflow import journal

LATER = 5000.0


def waits(house, id, state="running"):
    lock = journal.lock_of("instance", id) if state == "running" else None
    house.add(
        Operation(
            id=f"op-{id}",
            project="p",
            object_type="instance",
            object_id=id,
            kind="test",
            state=state,
            lock_key=lock,
            due=LATER,
            deadline=2 * LATER,
            created=0,
            updated=0,
        ),
        thing(f"{id}.server", f"server-{id}", id),
    )


def due(house):
    with house.database.reading() as tx:
        found = tx.execute(sa.select(Operation.object_id, Operation.due)).all()
    return {id for id, moment in found if moment < LATER}


def test_who_waits_is_woken_and_rung_for(house):
    for id in ("a", "b"):
        waits(house, id)
    waits(house, "ended", state="done")
    rung = []
    Wakeups(house.database, rung.append).heard(
        {"server-a", "server-ended", "somebody-elses"}
    )
    assert rung == ["op-a"] and due(house) == {"a"}


def test_a_database_that_is_away_costs_a_poll(house, monkeypatch, caplog):
    waits(house, "a")

    def away(work):
        raise errors.Unavailable(what="The database")

    monkeypatch.setattr(house.database, "run", away)
    Wakeups(house.database, lambda id: None).heard({"server-a"})
    assert due(house) == set() and "what the cloud said" in caplog.text
