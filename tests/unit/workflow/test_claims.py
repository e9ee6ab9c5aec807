# SPDX-License-Identifier: Apache-2.0
"""The lease and the fence: a stale worker changes nothing."""

import pytest
import sqlalchemy as sa

from trove import errors
from trove.db.tables import Operation, OperationStep
from trove.workflow import journal
from trove.workflow.claims import Cancelled


def test_a_claimed_operation_is_nobody_elses(desk):
    operation = desk.accept()
    desk.take(operation, "a")
    assert desk.claims("b").take(operation) is None
    assert desk.claims("b").due() == []


def test_a_dead_workers_operation_is_taken_over_when_its_lease_ends(desk):
    operation = desk.accept()
    desk.take(operation, "a")
    desk.moment += 31
    assert desk.claims("b").due() == [operation]
    assert desk.take(operation, "b").operation.owner == "b"


def test_a_paused_worker_that_comes_back_changes_nothing(desk):
    """INV-9, T05."""
    operation = desk.accept()
    paused = desk.take(operation, "a")
    paused.begin("first", 0)
    desk.moment += 300
    other = desk.take(operation, "b")
    for deed in (
        lambda: paused.advance("first", {"stale": True}),
        lambda: paused.fail("stale", None),
        lambda: paused.park(1, failed=False),
        lambda: paused.turn_back("stale"),
        lambda: paused.stick("stale"),
        lambda: paused.guard(20),
    ):
        with pytest.raises(errors.LeaseLost):
            deed()
    other.advance("first", {"fresh": True})
    with desk.database.reading() as tx:
        step = tx.scalars(sa.select(OperationStep)).one()
    assert (step.state, step.output) == ("done", {"fresh": True})


def test_a_lease_is_renewed_before_a_call_that_could_outlive_it(desk):
    claim = desk.take(desk.accept())
    desk.moment += 15
    claim.guard(20)
    desk.moment += 20
    assert desk.claims("b").due() == []


def test_a_wake_up_during_the_work_is_not_lost(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    desk.moment += 1
    desk.database.run(lambda tx: journal.wake(tx, operation))
    assert claim.park(600, failed=False) is True
    assert desk.claims().due() == [operation]


def test_without_a_wake_up_it_is_due_when_it_said(desk):
    operation = desk.accept()
    assert desk.take(operation).park(600, failed=False) is False
    assert desk.claims().due() == []
    desk.moment += 601
    assert desk.claims().due() == [operation]


def test_failed_tries_are_counted_and_forgotten(desk):
    operation = desk.accept()
    desk.take(operation).park(0, failed=True)
    claim = desk.take(operation)
    assert claim.operation.attempts == 1
    claim.park(0, failed=False)
    assert desk.take(operation).operation.attempts == 0


def test_a_cancelled_operation_cannot_end_well(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    claim.begin("last", 0)
    desk.database.run(lambda tx: journal.cancel(tx, operation))
    with pytest.raises(Cancelled):
        claim.advance("last", None)
    with desk.database.reading() as tx:
        assert tx.get_one(Operation, operation).state == "running"


def test_after_the_pivot_it_ends_well_all_the_same(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    claim.begin("pivot", 0)
    claim.advance("pivot", None, following=("last", 1), pivot=True)
    desk.database.run(lambda tx: journal.cancel(tx, operation))
    claim.advance("last", None)
    with desk.database.reading() as tx:
        assert tx.get_one(Operation, operation).state == "done"


def test_the_input_goes_with_the_operation(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    claim.begin("only", 0)
    claim.advance("only", None)
    with desk.database.reading() as tx:
        row = tx.get_one(Operation, operation)
    assert (row.input, row.lock_key, row.owner) == (None, None, None)


def test_rows_of_a_step_share_its_transaction(desk):
    claim = desk.take(desk.accept())
    claim.begin("only", 0)

    def breaks(tx):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        claim.advance("only", {"x": 1}, work=breaks)
    with desk.database.reading() as tx:
        assert tx.scalars(sa.select(OperationStep.state)).one() == "intent"


def test_once_is_true_once_in_an_operations_life(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    claim.begin("only", 0)
    assert claim.once("only") is True
    claim.park(0, failed=False)
    assert desk.take(operation).once("only") is False


def test_tries_are_counted_over_an_operations_life(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    claim.begin("only", 0)
    assert [claim.tries("only"), claim.tries("only")] == [1, 2]
    claim.park(0, failed=False)
    again = desk.take(operation)
    assert again.tries("only") == 3 and again.once("only") is False


def test_what_may_come_later_comes_with_the_next_write(desk):
    claim = desk.take(desk.accept())
    claim.begin("only", 0)
    claim.later(lambda tx: tx.execute(sa.update(OperationStep).values(attempt=7)))
    with desk.database.reading() as tx:
        assert tx.scalars(sa.select(OperationStep.attempt)).one() == 0
    claim.park(0, failed=False)
    with desk.database.reading() as tx:
        assert tx.scalars(sa.select(OperationStep.attempt)).one() == 7


def test_what_a_stale_worker_left_for_later_is_never_written(desk):
    """INV-9."""
    operation = desk.accept()
    paused = desk.take(operation, "a")
    paused.begin("only", 0)
    paused.later(lambda tx: tx.execute(sa.update(OperationStep).values(attempt=7)))
    desk.moment += 300
    desk.take(operation, "b")
    with pytest.raises(errors.LeaseLost):
        paused.park(0, failed=False)
    with desk.database.reading() as tx:
        assert tx.scalars(sa.select(OperationStep.attempt)).one() == 0


def test_what_came_later_is_not_lost_with_a_write_that_was_refused(desk):
    operation = desk.accept()
    claim = desk.take(operation)
    claim.begin("last", 0)
    claim.later(lambda tx: tx.execute(sa.update(OperationStep).values(attempt=7)))
    desk.database.run(lambda tx: journal.cancel(tx, operation))
    with pytest.raises(Cancelled):
        claim.advance("last", None)
    claim.turn_back("cancelled")
    with desk.database.reading() as tx:
        assert tx.scalars(sa.select(OperationStep.attempt)).one() == 7
