# SPDX-License-Identifier: Apache-2.0
"""Restart of the database, on a machine that stays."""

from sqlalchemy import orm

from trove.db.queries import instances
from trove.db.session import now
from trove.flows import guestjobs
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


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
    (Step(restart_database, within=minutes(15)), Step(settle)),
    deadline=operations.DEADLINES[operations.RESTART],
    failed=failed,
)
