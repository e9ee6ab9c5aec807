# SPDX-License-Identifier: Apache-2.0
"""Who reaches a database's port: its security group's rules, changed as a whole."""

import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import instances
from trove.db.session import now
from trove.flows import ends, things
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.workflow.flow import Flow, Settle, Step, minutes


class GroupGone(errors.Upstream):
    """Nothing stands between the world and the database's port, or nothing at all."""

    sentence = "The security group of the instance is gone."


def set_rules(ctx: StepContext) -> dict[str, str]:
    """The group has the rules of the row, and no others."""
    return _have(ctx, ctx.instance().access)


def restore_rules(ctx: StepContext) -> None:
    """Those before; a group that is gone stays so."""
    try:
        _have(ctx, asked(ctx).before)
    except GroupGone:
        return


def _have(ctx: StepContext, access: dict[str, typing.Any] | None) -> dict[str, str]:
    network, key = ctx.cloud.network, ctx.key(things.GROUP)
    wanted = things.rules(ctx, ctx.instance(), access)
    found = network.find_groups(key)
    if not found:
        raise GroupGone()
    if set(found[0].rules) != set(wanted):
        ctx.claim.guard(ctx.settings.call_timeout)
        network.create_group(key, wanted)
    return {"group": found[0].id}


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE."""
    return ends.at_rest(ctx)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """Who could reach it before can; the fault says what did not work."""
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.task == states.Task.UPDATING:
        instances.move(tx, ctx.object_id, states.Task.NONE)
    instances.changes(
        tx,
        ctx.object_id,
        access=asked(ctx).before,
        fault=fault,
        fault_at=now(tx),
        updated=now(tx),
    )


def asked(ctx: StepContext) -> operations.ChangeAccess:
    """What was there when the change was accepted."""
    return operations.ChangeAccess.from_dict(ctx.operation.input or {})


FLOW = Flow(
    operations.ACCESS,
    (Step(set_rules, undo=restore_rules, within=minutes(10)), Step(settle)),
    deadline=operations.DEADLINES[operations.ACCESS],
    failed=failed,
)
