# SPDX-License-Identifier: Apache-2.0
"""Restart of the database, on a machine that stays."""

from sqlalchemy import orm

from trove.db.queries import instances
from trove.db.session import now
from trove.flows import guestjobs, instance_configure
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


def apply_group(ctx: StepContext) -> dict[str, list[str]] | Wait:
    """What waits for the restart is told once more: a restart that failed with it has
    put the values before in its place."""
    if not ctx.instance().restart_required:
        return {"restart": []}
    return instance_configure.apply_group(ctx)


def restart_database(ctx: StepContext) -> dict[str, str] | Wait:
    """The agent restarts it, and says done when the write probe passes again."""
    done = guestjobs.carry(ctx, "restart_database")
    return done if isinstance(done, Wait) else {}


def settle(ctx: StepContext) -> Settle:
    """REBOOTING -> NONE; what needed a restart has had it."""

    def work(tx: orm.Session) -> None:
        instances.move(tx, ctx.object_id, states.Task.NONE)
        instances.changes(
            tx, ctx.object_id, restart_required=False, fault=None, updated=now(tx)
        )

    return Settle(work)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The database is as its guest reports it; the fault says what did not work."""
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.task == states.Task.REBOOTING:
        instances.move(tx, ctx.object_id, states.Task.NONE)
    instances.changes(tx, ctx.object_id, fault=fault, fault_at=now(tx), updated=now(tx))


FLOW = Flow(
    operations.RESTART,
    (
        Step(apply_group, within=minutes(10)),
        Step(restart_database, within=minutes(15)),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.RESTART],
    failed=failed,
)
