# SPDX-License-Identifier: Apache-2.0
"""What an operator does to an operation that does not end by itself."""

import pytest

from trove import errors
from trove.actions import audit, operations
from trove.db.queries import instances, quotas
from trove.db.tables import CloudThing, Event, Operation
from trove.model import operations as kinds
from trove.model.states import OperationState, Task

COST = {"instances": 1, "ram": 1024, "volumes": 5}
UNLIMITED = {"instances": -1, "ram": -1, "volumes": -1}


def abandon(database, id):
    operations.abandon(database, id, who="ada", why="the cloud lost the port")


def test_a_stuck_operation_goes_on(database, instance, operation, clock):
    id = operation(instance(), state=OperationState.STUCK)
    operations.retry(database, id)
    with database.reading() as tx:
        row = tx.get(Operation, id)
    assert (row.state, row.due) == (OperationState.RUNNING, clock.now)


def test_abandoning_says_who_and_why(database, instance, operation):
    object_id = instance(task=Task.REBOOTING)
    id = operation(object_id, state=OperationState.STUCK)
    abandon(database, id)
    with database.reading() as tx:
        row, held = tx.get(Operation, id), instances.load(tx, object_id)
        event = tx.get(Event, (object_id, 1))
    fault = "Abandoned by ada: the cloud lost the port"
    assert (row.state, row.fault, held.fault) == (OperationState.FAILED, fault, fault)
    assert event.kind == "instance.restart.error"
    assert event.payload["abandoned_by"] == "ada"


def test_an_instance_that_was_up_can_be_used_again(database, instance, operation):
    object_id = instance(task=Task.REBOOTING)
    abandon(database, operation(object_id))
    with database.reading() as tx:
        assert instances.load(tx, object_id).task == Task.NONE


def test_a_build_fails_and_gives_its_reservation_back(database, instance, operation):
    object_id = instance(task=Task.BUILDING, was_active=False)
    with database.transaction() as tx:
        quotas.reserve(tx, "demo", COST, UNLIMITED)
    abandon(database, operation(object_id, kind=kinds.CREATE))
    with database.reading() as tx:
        assert instances.load(tx, object_id).task == Task.FAILED
        assert all(row["reserved"] == 0 for row in quotas.rows(tx, "demo", UNLIMITED))
    assert audit.look(database, None, None) == []


def test_what_it_was_growing_to_is_given_back(database, instance, operation):
    object_id = instance(task=Task.RESIZING, volume_target=9, ram_target=4096)
    with database.transaction() as tx:
        row = instances.load(tx, object_id)
        more = {"volumes": 9 - row.volume_size, "ram": 4096 - row.ram}
        quotas.reserve(tx, row.project, more, UNLIMITED)
        project = row.project
    abandon(database, operation(object_id, kind=kinds.RESIZE_VOLUME))
    with database.reading() as tx:
        held = instances.load(tx, object_id)
        assert (held.task, held.volume_target, held.ram_target) == ("NONE", None, None)
        assert all(row["reserved"] == 0 for row in quotas.rows(tx, project, UNLIMITED))


def test_the_ledger_is_left_to_a_delete(database, instance, operation):
    object_id = instance(task=Task.REBOOTING)
    key = f"{object_id}.volume"
    with database.transaction() as tx:
        tx.add(
            CloudThing(
                key=key,
                kind="volume",
                external_id="v",
                owner=object_id,
                operation_id="op",
                data_bearing=True,
                state="created",
                created=1.0,
                updated=1.0,
            )
        )
    abandon(database, operation(object_id))
    with database.reading() as tx:
        assert tx.get(CloudThing, key).state == "created"


def test_a_delete_stays_a_delete(database, instance, operation):
    object_id = instance(task=Task.DELETING)
    abandon(database, operation(object_id, kind=kinds.DELETE))
    with database.reading() as tx:
        assert instances.load(tx, object_id).task == Task.DELETING


def test_who_waited_gets_the_lock(database, instance, operation, clock):
    object_id = instance(task=Task.DELETING)
    first = operation(object_id)
    second = operation(
        object_id,
        kind=kinds.DELETE,
        state=OperationState.PENDING,
        lock_key=None,
        after=first,
        due=9e9,
    )
    abandon(database, first)
    with database.reading() as tx:
        row = tx.get(Operation, second)
    assert (row.lock_key, row.due) == (f"instance:{object_id}", clock.now)


def test_what_is_over_cannot_be_abandoned(database, instance, operation):
    id = operation(instance(), state=OperationState.DONE)
    with pytest.raises(errors.Conflict, match="done"):
        abandon(database, id)
