# SPDX-License-Identifier: Apache-2.0
"""What comes after an instance's backup: rest, or the delete that it was the last of.

The delete is opened in the transaction that ends the backup: whoever dies, there is one
of the two.
"""

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.queries import instances
from trove.db.session import now
from trove.db.tables import Instance, Operation
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.operations import DeleteInstance
from trove.model.states import Task
from trove.workflow import journal


def saved(ctx: StepContext, tx: orm.Session, delete: DeleteInstance | None) -> None:
    """BACKING_UP -> NONE, or DELETING: the backup is whole."""
    row = _held(ctx, tx)
    if delete is None:
        instances.move(tx, row.id, Task.NONE)
    elif row.deletion_protection:
        instances.move(tx, row.id, Task.NONE)
        _stays(tx, row, errors.InstanceProtected(instance=row.id).message)
    else:
        _delete(ctx, tx, row, delete)


def not_saved(
    ctx: StepContext, tx: orm.Session, delete: DeleteInstance | None, fault: str
) -> None:
    """BACKING_UP -> NONE; or DELETING all the same, where the volume is kept.

    Not when a delete has come that wanted no backup: that goes on by itself. Who had
    the backup stopped wants no delete either.
    """
    row = _held(ctx, tx)
    if row.task != Task.BACKING_UP:
        return
    if delete is None:
        instances.move(tx, row.id, Task.NONE)
        return
    why = errors.NoFinalBackup(instance=row.id, why=f"{fault.rstrip('.')}.")
    if not delete.keep or row.deletion_protection or _cancelled(ctx, tx):
        instances.move(tx, row.id, Task.NONE)
        _stays(tx, row, why.message)
        return
    about = {"why": fault}
    request = ctx.operation.request_id
    journal.event(tx, row.id, "instance.final_backup_missed", about, request)
    _delete(ctx, tx, row, delete)


def _held(ctx: StepContext, tx: orm.Session) -> Instance:
    """Nobody protects it between the look and the delete."""
    held = sa.select(Instance).where(Instance.id == ctx.object_id).with_for_update()
    return tx.scalars(held.execution_options(populate_existing=True)).one()


def _stays(tx: orm.Session, row: Instance, fault: str) -> None:
    instances.changes(tx, row.id, fault=fault, fault_at=now(tx))


def _cancelled(ctx: StepContext, tx: orm.Session) -> bool:
    """As it is now: the worker may have looked before somebody asked."""
    mine = sa.select(Operation.cancel).where(Operation.id == ctx.operation.id)
    return bool(tx.scalar(mine))


def _delete(
    ctx: StepContext, tx: orm.Session, row: Instance, delete: DeleteInstance
) -> None:
    instances.move(tx, row.id, Task.DELETING)
    kind = operations.DELETE
    opened = journal.open(
        tx,
        kind=kind,
        project=row.project,
        object_type=operations.INSTANCE,
        object_id=row.id,
        input=delete.to_dict(),
        deadline=operations.DEADLINES[kind],
        request_id=ctx.operation.request_id,
        user=ctx.operation.user,
    )
    about = {"operation": opened, "user": ctx.operation.user}
    journal.event(tx, row.id, f"{kind}.accepted", about, ctx.operation.request_id)
