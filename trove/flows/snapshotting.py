# SPDX-License-Identifier: Apache-2.0
"""A backup that is a snapshot of the data's volume: it stands still, is taken, goes on.

The guest holds the volume still, for a bounded time that it keeps by itself, and says
at the thaw whether it was still until then. The cloud's snapshot is of some moment
before it is available, so the thaw comes after that; COMPLETED is one of which the
guest says that nothing was written all the time. Whatever happens, a thaw is ordered,
and what a thaw that came too early has spoilt is thrown away.
"""

from sqlalchemy import orm

from trove import errors
from trove.cloud.protocol import Refused
from trove.db.queries import backups, root
from trove.db.session import now
from trove.db.tables import Backup
from trove.flows import guestjobs
from trove.flows.context import StepContext
from trove.model import naming, operations
from trove.model.backups import RUNNING, SNAPSHOT, BackupState
from trove.workflow.flow import Settle, Wait

ROLE = "snapshot"
GIB = 2**30
THAWS = 60.0
"""Seconds in which a guest that was told to thaw has said so; it does by itself."""
KEEPS = 15.0
"""Seconds after which one that is there as before is one that the cloud keeps."""


class NotHeld(errors.Upstream):
    """The volume was written to before its snapshot was there."""

    sentence = (
        "The data's volume was thawed before its snapshot was taken: the cloud took "
        "longer than the {seconds} seconds for which it is held still."
    )


class Kept(errors.Upstream):
    """The cloud does not take the snapshot away: it said yes, and has it as before."""

    sentence = (
        "The cloud keeps the snapshot, which happens where a volume that was made of "
        "it is there: delete the instances that were restored from this backup, and "
        "then the backup again."
    )


def wanted(ctx: StepContext) -> bool:
    """Whether the backup is a snapshot."""
    return _row(ctx).driver == SNAPSHOT


def freeze_volume(ctx: StepContext) -> Wait | None:
    """Nothing is written to the volume, by the guest's word."""
    guestjobs.refuse_old(ctx, "freeze", "for a snapshot of its volume")
    guestjobs.refuse_silent(ctx)
    seconds = ctx.settings.freeze
    done = guestjobs.carry(ctx, "freeze", seconds=seconds)
    return done if isinstance(done, Wait) else None


def thaw_again(ctx: StepContext) -> Wait | None:
    """For an undo. A guest that says nothing has thawed by itself by then."""
    if guestjobs.job(ctx, "freeze") is None:
        return None
    return guestjobs.taken_back(ctx, "thaw", THAWS)


def take_snapshot(ctx: StepContext) -> Settle | Wait:
    """It is available: its moment is past."""
    row, snapshots = _row(ctx), ctx.cloud.snapshots
    volume = ctx.instance().volume_id
    if volume is None:
        raise Refused("the instance has no volume")
    made = ctx.ensure(
        "snapshot",
        naming.key(row.id, ROLE),
        snapshots.find,
        lambda key: snapshots.create(key, volume),
        data_bearing=True,
    )
    if isinstance(made, Wait):
        return made
    found = snapshots.show(made)
    if found is None or found.status in ("error", "deleting"):
        said = "is not there any more" if found is None else f"is in {found.status}"
        raise Refused(f"snapshot {made} {said}")
    if found.status != "available":
        return ctx.soon(f"snapshot {made} is {found.status}")

    def work(tx: orm.Session) -> None:
        backups.move(tx, row.id, BackupState.SAVING, RUNNING)

    return Settle(work, {"snapshot": made, "size": found.size})


def remove_snapshot(ctx: StepContext) -> Wait | None:
    """Nothing of a backup that is none stays in the cloud; the thaw comes first."""
    return thaw_again(ctx) or absent(ctx, _row(ctx).id)


def thaw_volume(ctx: StepContext) -> Settle | Wait:
    """It is written to again, and was not until now."""
    done = guestjobs.carry(ctx, "thaw")
    if isinstance(done, Wait):
        if guestjobs.given_up(ctx, THAWS):
            raise NotHeld(seconds=ctx.settings.freeze)
        return done
    if done.get("held") is not True:
        raise NotHeld(seconds=ctx.settings.freeze)
    row, taken = _row(ctx), ctx.output(take_snapshot)

    def work(tx: orm.Session) -> None:
        about = {"words": {}, "root": root.enabled(tx, ctx.object_id)}
        backups.changes(
            tx,
            row.id,
            size=int(taken["size"]) * GIB,
            about={**about, "snapshot": taken["snapshot"]},
            location=f"{SNAPSHOT}://snapshots/{taken['snapshot']}",
            ended=now(tx),
        )

    return Settle(work)


def ask_for_end(ctx: StepContext, backup: str) -> None:
    """A snapshot that is there is to go."""
    snapshots = ctx.cloud.snapshots
    for found in snapshots.find(naming.key(backup, ROLE)):
        snapshots.delete(found.id)


def gone(ctx: StepContext, backup: str) -> Wait | None:
    """None when a snapshot whose end was asked for before this step is not there.

    ``Kept``: Cinder answers a DELETE before its back-end is asked, and some (Ceph) have
    a snapshot for as long as a volume stands on it. It is available again then.
    """
    found = ctx.cloud.snapshots.find(naming.key(backup, ROLE))
    if ctx.waited > KEEPS and any(one.status == "available" for one in found):
        raise Kept
    return absent(ctx, backup)


def absent(ctx: StepContext, backup: str) -> Wait | None:
    """None when a backup has no snapshot."""
    snapshots = ctx.cloud.snapshots
    key = naming.key(backup, ROLE)
    return ctx.absent(key, snapshots.find, snapshots.delete, snapshots.show)


def _row(ctx: StepContext) -> Backup:
    asked = operations.BackUp.from_dict(ctx.operation.input or {}).backup
    with ctx.claim.database.reading() as tx:
        row = backups.get(tx, asked)
    if row is None:
        raise errors.BackupNotFound(id=asked)
    return row
