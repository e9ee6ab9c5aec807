# SPDX-License-Identifier: Apache-2.0
"""A module applied again on every instance that has it, some at a time.

Which instances that are is written at them when it is asked for. Each gets an operation
of its own when it is not busy with another; this one waits for them.
"""

from sqlalchemy import orm

from trove.db.queries import instances, modules
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
from trove.workflow import journal
from trove.workflow.flow import Flow, Step, Wait

LOOK = 15.0
"""Seconds between two looks, where no instance of ours says that it has ended."""


def reapply(ctx: StepContext) -> dict[str, int] | Wait:
    """A batch at a time, begun when the one before has ended, and a pause later."""
    how = operations.ReapplyModule.from_dict(ctx.operation.input or {})
    with ctx.claim.database.reading() as tx:
        waiting = modules.due(tx, ctx.operation.id)
        under_way = [id for id in waiting if _under_way(ctx, tx, id)]
        pause = modules.last_heard(tx, ctx.object_id) + how.pause - ctx.claim.now()
    if not waiting:
        return {}
    if under_way:
        return Wait(LOOK, f"{len(under_way)} instances apply it")
    if pause > 0:
        return Wait(pause, "the pause between two batches")
    begun = 0

    def begin(tx: orm.Session) -> None:
        nonlocal begun
        begun = 0
        for id in waiting:
            if begun < how.batch:
                begun += _begin(ctx, tx, id)

    ctx.write(begin)
    if begun:
        return Wait(LOOK, f"{begun} instances apply it")
    # those that need none are out of it now; the others are busy
    return Wait(how.pause or LOOK, "every instance that is left is busy")


def _under_way(ctx: StepContext, tx: orm.Session, id: str) -> bool:
    live = journal.live(tx, operations.INSTANCE, id)
    return live is not None and modules.waits(tx, id, ctx.object_id)


def _begin(ctx: StepContext, tx: orm.Session, id: str) -> bool:
    """Whether this instance has begun; one that is gone, or failed, needs none."""
    row = instances.get(tx, id)
    if row is None or row.deleted_at is not None or row.task == Task.FAILED:
        modules.not_due(tx, id, ctx.object_id)
        return False
    if row.task != Task.NONE or journal.live(tx, operations.INSTANCE, id) is not None:
        return False
    modules.ask(tx, id, [ctx.object_id])
    instances.move(tx, id, Task.UPDATING)
    asked = operations.ChangeModules(apply=(ctx.object_id,), by=ctx.operation.id)
    journal.open(
        tx,
        kind=operations.MODULES,
        project=row.project,
        object_type=operations.INSTANCE,
        object_id=id,
        input=asked.to_dict(),
        deadline=operations.DEADLINES[operations.MODULES],
        request_id=ctx.operation.request_id,
        user=ctx.operation.user,
    )
    return True


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """Those that it was not applied on keep what they have."""
    modules.no_longer_due(tx, ctx.operation.id)


FLOW = Flow(
    operations.REAPPLY,
    (Step(reapply),),
    deadline=operations.DEADLINES[operations.REAPPLY],
    failed=failed,
)
