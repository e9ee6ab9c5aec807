# SPDX-License-Identifier: Apache-2.0
"""A larger volume, and the file system on it, while the database serves.

A volume cannot shrink: what a failed resize has made larger stays so, and is counted.
"""

from sqlalchemy import orm

from trove import errors
from trove.db.queries import instances, quotas
from trove.db.session import now
from trove.db.tables import Instance
from trove.flows import guestjobs
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.model.quotas import VOLUMES
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


class VolumeLost(errors.Upstream):
    """The volume is not to be had, whoever asks."""

    sentence = "The volume {volume} is {status}."


def extend_volume(ctx: StepContext) -> dict[str, int] | Wait:
    """The volume has the size; it stays attached."""
    instance = ctx.instance()
    size = instance.volume_target or instance.volume_size or 0
    volumes, id = ctx.cloud.volumes, str(instance.volume_id)
    found = volumes.show(id)
    if found is None or found.status == "error":
        # nothing that is tried again would help, and the data are to be looked at
        raise VolumeLost(volume=id, status=found.status if found else "gone")
    if found.status in ("available", "in-use"):
        if found.size >= size:
            return {"size": found.size}
        ctx.claim.guard(ctx.settings.call_timeout)
        volumes.extend(id, size)
    return ctx.soon(f"volume {id} is {found.status}")


def take_stock(ctx: StepContext) -> Wait | None:
    """What the volume has grown by is used from now on; the rest is given back."""
    found = ctx.cloud.volumes.show(str(ctx.instance().volume_id))
    if found is not None and found.status == "extending":
        return ctx.again(f"volume {found.id} is extending")
    real = found.size if found else 0

    def work(tx: orm.Session) -> None:
        row = instances.get(tx, ctx.object_id)
        if row is None or row.volume_target is None:
            return
        size, target = row.volume_size or 0, row.volume_target
        grown = min(max(real, size), target) - size
        _give(ctx, tx, row, target - size - grown)
        quotas.settle(tx, row.project, {VOLUMES: grown})
        instances.changes(tx, row.id, volume_size=size + grown)

    ctx.write(work)
    return None


def grow_file_system(ctx: StepContext) -> dict[str, str] | Wait:
    """The agent makes the file system as large as its volume."""
    done = guestjobs.carry(ctx, "grow_file_system")
    return done if isinstance(done, Wait) else {}


def settle(ctx: StepContext) -> Settle:
    """RESIZING -> NONE, and reserved -> used."""

    def work(tx: orm.Session) -> None:
        row = instances.get(tx, ctx.object_id)
        if row is None or row.volume_target is None:
            return
        size, target = row.volume_size or 0, row.volume_target
        quotas.settle(tx, row.project, {VOLUMES: target - size})
        instances.move(tx, ctx.object_id, states.Task.NONE)
        instances.changes(
            tx,
            ctx.object_id,
            volume_size=target,
            volume_target=None,
            fault=None,
            updated=now(tx),
        )

    return Settle(work)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The size is what the volume has; the fault says what did not work."""
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.volume_target is not None:  # nothing was tried
        _give(ctx, tx, row, row.volume_target - (row.volume_size or 0))
    if row.task == states.Task.RESIZING:
        instances.move(tx, ctx.object_id, states.Task.NONE)
    instances.changes(tx, ctx.object_id, fault=fault, fault_at=now(tx), updated=now(tx))


def _give(ctx: StepContext, tx: orm.Session, row: Instance, left: int) -> None:
    """Back to the quota, with the wish."""
    quotas.release(tx, row.project, {VOLUMES: left})
    instances.changes(tx, row.id, volume_target=None)


FLOW = Flow(
    operations.RESIZE_VOLUME,
    (
        Step(extend_volume, undo=take_stock, within=minutes(15)),
        Step(grow_file_system, within=minutes(65)),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.RESIZE_VOLUME],
    failed=failed,
)
