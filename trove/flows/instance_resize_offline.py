# SPDX-License-Identifier: Apache-2.0
"""A larger volume where the cloud grows none that a server has.

The database is stopped in good order, and its server with it; the volume leaves, grows,
and comes back. All of it can be taken back: what the volume has grown by stays, and is
counted.
"""

import typing

from trove import errors
from trove.cloud.protocol import Server, Volume
from trove.flows import instance_resize_volume as online
from trove.flows.context import StepContext
from trove.flows.instance_migrate import (
    start_as_before,
    start_database,
    stop_database,
)
from trove.model import operations
from trove.model.states import Task
from trove.workflow.flow import Flow, Step, Wait, minutes

Done = dict[str, typing.Any] | Wait


class ServerLost(errors.Upstream):
    """The server is not to be had, whoever asks."""

    sentence = "The server {server} is {status}."


def stop_server(ctx: StepContext) -> Done:
    """Not before its database: a cloud gives a server a minute only."""
    found = _server(ctx)
    if found.status == "SHUTOFF":
        return {"server": found.id}
    if found.status == "ACTIVE":
        ctx.claim.guard(ctx.settings.call_timeout)
        ctx.cloud.compute.stop(found.id)
    return ctx.again(f"server {found.id} is stopping")


def start_again(ctx: StepContext) -> Wait | None:
    """The server is on, if it is to be had at all."""
    if _going(ctx):
        return None
    found = ctx.cloud.compute.show(str(ctx.instance().server_id))
    if found is None or found.lost or found.status == "ACTIVE":
        return None  # what is lost is not ours to mend: the fault says what it was
    return _started(ctx, found)


def detach_volume(ctx: StepContext) -> Done:
    """Nobody has the volume."""
    found = _volume(ctx)
    if found.status == "available":
        return {"volume": found.id}
    if found.status == "in-use":
        ctx.claim.guard(ctx.settings.call_timeout)
        ctx.cloud.compute.detach(str(ctx.instance().server_id), found.id)
    return ctx.again(f"volume {found.id} is {found.status}")


def attach_again(ctx: StepContext) -> Wait | None:
    """The server has it as before; only a volume that is sound can be had."""
    found = ctx.cloud.volumes.show(str(ctx.instance().volume_id))
    if _going(ctx) or found is None or found.status == "error":
        return None
    done = _attached(ctx, found)
    return done if isinstance(done, Wait) else None


def extend_volume(ctx: StepContext) -> dict[str, int] | Wait:
    """The volume has the size, while nobody has it."""
    return online.extend_volume(ctx)


def attach_volume(ctx: StepContext) -> Done:
    """The server has it, which is off still."""
    return _attached(ctx, _volume(ctx))


def start_server(ctx: StepContext) -> Done:
    """On; its agent finds the volume by the label of its file system."""
    found = _server(ctx)
    if found.status == "ACTIVE":
        return {"server": found.id}
    return _started(ctx, found)


def grow_file_system(ctx: StepContext) -> dict[str, str] | Wait:
    """The agent makes the file system as large as its volume."""
    return online.grow_file_system(ctx)


def _going(ctx: StepContext) -> bool:
    """Whether a delete waits for this to end: it takes a server in any state."""
    return ctx.instance().task == Task.DELETING


def _server(ctx: StepContext) -> Server:
    id = str(ctx.instance().server_id)
    found = ctx.cloud.compute.show(id)
    if found is None or found.lost:
        raise ServerLost(server=id, status=found.status if found else "gone")
    return found


def _volume(ctx: StepContext) -> Volume:
    id = str(ctx.instance().volume_id)
    found = ctx.cloud.volumes.show(id)
    if found is None or found.status == "error":
        raise online.VolumeLost(volume=id, status=found.status if found else "gone")
    return found


def _started(ctx: StepContext, found: Server) -> Wait:
    if found.status == "SHUTOFF":
        ctx.claim.guard(ctx.settings.call_timeout)
        ctx.cloud.compute.start(found.id)
    return ctx.again(f"server {found.id} is starting")


def _attached(ctx: StepContext, found: Volume) -> Done:
    server = str(ctx.instance().server_id)
    if found.status == "in-use" and server in found.servers:
        return {"volume": found.id}
    if found.status == "available":
        ctx.claim.guard(ctx.settings.call_timeout)
        ctx.cloud.compute.attach(server, found.id)
    return ctx.again(f"volume {found.id} is {found.status}")


FLOW = Flow(
    operations.RESIZE_OFFLINE,
    (
        Step(stop_database, undo=start_as_before, within=minutes(20)),
        Step(stop_server, undo=start_again, within=minutes(15)),
        Step(detach_volume, undo=attach_again, within=minutes(15)),
        Step(extend_volume, undo=online.take_stock, within=minutes(15)),
        Step(attach_volume, within=minutes(15)),
        Step(start_server, within=minutes(15)),
        Step(start_database, within=minutes(25)),
        Step(grow_file_system, within=minutes(65)),
        Step(online.settle),
    ),
    deadline=operations.DEADLINES[operations.RESIZE_OFFLINE],
    failed=online.failed,
)
