# SPDX-License-Identifier: Apache-2.0
"""A copy of the data that an upgrade left on the volume goes, for somebody said so."""

from trove.flows import ends, guestjobs
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


def forget_data(ctx: StepContext) -> dict[str, str] | Wait:
    """It is gone, if it was there; the data themselves are not touched."""
    asked = operations.DiscardCopy.from_dict(ctx.operation.input or {})
    done = guestjobs.carry(ctx, "forget_data", copy=asked.copy)
    return done if isinstance(done, Wait) else {}


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE."""
    return ends.at_rest(ctx)


FLOW = Flow(
    operations.DISCARD,
    (Step(forget_data, within=minutes(45)), Step(settle)),
    deadline=operations.DEADLINES[operations.DISCARD],
    failed=ends.failed(Task.UPDATING),
)
