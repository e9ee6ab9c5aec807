# SPDX-License-Identifier: Apache-2.0
"""A server on another host of the cloud, where it can be confirmed or taken back.

The database is stopped in good order before the cloud moves its server. Only when it is
healthy there is the move confirmed; until then every failure leads back to the host
before.
"""

import typing

from trove import errors
from trove.cloud.protocol import Server
from trove.flows import ends, guestjobs, things
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

GIVEN_UP = minutes(15)
"""Seconds of a guest's silence after which its database is not started as before."""

Done = dict[str, typing.Any] | Wait


class NotMigrated(errors.Upstream):
    """The cloud did not do it."""

    sentence = "The cloud did not migrate the server: {why}."


def stop_database(ctx: StepContext) -> Done:
    """In good order: the cloud gives a server a minute, a large database needs more."""
    done = guestjobs.carry(ctx, "stop_database")
    return done if isinstance(done, Wait) else {}


def start_as_before(ctx: StepContext) -> Wait | None:
    """The database runs as it did; what it cannot do, its guest reports."""
    if _going(ctx):
        return None
    return guestjobs.taken_back(ctx, "restart_database", GIVEN_UP)


def migrate_server(ctx: StepContext) -> Done:
    """The server is elsewhere, which is not confirmed yet."""
    found = _server(ctx)
    if found.moving:
        return ctx.again(f"server {found.id} is {found.status}")
    if found.status == "VERIFY_RESIZE":
        return {"host": found.host}
    if ctx.claim.steps["migrate_server"].attempt:  # it was asked, and is where it was
        raise NotMigrated(why=found.fault or f"server {found.id} is where it was")
    wanted = operations.MigrateInstance.from_dict(ctx.operation.input or {}).host
    ctx.claim.guard(ctx.settings.call_timeout)
    ctx.cloud.compute.migrate(found.id, wanted)
    ctx.claim.once("migrate_server")
    return ctx.again(f"server {found.id} is being migrated")


def migrate_back(ctx: StepContext) -> Wait | None:
    """The server is where it was, whatever became of it elsewhere."""
    if _going(ctx):
        return None
    found = ctx.cloud.compute.show(str(ctx.instance().server_id))
    if found is None or found.lost:
        return None  # it is not ours to mend: the fault says what the cloud said
    if found.moving:
        return ctx.again(f"server {found.id} is {found.status}")
    if found.status != "VERIFY_RESIZE":
        return None
    ctx.claim.guard(ctx.settings.call_timeout)
    ctx.cloud.compute.revert(found.id)
    return ctx.again(f"server {found.id} goes back")


def start_database(ctx: StepContext) -> Done:
    """It is healthy there, or all of this is taken back."""
    done = guestjobs.carry(ctx, "restart_database")
    return done if isinstance(done, Wait) else {}


def confirm_host(ctx: StepContext) -> Done:
    """There is no way back from here on."""
    return things.confirmed(ctx, _server(ctx))


def settle(ctx: StepContext) -> Settle:
    """MIGRATING -> NONE."""
    return ends.at_rest(ctx)


def _going(ctx: StepContext) -> bool:
    """Whether a delete waits for this to end: it takes a server anywhere."""
    return ctx.instance().task == Task.DELETING


def _server(ctx: StepContext) -> Server:
    id = str(ctx.instance().server_id)
    found = ctx.cloud.compute.show(id)
    if found is None:
        raise NotMigrated(why=f"server {id} is gone")
    if found.lost:
        raise NotMigrated(why=found.fault or f"server {id} is {found.status}")
    return found


FLOW = Flow(
    operations.MIGRATE,
    (
        Step(stop_database, undo=start_as_before, within=minutes(20)),
        Step(migrate_server, undo=migrate_back, within=minutes(60)),
        Step(start_database, within=minutes(25)),
        Step(confirm_host, within=minutes(30), pivot=True),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.MIGRATE],
    failed=ends.failed(Task.MIGRATING),
)
