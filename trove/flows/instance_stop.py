# SPDX-License-Identifier: Apache-2.0
"""A stop of the database, on a machine that stays: until it is restarted."""

from trove.flows import ends, guestjobs
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


def stop_database(ctx: StepContext) -> dict[str, str] | Wait:
    """In good order; a boot of the machine does not start it."""
    done = guestjobs.carry(ctx, "stop_database")
    return done if isinstance(done, Wait) else {}


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE; the guest reports that it is stopped."""
    return ends.at_rest(ctx)


FLOW = Flow(
    operations.STOP,
    (Step(stop_database, within=minutes(20)), Step(settle)),
    deadline=operations.DEADLINES[operations.STOP],
    failed=ends.failed(Task.UPDATING),
)
