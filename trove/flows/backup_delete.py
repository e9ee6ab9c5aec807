# SPDX-License-Identifier: Apache-2.0
"""A backup, and all that stands on it, is taken away: last ones first, manifests first.

One whose objects could not all be deleted says so, and can be deleted again.
"""

from sqlalchemy import orm

from trove.db.queries import backups, quotas
from trove.db.session import now
from trove.flows import granting
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.backups import BackupState
from trove.model.quotas import BACKUPS
from trove.workflow.flow import Flow, Settle, Step


def delete_objects(ctx: StepContext) -> Settle:
    """Nothing of any of them is in the store."""
    ids = operations.DeleteBackup.from_dict(ctx.operation.input or {}).backups
    for id in ids:
        with ctx.claim.database.reading() as tx:
            row = backups.get(tx, id)
        if row is None or row.deleted_at is not None:
            continue
        names = granting.names(row)
        with granting.vault(ctx, row) as vault:
            vault.delete([names.manifest])
            vault.end(names.prefix)
    return Settle(lambda tx: _gone(ctx, tx, ids))


def _gone(ctx: StepContext, tx: orm.Session, ids: tuple[str, ...]) -> None:
    moment = now(tx)
    state = BackupState.DELETING
    gone = [backups.move(tx, id, state, [state], deleted_at=moment) for id in ids]
    quotas.give_back(tx, ctx.operation.project, {BACKUPS: sum(gone)})


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
    (Step(delete_objects),),
    deadline=operations.DEADLINES[operations.DELETE_BACKUP],
    failed=failed,
)
