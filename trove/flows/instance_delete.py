# SPDX-License-Identifier: Apache-2.0
"""To nothing, or to a volume in the recycle bin, whatever was there: there is no way
back, and it never gives up."""

import typing

from sqlalchemy import orm

from trove.cloud.protocol import Refused
from trove.db.queries import certificates, instances, modules, quotas, recycled
from trove.db.session import now
from trove.db.tables import Guest, GuestJob, GuestReport, Instance
from trove.flows import guestjobs, kept, things
from trove.flows.context import StepContext
from trove.model import operations
from trove.model import quotas as costs
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

PATIENCE = 30.0
"""Seconds that a database gets to stop in good order before its machine goes."""


def stop_database(ctx: StepContext) -> dict[str, str] | Wait:
    """In good order where the guest answers; nothing depends on it."""
    instance = ctx.instance()
    begun = ctx.claim.steps[stop_database.__name__].begun_at
    if not instance.was_active or ctx.claim.now() - begun > PATIENCE:
        return {}
    with ctx.claim.database.reading() as tx:
        report = tx.get(GuestReport, instance.id)
    if report is None or ctx.claim.now() - report.received_at > PATIENCE:
        return {}
    try:
        done = guestjobs.carry(ctx, "stop_database")
    except (guestjobs.JobFailed, Refused):  # from here on there is no way back
        return {}
    return Wait(min(done.seconds, 5), done.why) if isinstance(done, Wait) else {}


def remove_broker_user(ctx: StepContext) -> Wait | None:
    """Before the machine: from here on nothing it says is heard."""
    return things.no_user(ctx)


def delete_server(ctx: StepContext) -> Wait | None:
    return things.no_server(ctx)


def delete_server_group(ctx: StepContext) -> Wait | None:
    return things.no_server_group(ctx)


def delete_public_address(ctx: StepContext) -> Wait | None:
    """It is not shown any more, however long the rest takes."""
    wait = things.no_floating_ip(ctx)
    shown = ctx.instance().addresses or ()
    if wait is None and any(entry["type"] == "public" for entry in shown):
        ctx.write(lambda tx: instances.public(tx, ctx.object_id, None))
    return wait


def delete_ports(ctx: StepContext) -> Wait | None:
    return things.no_ports(ctx)


def delete_security_group(ctx: StepContext) -> Wait | None:
    return things.no_group(ctx)


def delete_volume(ctx: StepContext) -> dict[str, typing.Any] | Wait | None:
    """The data goes with the instance, or is kept for a while: as its user asked.

    As long as there are backups that are snapshots of it, it is kept for them.
    """
    if ctx.instance().was_active and asked(ctx).keep:
        return kept.keep(ctx)
    if kept.stands(ctx):
        done = kept.keep(ctx)
        return done if isinstance(done, Wait) else {**done, "stands": True}
    return things.no_volume(ctx, keep=False)


def settle(ctx: StepContext) -> Settle:
    """It is deleted; in the recycle bin, if its volume is kept."""
    left = ctx.output(delete_volume)
    volume = left.get("kept")

    def work(tx: orm.Session) -> None:
        row = instances.get(tx, ctx.object_id)
        if row is None or row.deleted_at is not None:
            return
        if volume is None or left.get("stands"):
            certificates.forget(tx, row.id)
            recycled.forget(tx, row.id)  # a delete came while it came back
        else:
            had = modules.of_instance(tx, row.id, hidden=True)
            ids = [one.shown.row.id for one in had]
            recycled.put(tx, row, ids, asked(ctx).keep)
        bury(tx, row)
        row.volume_id = volume
        row.volume_size = left.get("size", row.volume_size)
        tx.flush()

    return Settle(work)


def bury(tx: orm.Session, row: Instance) -> None:
    """The row is marked, the quota given back, what the guest said is forgotten."""
    if row.was_active:
        cost = costs.cost_of_instance(row.ram, row.volume_size)
        quotas.give_back(tx, row.project, cost)
    row.deleted_at = row.updated = now(tx)
    row.server_id = row.addresses = row.port_id = None
    for table in (Guest, GuestReport):
        gone = tx.get(table, row.id)
        if gone is not None:
            tx.delete(gone)
    modules.forgotten(tx, row.id)
    tx.query(GuestJob).filter(GuestJob.instance_id == row.id).delete()
    tx.flush()


def asked(ctx: StepContext) -> operations.DeleteInstance:
    """What becomes of its volume."""
    return operations.DeleteInstance.from_dict(ctx.operation.input or {})


FLOW = Flow(
    operations.DELETE,
    (
        Step(stop_database, pivot=True, within=minutes(2)),
        Step(remove_broker_user),
        Step(delete_server),
        Step(delete_server_group),
        Step(delete_public_address),
        Step(delete_ports),
        Step(delete_security_group),
        Step(delete_volume),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.DELETE],
)
