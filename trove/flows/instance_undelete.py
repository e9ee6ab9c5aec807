# SPDX-License-Identifier: Apache-2.0
"""Out of the recycle bin: a create whose volume is there, with its data and users.

Server, port and address are new. One that does not come back is in the bin as before,
with the reason; its volume is never made anew, and never lost.
"""

from sqlalchemy import orm

from trove.db.queries import instances, modules, recycled
from trove.flows import ends, instance_create, instance_delete, restoring
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
from trove.workflow.flow import Flow, Settle, Step

AGAIN = 24 * 3600.0
"""Seconds that are left at the least to try again, whatever the bin's time was."""


def settle(ctx: StepContext) -> Settle:
    """BUILDING -> NONE, and out of the bin."""
    said = ctx.output(instance_create.apply_modules).get("said", {})
    rest = ends.at_rest(ctx, restart_required=False).work

    def work(tx: orm.Session) -> None:
        modules.answered(tx, ctx.object_id, said)
        recycled.forget(tx, ctx.object_id)
        rest(tx)

    return Settle(work)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """It is deleted as it was, and the bin says why."""
    row = instances.get(tx, ctx.object_id)
    if row is None or row.task != Task.BUILDING:  # a delete has come: that goes on
        return
    instances.move(tx, row.id, Task.DELETING)
    instance_delete.bury(tx, row)
    recycled.stays(tx, row.id, fault, AGAIN)


FLOW = Flow(
    operations.UNDELETE,
    (
        *(
            step
            for step in instance_create.FLOW.steps[:-1]
            if step.wanted is not restoring.wanted
        ),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.UNDELETE],
    failed=failed,
)
