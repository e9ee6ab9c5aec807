# SPDX-License-Identifier: Apache-2.0
"""Silent guests are told of once; old operations are forgotten, live ones never."""

import sqlalchemy as sa
from cryptography import fernet

from trove.db import types
from trove.db.queries import deeds
from trove.db.tables import (
    ClientToken,
    Deed,
    Event,
    GuestReport,
    Instance,
    Operation,
)
from trove.taskmanager.housekeeping import Housekeeping


def instance(id):
    return Instance(
        id=id,
        project="p",
        name="n",
        task="NONE",
        version_id="v",
        flavor_id="1",
        server_number=1,
        created=0,
        updated=0,
    )


def report(id, at):
    return GuestReport(
        instance_id=id, boot=1, seq=1, received_at=at, changed_at=at, service="healthy"
    )


def kinds(house):
    with house.database.reading() as tx:
        return tx.execute(
            sa.select(Event.object_id, Event.kind).order_by(Event.object_id, Event.seq)
        ).all()


def test_a_guest_that_falls_silent_is_told_of_once(house):
    house.add(instance("i"), report("i", 995), instance("j"), report("j", 1000))
    keeping = Housekeeping(house.database, silent_after=90)
    keeping.round()
    assert kinds(house) == []
    house.moment = 1086
    keeping.round()
    keeping.round()
    assert kinds(house) == [("i", "guest.silent")]
    with house.database.transaction() as tx:
        tx.get_one(GuestReport, "i").received_at = 1086
    keeping.round()
    assert kinds(house) == [("i", "guest.silent"), ("i", "guest.heard")]


def operation(id, state, updated):
    return Operation(
        id=id,
        project="p",
        object_type="instance",
        object_id=id,
        kind="test",
        state=state,
        due=0,
        deadline=0,
        created=0,
        updated=updated,
    )


def test_old_operations_go_and_live_ones_stay(house):
    house.moment = 100 * 24 * 3600.0
    house.add(
        operation("old", "done", 0),
        operation("failed", "failed", 0),
        operation("recent", "done", house.moment - 60),
        operation("live", "running", 0),
        operation("stuck", "stuck", 0),
    )
    Housekeeping(house.database, keep=30).round()
    with house.database.reading() as tx:
        assert set(tx.scalars(sa.select(Operation.id))) == {"recent", "live", "stuck"}


def deed(id, state, at):
    payload = {"user": "u"}
    return Deed(
        id=id, instance_id="i", kind="instance.x", payload=payload, state=state, at=at
    )


def test_what_nobody_was_left_to_end_is_told_of_once(house):
    house.add(
        deed("late", "asked", 1000 - deeds.LATE - 1),
        deed("young", "asked", 1000 - deeds.LATE + 1),
        deed("done", "done", 0),
        deed("refused", "refused", 0),
    )
    keeping = Housekeeping(house.database)
    keeping.round()
    keeping.round()
    assert kinds(house) == [("i", "instance.x.unknown")]
    with house.database.reading() as tx:
        (event,) = tx.scalars(sa.select(Event))
        assert event.payload == {"user": "u"}


def test_old_keys_and_ended_changes_go(house):
    types.use_key(fernet.Fernet.generate_key())
    house.moment = 100 * 24 * 3600.0
    young = house.moment - 60
    house.add(
        deed("old", "done", 0),
        deed("recent", "done", young),
        *(
            ClientToken(
                project="p", client_token=key, body_hash="h", answers=[], created=at
            )
            for key, at in (("old", 0), ("recent", young))
        ),
    )
    Housekeeping(house.database, keep=30).round()
    with house.database.reading() as tx:
        assert set(tx.scalars(sa.select(Deed.id))) == {"recent"}
        assert set(tx.scalars(sa.select(ClientToken.client_token))) == {"recent"}
