# SPDX-License-Identifier: Apache-2.0
"""Accepting, cancelling and waking work."""

import pytest
import sqlalchemy as sa

from trove import errors
from trove.db import dialects
from trove.db.tables import Event, Operation
from trove.workflow import journal


def test_the_second_live_operation_on_an_object_is_refused(desk):
    """INV-7."""
    desk.accept()
    with pytest.raises(errors.InstanceBusy):
        desk.accept()


def test_two_requests_at_once_are_decided_by_the_unique_lock(desk):
    with desk.database.transaction() as tx:
        for id in ("1", "2"):
            row = sa.insert(Operation).values(
                id=id,
                project="p",
                object_type="instance",
                object_id="i",
                kind="test",
                state="pending",
                due=0,
                deadline=0,
                lock_key="instance:i",
                created=0,
                updated=0,
            )
            if id == "2":
                with pytest.raises(dialects.Violated):
                    tx.execute(row)
                tx.rollback()
            else:
                tx.execute(row)


def test_another_object_is_free(desk):
    assert desk.accept("i") != desk.accept("j")


def test_the_input_is_unreadable_at_rest(desk):
    """INV-17: a password may be in it."""
    desk.accept()
    with desk.database.engine.connect() as raw:
        text = raw.exec_driver_sql("SELECT input FROM operations").scalar_one()
    assert "canary-7f3" not in text
    with desk.database.reading() as tx:
        assert tx.scalars(sa.select(Operation.input)).one()["password"] == "canary-7f3"


def test_one_that_is_queued_waits_for_the_one_before(desk):
    first = desk.accept()
    second = desk.database.run(
        lambda tx: (
            journal.cancel(tx, first)
            and journal.open(
                tx,
                kind="delete",
                project="p",
                object_type="instance",
                object_id="i",
                input=None,
                deadline=60,
                request_id=None,
                after=first,
            )
        )
    )
    assert desk.claims().take(second) is None
    claim = desk.take(first)
    claim.fail("cancelled", None)
    assert desk.claims().due() == [second]
    assert desk.claims().take(second) is not None


def test_what_has_ended_cannot_be_cancelled(desk):
    operation = desk.accept()
    desk.take(operation).fail("no", None)
    assert desk.database.run(lambda tx: journal.cancel(tx, operation)) is False


def test_a_stuck_one_that_is_cancelled_can_be_claimed_again(desk):
    operation = desk.accept()
    desk.take(operation).stick("nobody knows")
    assert desk.claims().due() == []
    assert desk.database.run(lambda tx: journal.cancel(tx, operation))
    assert desk.claims().due() == [operation]


def test_the_same_token_and_body_finds_the_same_operation(desk):
    """INV-8."""
    operation = desk.accept(client_token="t", body_hash="h")
    with desk.database.reading() as tx:
        assert journal.replayed(tx, "p", "t", "h").id == operation
        assert journal.replayed(tx, "q", "t", "h") is None
        with pytest.raises(errors.IdempotencyMismatch):
            journal.replayed(tx, "p", "t", "another")


def test_what_a_token_came_with_is_not_to_be_guessed_at(desk):
    """A body may hold a password: who has the rows alone cannot try one."""
    hash = journal.body_hash({"password": "sommer"})
    desk.accept(client_token="t", body_hash=hash)
    with desk.database.reading() as tx:
        (row,) = tx.connection().exec_driver_sql("SELECT * FROM operations")
    assert "t" in row and hash not in str(row)


def test_a_token_that_an_older_release_wrote_down_counts(desk):
    operation = desk.accept(client_token="t")
    old = "UPDATE operations SET body_hash = 'h'"
    desk.database.run(lambda tx: tx.connection().exec_driver_sql(old))
    with desk.database.reading() as tx:
        assert journal.replayed(tx, "p", "t", "h").id == operation
        with pytest.raises(errors.IdempotencyMismatch):
            journal.replayed(tx, "p", "t", "another")


def test_the_body_hash_does_not_depend_on_order(desk):
    assert journal.body_hash({"a": 1, "b": [2]}) == journal.body_hash(
        {"b": [2], "a": 1}
    )
    assert journal.body_hash({"a": 1}) != journal.body_hash({"a": "1"})


def test_events_of_an_object_have_no_gap(desk):
    """INV-19."""
    for kind in ("one", "two", "three"):
        desk.database.run(lambda tx, kind=kind: journal.event(tx, "i", kind))
    desk.database.run(lambda tx: journal.event(tx, "j", "other"))
    with desk.database.reading() as tx:
        rows = tx.execute(sa.select(Event.object_id, Event.seq, Event.kind)).all()
    assert sorted(rows) == [
        ("i", 1, "one"),
        ("i", 2, "two"),
        ("i", 3, "three"),
        ("j", 1, "other"),
    ]


def test_waking_an_object_names_its_operation(desk):
    operation = desk.accept()
    desk.take(operation).park(100, failed=False)
    assert desk.claims().due() == []
    woken = desk.database.run(lambda tx: journal.wake_object(tx, "instance", "i"))
    assert woken == operation
    assert desk.claims().due() == [operation]
    assert (
        desk.database.run(lambda tx: journal.wake_object(tx, "instance", "x")) is None
    )
