# SPDX-License-Identifier: Apache-2.0
"""Another flavor: a larger or smaller server, and a database that is fitted to it.

The database is stopped in good order before the cloud restarts the server. Only when it
is healthy with its new memory is the new size confirmed; until then every failure
leads back to the size before.
"""

import typing

from sqlalchemy import orm

from trove import errors
from trove.cloud.protocol import Server
from trove.db.queries import instances, quotas
from trove.db.session import now
from trove.db.tables import Instance
from trove.flows import guestjobs, instance_configure, things
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.model.quotas import RAM
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

AGAIN, BACK = 30.0, 3
"""Seconds until a size that the cloud confirmed by itself is asked back once more, and
how often in all: where the disk of the old one is smaller, Nova accepts, and then does
not do it."""
KEPT = "{fault}; the server keeps its new size, for the cloud did not take it back"
GIVEN_UP = minutes(15)
"""Seconds of a guest's silence after which its database is not started as before."""

Done = dict[str, typing.Any] | Wait


class NotResized(errors.Upstream):
    """The cloud did not do it."""

    sentence = "The cloud did not resize the server: {why}."


def stop_database(ctx: StepContext) -> dict[str, str] | Wait:
    """In good order: the cloud gives a server a minute, a large database needs more."""
    done = guestjobs.carry(ctx, "stop_database")
    return done if isinstance(done, Wait) else {}


def start_as_before(ctx: StepContext) -> Wait | None:
    """The database runs as it did; what it cannot do, its guest reports."""
    if _going(ctx):
        return None
    size = asked(ctx).after if _kept(ctx) else asked(ctx).before
    try:
        done = _fit(ctx, size, turn="back")
        if not isinstance(done, Wait):
            done = guestjobs.carry(ctx, "restart_database", turn="back")
    except guestjobs.JobFailed:
        return None
    waits = isinstance(done, Wait) and not guestjobs.given_up(ctx, GIVEN_UP)
    return typing.cast(Wait, done) if waits else None


def resize_server(ctx: StepContext) -> dict[str, str] | Wait:
    """The server has its new size, which is not confirmed yet."""
    wanted, found = asked(ctx).after.flavor, _server(ctx)
    if found.moving:
        return ctx.again(f"server {found.id} is {found.status}")
    if found.flavor != wanted:
        if ctx.claim.steps["resize_server"].attempt:  # it was, and is as it was before
            raise NotResized(why=found.fault or f"server {found.id} has its old size")
        ctx.claim.guard(ctx.settings.call_timeout)
        ctx.cloud.compute.resize(found.id, wanted)
        ctx.claim.once("resize_server")
        return ctx.again(f"server {found.id} is being resized")
    if found.status == "SHUTOFF":  # as it was before; the database is to run
        raise NotResized(why="it is off")
    return {"server": found.id}


def resize_back(ctx: StepContext) -> Wait | None:
    """The server has the size before, or it is known that the cloud does not do it."""
    before = asked(ctx).before.flavor
    found = ctx.cloud.compute.show(str(ctx.instance().server_id))
    if _going(ctx) or _kept(ctx) or found is None or found.lost:
        return None  # it is not ours to mend: the fault says what the cloud said
    if found.moving:
        return ctx.again(f"server {found.id} is {found.status}")
    if found.status != "VERIFY_RESIZE" and found.flavor == before:
        return None
    ctx.claim.guard(ctx.settings.call_timeout)
    compute = ctx.cloud.compute
    if found.status != "VERIFY_RESIZE":  # the cloud has confirmed it by itself
        ctx.claim.tries("resize_server")
        if not _kept(ctx):
            compute.resize(found.id, before)
        return Wait(AGAIN, f"server {found.id} is resized back")
    if found.flavor == before:
        compute.confirm(found.id)
    else:
        compute.revert(found.id)
    return ctx.again(f"server {found.id} gets its size back")


def fit_database(ctx: StepContext) -> dict[str, str] | Wait:
    """Its memory and threads as the new flavor has them."""
    done = _fit(ctx, asked(ctx).after)
    return done if isinstance(done, Wait) else {}


def start_database(ctx: StepContext) -> dict[str, str] | Wait:
    """It is healthy with them, or all of this is taken back."""
    done = guestjobs.carry(ctx, "restart_database")
    return done if isinstance(done, Wait) else {}


def confirm_size(ctx: StepContext) -> dict[str, str] | Wait:
    """There is no way back from here on."""
    return things.confirmed(ctx, _server(ctx))


def settle(ctx: StepContext) -> Settle:
    """RESIZING -> NONE, and the quota as it is used."""

    def work(tx: orm.Session) -> None:
        row = instances.get(tx, ctx.object_id)
        if row is None or row.ram_target is None:
            return
        _sized(ctx, tx, row)
        instances.move(tx, row.id, states.Task.NONE)
        instances.changes(tx, row.id, restart_required=False, fault=None)

    return Settle(work)


def _sized(ctx: StepContext, tx: orm.Session, row: Instance) -> None:
    """It has the new size, and uses as much of the quota."""
    after, most = asked(ctx).after, row.ram_target or row.ram
    quotas.settle(tx, row.project, {RAM: most - row.ram})
    quotas.give_back(tx, row.project, {RAM: most - after.ram})
    instances.changes(
        tx,
        row.id,
        flavor_id=after.flavor,
        ram=after.ram,
        vcpus=after.vcpus,
        ram_target=None,
        updated=now(tx),
    )


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """It has the flavor it had, or the cloud kept it; the fault says what was wrong."""
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.ram_target is not None and _kept(ctx):
        _sized(ctx, tx, row)
        fault = KEPT.format(fault=fault)
    elif row.ram_target is not None:
        quotas.release(tx, row.project, {RAM: row.ram_target - row.ram})
    if row.task == states.Task.RESIZING:
        instances.move(tx, ctx.object_id, states.Task.NONE)
    instances.changes(
        tx,
        ctx.object_id,
        ram_target=None,
        fault=fault,
        fault_at=now(tx),
        updated=now(tx),
    )


def asked(ctx: StepContext) -> operations.ResizeFlavor:
    """The size before and after."""
    return operations.ResizeFlavor.from_dict(ctx.operation.input or {})


def _going(ctx: StepContext) -> bool:
    """Whether a delete waits for this to end: it takes a server of any size."""
    return ctx.instance().task == states.Task.DELETING


def _kept(ctx: StepContext) -> bool:
    """Whether the old size was asked back as often as it is (and the new one once)."""
    step = ctx.claim.steps.get("resize_server")
    return step is not None and step.attempt > 1 + BACK


def _server(ctx: StepContext) -> Server:
    instance: Instance = ctx.instance()
    found = ctx.cloud.compute.show(str(instance.server_id))
    if found is None:
        raise NotResized(why=f"server {instance.server_id} is gone")
    if found.lost:
        raise NotResized(why=found.fault or f"server {found.id} is {found.status}")
    return found


def _fit(ctx: StepContext, size: operations.Size, turn: str = "") -> Done:
    group = instance_configure.group(ctx, size.ram, size.vcpus)
    return guestjobs.carry(ctx, "configure", turn=turn, group=group)


FLOW = Flow(
    operations.RESIZE_FLAVOR,
    (
        Step(stop_database, undo=start_as_before, within=minutes(20)),
        Step(resize_server, undo=resize_back, within=minutes(60)),
        Step(fit_database, within=minutes(10)),
        Step(start_database, within=minutes(25)),
        Step(confirm_size, within=minutes(30), pivot=True),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.RESIZE_FLAVOR],
    failed=failed,
)
