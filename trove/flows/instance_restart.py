# SPDX-License-Identifier: Apache-2.0
"""Restart of the database, on a machine that stays."""

from trove.flows import ends, guestjobs, instance_configure
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
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
    return ends.at_rest(ctx, restart_required=False)


FLOW = Flow(
    operations.RESTART,
    (
        Step(apply_group, within=minutes(10)),
        Step(restart_database, within=minutes(15)),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.RESTART],
    failed=ends.failed(Task.REBOOTING),
)
