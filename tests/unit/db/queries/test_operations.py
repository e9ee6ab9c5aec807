# SPDX-License-Identifier: Apache-2.0
"""Operations, as an operator sees them: never their input."""

import pytest

from trove import errors
from trove.db.queries import operations
from trove.db.tables import Operation, OperationStep
from trove.model.states import OperationState


def test_they_are_listed_newest_first_without_their_input(database, operation):
    first = operation("i-1", updated=1.0)
    second = operation("i-2", updated=2.0, state=OperationState.STUCK)
    with database.reading() as tx:
        rows = operations.page(tx)
        assert [row["id"] for row in rows] == [second, first]
        assert "canary-input" not in str(rows)
        assert not {"input", "client_token", "body_hash", "sealed_hash"} & set(rows[0])
        (stuck,) = operations.page(tx, states=[OperationState.STUCK])
        assert stuck["id"] == second
        (of_one,) = operations.page(tx, object_id="i-1")
        assert of_one["id"] == first


def test_one_is_shown_with_its_steps_in_order(database, operation):
    id = operation("i-1")
    with database.transaction() as tx:
        for seq, name in ((1, "boot_server"), (0, "make_volume")):
            tx.add(
                OperationStep(
                    operation_id=id, name=name, seq=seq, state="done", begun_at=1.0
                )
            )
    with database.reading() as tx:
        shown = operations.show(tx, id)
        assert [step["name"] for step in shown.steps] == ["make_volume", "boot_server"]
        with pytest.raises(errors.OperationNotFound):
            operations.show(tx, "nowhere")


def test_a_stuck_one_is_brought_back_with_time_to_end(database, operation, clock):
    id = operation("i-1", state=OperationState.STUCK, attempts=9, deadline=1.0, due=0.0)
    with database.transaction() as tx:
        operations.retry(tx, id, within=600)
    with database.reading() as tx:
        row = operations.show(tx, id).operation
    assert (row["state"], row["attempts"]) == (OperationState.RUNNING, 0)
    assert (row["due"], row["deadline"]) == (clock.now, clock.now + 600)


def test_only_a_stuck_one_is_brought_back(database, operation):
    id = operation("i-1")
    with database.transaction() as tx:
        with pytest.raises(errors.Conflict, match="running"):
            operations.retry(tx, id, within=1)
        with pytest.raises(errors.OperationNotFound):
            operations.retry(tx, "nowhere", within=1)


def test_closing_takes_it_from_whoever_carries_it(database, operation):
    id = operation("i-1", fence=4, owner="tm-1", lease_until=9e9)
    with database.transaction() as tx:
        operations.close(tx, id, "Abandoned.")
    with database.transaction() as tx:
        row = tx.get(Operation, id)
        assert (row.state, row.fence) == (OperationState.FAILED, 5)
        assert (row.owner, row.lease_until, row.lock_key) == (None, None, None)
        assert (row.input, row.fault) == (None, "Abandoned.")
        with pytest.raises(errors.Conflict, match="failed"):
            operations.close(tx, id, "again")
