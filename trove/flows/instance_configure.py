# SPDX-License-Identifier: Apache-2.0
"""A configuration group's values in a running database, or what was there before."""

from sqlalchemy import orm

from trove.db.queries import configurations, instances
from trove.db.session import now
from trove.flows import ends, guestjobs
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.rpc.messages import Group
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

Waiting = dict[str, list[str]]


def group(ctx: StepContext, ram: int, vcpus: int | None) -> Group:
    """What a database on such a server is configured by."""
    instance = ctx.instance()
    with ctx.claim.database.reading() as tx:
        values = configurations.settings(tx, instance.configuration_id)
    return Group(
        memory=ram,
        vcpus=vcpus or 1,
        server_id=instance.server_number,
        values=values,
    )


def apply_group(ctx: StepContext) -> Waiting | Wait:
    """The values as they are when the guest is told; it says which wait."""
    instance = ctx.instance()
    told = group(ctx, instance.ram, instance.vcpus)
    done = guestjobs.carry(ctx, "configure", group=told)
    if isinstance(done, Wait):
        return done
    return {"restart": [str(name) for name in done.get("restart", ())]}


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE; RESTART_REQUIRED while the engine says so."""
    waiting = bool(ctx.output(apply_group)["restart"])
    return ends.at_rest(ctx, restart_required=waiting)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The instance has the group it had; the fault says what was not taken."""
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.task == states.Task.UPDATING:
        instances.move(tx, ctx.object_id, states.Task.NONE)
    asked = operations.ConfigureInstance.from_dict(ctx.operation.input or {})
    instances.changes(
        tx,
        ctx.object_id,
        configuration_id=asked.before,
        fault=fault,
        fault_at=now(tx),
        updated=now(tx),
    )


FLOW = Flow(
    operations.CONFIGURE,
    (Step(apply_group, within=minutes(15)), Step(settle)),
    deadline=operations.DEADLINES[operations.CONFIGURE],
    failed=failed,
)
