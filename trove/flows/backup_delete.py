# SPDX-License-Identifier: Apache-2.0
"""A backup, and all that stands on it, is taken away: last ones first, manifests first.

One whose objects could not all be deleted says so, and can be deleted again.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.queries import backups, quotas, snapshots
from trove.db.session import now
from trove.db.tables import Backup, Instance
from trove.flows import granting, snapshotting
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.backups import SNAPSHOT, BackupState
from trove.model.quotas import BACKUPS
from trove.workflow import journal
from trove.workflow.flow import Flow, Settle, Step, Wait

GOING = (operations.DELETE, operations.RECLAIM, operations.UNDELETE)
"""What decides of a volume that is kept."""


def ask_for_end(ctx: StepContext) -> None:
    """What is a snapshot is to go: whether it does, the next step sees."""
    for row in _there(ctx):
        if row.driver == SNAPSHOT:
            snapshotting.ask_for_end(ctx, row.id)


def delete_objects(ctx: StepContext) -> Settle | Wait:
    """Nothing of any of them is in the store; nor, of a snapshot, in the cloud."""
    ids = operations.DeleteBackup.from_dict(ctx.operation.input or {}).backups
    for row in _there(ctx):
        if row.driver == SNAPSHOT:
            wait = snapshotting.gone(ctx, row.id)
            if wait is not None:
                return wait
            continue
        names = granting.names(row)
        with granting.vault(ctx, row) as vault:
            vault.delete([names.manifest])
            vault.end(names.prefix)
    return Settle(lambda tx: _gone(ctx, tx, ids))


def _there(ctx: StepContext) -> typing.Iterator[Backup]:
    """Those that are not deleted, one after the other."""
    for id in operations.DeleteBackup.from_dict(ctx.operation.input or {}).backups:
        with ctx.claim.database.reading() as tx:
            row = backups.get(tx, id)
        if row is not None and row.deleted_at is None:
            yield row


def _gone(ctx: StepContext, tx: orm.Session, ids: tuple[str, ...]) -> None:
    moment = now(tx)
    state = BackupState.DELETING
    gone = [backups.move(tx, id, state, [state], deleted_at=moment) for id in ids]
    quotas.give_back(tx, ctx.operation.project, {BACKUPS: sum(gone)})


def let_volume_go(ctx: StepContext) -> Settle | Wait:
    """A deleted instance's volume that was kept for its snapshots goes with the last.

    Who deletes the instance, or empties the bin of it, may have seen one that is gone
    by now: that is waited for.
    """
    ids = operations.DeleteBackup.from_dict(ctx.operation.input or {}).backups
    with ctx.claim.database.reading() as tx:
        row = backups.get(tx, ids[-1])
        if row is None or row.driver != SNAPSHOT:
            return Settle(lambda tx: None)
        live = journal.live(tx, operations.INSTANCE, row.instance_id)
        if live is not None and live.kind in GOING:
            return Wait(10, f"{live.kind} of instance {row.instance_id}")
    instance = row.instance_id
    return Settle(lambda tx: _reclaimed(ctx, tx, instance))


def _reclaimed(ctx: StepContext, tx: orm.Session, id: str) -> None:
    held = sa.select(Instance).where(Instance.id == id).with_for_update()
    tx.scalars(held).all()
    instance = snapshots.owed(tx, id)
    if instance is None or journal.live(tx, operations.INSTANCE, id) is not None:
        return
    request, kind = ctx.operation.request_id, operations.RECLAIM
    opened = journal.open(
        tx,
        kind=kind,
        project=instance.project,
        object_type=operations.INSTANCE,
        object_id=id,
        input=None,
        deadline=operations.DEADLINES[kind],
        request_id=request,
        user=ctx.operation.user,
    )
    about = {"operation": opened, "user": ctx.operation.user}
    journal.event(tx, id, f"{kind}.accepted", about, request)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """What is left of them can be deleted again."""
    for id in operations.DeleteBackup.from_dict(ctx.operation.input or {}).backups:
        backups.move(
            tx,
            id,
            BackupState.DELETE_FAILED,
            [BackupState.DELETING],
            fault=fault,
        )


FLOW = Flow(
    operations.DELETE_BACKUP,
    (Step(ask_for_end), Step(delete_objects), Step(let_volume_go)),
    deadline=operations.DEADLINES[operations.DELETE_BACKUP],
    failed=failed,
)
