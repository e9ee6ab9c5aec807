# SPDX-License-Identifier: Apache-2.0
"""A backup is restored on a server of ours, looked through, timed, and thrown away.

The steps are those of a create and of a delete; the instance is one of the service's
own project (``model.verifications.OWNER``) that nobody reaches. Whatever happens, the
server goes: there is no pivot, so what cannot go forward is undone, for as long as that
takes.

What the guest says of the backup is the verdict: ``unsound`` is written at once, and
what ends the operation is why. Whatever else ends it says nothing of the backup.
"""

import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import backups, instances, quotas, verifications
from trove.flows import (
    guestjobs,
    instance_create,
    instance_delete,
    restoring,
    rowhashes,
)
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.backups import NoChain, NotWhole
from trove.storage.frames import Broken
from trove.storage.keys import NotOpened
from trove.workflow import journal
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

LOST = (errors.NotFound, Broken, NotOpened, NoChain, NotWhole)
"""What reading it ends with when nothing can be made of it."""

Said = dict[str, typing.Any]
Kind = typing.TypeVar("Kind")


def read_backup(ctx: StepContext) -> Said:
    """Its manifests are what was written, and it can be decrypted."""
    return _proved(ctx, restoring.read_backup, LOST)


def restore_data(ctx: StepContext) -> Said | Wait:
    """The engine's tool takes what is in the store."""
    return _proved(ctx, instance_create.restore_data)


def prepare_guest(ctx: StepContext) -> Said | Wait:
    """The engine serves it."""
    return _proved(ctx, instance_create.prepare_guest)


def wait_for_health(ctx: StepContext) -> Said | Wait:
    """Whoever restores it waits for so long, from the order until it serves."""
    done = instance_create.wait_for_health(ctx)
    if isinstance(done, Wait):
        return done
    begun = ctx.claim.steps[restore_data.__name__].begun_at
    return {"seconds": ctx.claim.now() - begun}


def check_data(ctx: StepContext) -> Said | Settle | Wait:
    """All that it serves is as it must be, by the engine's own checker.

    So it is verified, unless there are rows to compare, however long it takes until the
    server is gone.
    """
    restoring.refuse_old(ctx, "check_data")
    guestjobs.refuse_silent(ctx)
    done = _proved(ctx, lambda ctx: guestjobs.carry(ctx, "check_data"))
    if isinstance(done, Wait) or has_rows(ctx):
        return done
    return _verified(ctx, rowhashes.none(ctx, _asked(ctx)))


def has_rows(ctx: StepContext) -> bool:
    """Whether hashes of its rows were taken when it was made."""
    return rowhashes.wanted(ctx, _asked(ctx))


def compare_rows(ctx: StepContext) -> Settle | Wait:
    """Its rows are those that there were; so it is verified."""
    done = _proved(ctx, lambda ctx: rowhashes.compare(ctx, _asked(ctx)))
    return done if isinstance(done, Wait) else _verified(ctx, done)


def _verified(ctx: StepContext, rows: Said | None) -> Settle:
    seconds = float(ctx.output(wait_for_health)["seconds"])

    def work(tx: orm.Session) -> None:
        verifications.verified(tx, _asked(ctx), seconds, rows)
        about = {
            "seconds": round(seconds, 1),
            **({} if rows is None else {"rows": rows}),
        }
        _tell(ctx, tx, "instance.backup_verified", about)

    return Settle(work)


def settle(ctx: StepContext) -> Settle:
    """Its place is free."""
    return Settle(lambda tx: _gone(ctx, tx))


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The backup says why, and so does its policy; the server's place is free."""
    if verifications.failed(tx, _asked(ctx), fault):
        _tell(ctx, tx, "instance.backup_not_verified", {"why": fault})
    _gone(ctx, tx)


def _proved(
    ctx: StepContext,
    do: typing.Callable[[StepContext], Kind],
    verdicts: tuple[type[errors.TroveError], ...] = (guestjobs.JobFailed,),
) -> Kind:
    """What ends with one of these is unsound."""
    try:
        return do(ctx)
    except verdicts:
        ctx.write(lambda tx: backups.changes(tx, _asked(ctx), unsound=True))
        raise


def _tell(ctx: StepContext, tx: orm.Session, kind: str, about: Said) -> None:
    row = backups.get(tx, _asked(ctx))
    if row is not None:
        about = {"backup": row.id, **about}
        journal.event(tx, row.instance_id, kind, about, ctx.operation.request_id)


def _gone(ctx: StepContext, tx: orm.Session) -> None:
    order = instance_create.order(ctx)
    quotas.release(tx, ctx.operation.project, order.cost)
    row = instances.get(tx, ctx.object_id)
    if row is not None:
        instance_delete.bury(tx, row)
        row.volume_id = None


def _asked(ctx: StepContext) -> str:
    return str(instance_create.order(ctx).restore)


FLOW = Flow(
    operations.VERIFY,
    (
        Step(
            instance_create.make_broker_user,
            undo=instance_create.remove_broker_user,
            within=minutes(5),
        ),
        Step(read_backup, within=minutes(15)),
        *instance_create.MACHINE,
        Step(restore_data, within=operations.RESTORES),
        Step(prepare_guest, within=minutes(30)),
        Step(wait_for_health, within=minutes(10)),
        Step(check_data, within=operations.CHECKS),
        Step(compare_rows, within=operations.CHECKS, wanted=has_rows),
        Step(instance_delete.remove_broker_user),
        Step(instance_delete.delete_server),
        Step(instance_delete.delete_ports),
        Step(instance_delete.delete_security_group),
        Step(instance_delete.delete_volume),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.VERIFY],
    failed=failed,
)
