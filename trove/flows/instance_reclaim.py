# SPDX-License-Identifier: Apache-2.0
"""The end of the recycle bin: a volume that was kept goes. It never gives up."""

from sqlalchemy import orm

from trove.db.queries import certificates, instances, recycled
from trove.flows import kept, things
from trove.flows.context import StepContext
from trove.model import operations
from trove.workflow.flow import Flow, Settle, Step, Wait


def let_go(ctx: StepContext) -> dict[str, str]:
    """From here on there is no way back: what a cloud refuses is tried again."""
    return {}


def delete_volume(ctx: StepContext) -> dict[str, bool] | Wait | None:
    """Its time is over, or its user wants it gone. It is out of the bin, and stays,
    while backups are snapshots of it: it goes with the last of them."""
    if kept.stands(ctx):
        return {"stands": True}
    return things.no_volume(ctx, keep=False)


def settle(ctx: StepContext) -> Settle:
    """Nothing is left of it (INV-16)."""
    stands = ctx.output(delete_volume).get("stands")

    def work(tx: orm.Session) -> None:
        recycled.forget(tx, ctx.object_id)
        certificates.forget(tx, ctx.object_id)
        if not stands:
            instances.changes(tx, ctx.object_id, volume_id=None)

    return Settle(work)


FLOW = Flow(
    operations.RECLAIM,
    (Step(let_go, pivot=True), Step(delete_volume), Step(settle)),
    deadline=operations.DEADLINES[operations.RECLAIM],
)
