# SPDX-License-Identifier: Apache-2.0
"""What an operator may do to an operation that does not end by itself."""

from sqlalchemy import orm

from trove import errors
from trove.db.queries import instances, operations, quotas
from trove.db.session import Database, now
from trove.model import operations as kinds
from trove.model import quotas as costs
from trove.model.states import Task
from trove.workflow import journal

WITHIN = 3600.0
"""Seconds that an operation gets when it is tried again."""


def retry(database: Database, id: str, within: float = WITHIN) -> None:
    """A stuck operation goes on at the step where it stuck, now."""
    database.run(lambda tx: operations.retry(tx, id, within))


def abandon(database: Database, id: str, who: str, why: str) -> None:
    """Nobody carries the operation any further; who decided so is on record.

    Nothing in the cloud is touched, least of all a volume: what the ledger holds goes
    when the instance is deleted, what it does not hold is the reaper's. The instance is
    usable again when it was before, and failed when it never was.
    """
    fault = f"Abandoned by {who}: {why}"

    def work(tx: orm.Session) -> None:
        # before the row is closed: the follower is found by what it waits for
        follower = journal.queued(tx, id)
        operation = operations.close(tx, id, fault)
        if operation.object_type == kinds.INSTANCE:
            _let_go(tx, operation.object_id, operation.kind, fault)
        if follower is not None:
            follower.lock_key = journal.lock_of(
                follower.object_type, follower.object_id
            )
            follower.due = now(tx)
            tx.flush()
        journal.event(
            tx,
            operation.object_id,
            f"{operation.kind}.error",
            {"operation": id, "fault": fault, "abandoned_by": who},
            operation.request_id,
        )

    database.run(work)


def _let_go(tx: orm.Session, instance_id: str, kind: str, fault: str) -> None:
    row = instances.get(tx, instance_id)
    if row is None or row.deleted_at is not None:
        return
    if kind == kinds.CREATE and not row.was_active:
        cost = costs.cost_of_instance(row.ram, row.volume_size)
        quotas.release(tx, row.project, cost)
    for resource, wish, has in (
        (costs.VOLUMES, row.volume_target, row.volume_size),
        (costs.RAM, row.ram_target, row.ram),
    ):
        if wish is not None:
            quotas.release(tx, row.project, {resource: wish - (has or 0)})
    instances.changes(tx, instance_id, volume_target=None, ram_target=None)
    # one that is being deleted stays so: it may only be deleted again
    if row.task not in (Task.DELETING, Task.NONE, Task.FAILED):
        try:
            to = Task.NONE if row.was_active else Task.FAILED
            instances.move(tx, instance_id, to)
        except errors.InstanceBusy:  # it went elsewhere in this moment
            pass
    instances.changes(tx, instance_id, fault=fault, fault_at=now(tx))
