# SPDX-License-Identifier: Apache-2.0
"""An import: the guest loads a dump out of a container that their project lent for it.

The database that it makes is there in whole in the end, or not at all: a guest that
fails takes it away itself, and is asked to when it died of it.
"""

import typing

from sqlalchemy import orm

from trove.db.queries import instances
from trove.flows import dumpjobs, granting, guestjobs
from trove.flows.context import StepContext
from trove.flows.granting import Wish
from trove.model import operations
from trove.model.dumps import Import
from trove.model.states import Task
from trove.rpc import sealing
from trove.rpc.messages import ImportOrder
from trove.storage import dumps
from trove.storage.lent import Container
from trove.storage.vault.protocol import Signed
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

METHOD = "load_dump"
BACK = 10 * 60.0
"""Seconds that a silent guest is asked to take the database away."""


def load_dump(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """The guest has a database with all of it."""
    dumpjobs.refuse_silent(ctx, METHOD, "for an import")
    done = guestjobs.carry(ctx, METHOD, late=lambda: {"order": _order(ctx)})
    if isinstance(done, Wait):
        dumpjobs.allow(ctx, METHOD, _asked(ctx).place, _signing(ctx))
        return done
    return {}


def drop_database(ctx: StepContext) -> Wait | None:
    """What was being loaded is gone; a database that was there before is not touched.

    The guest ends the job first, for one of its jobs runs after the other: that may
    take long, and a delete of the instance does not wait for it.
    """
    dumpjobs.end(ctx, METHOD)
    if ctx.instance().task == Task.DELETING:
        return None
    order = ImportOrder(_asked(ctx).database, back=True)
    return guestjobs.taken_back(ctx, METHOD, BACK, order=order)


def settle(ctx: StepContext) -> Settle:
    """The instance is at rest."""
    return Settle(lambda tx: instances.move(tx, ctx.object_id, Task.NONE))


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The instance is none the worse."""
    row = instances.get(tx, ctx.object_id)
    if row is not None and row.task == Task.UPDATING:  # no delete has come
        instances.move(tx, row.id, Task.NONE)


def _order(ctx: StepContext) -> ImportOrder:
    """Sealed for the guest: the first requests."""
    asked = _asked(ctx)
    with dumpjobs.container(ctx, asked.place) as there:
        grants = [granting.granted(ctx, Wish(1, 0), _signing(ctx)(there))]
    sealed = sealing.seal(granting.public_key(ctx), {"grants": grants})
    return ImportOrder(asked.database, asked.size, sealed=sealed)


def _signing(ctx: StepContext) -> typing.Callable[[Container], granting.Sign]:
    asked = _asked(ctx)

    def signing(there: Container) -> granting.Sign:
        def sign(attempt: int, number: int) -> Signed | None:
            piece = dumps.piece(asked.size, number)
            if piece is None:
                return None
            return there.reads(asked.name, granting.SECONDS, *piece)

        return sign

    return signing


def _asked(ctx: StepContext) -> Import:
    return Import.from_dict(ctx.operation.input or {})


FLOW = Flow(
    operations.IMPORT,
    (Step(load_dump, undo=drop_database, within=minutes(40 * 60)), Step(settle)),
    deadline=operations.DEADLINES[operations.IMPORT],
    failed=failed,
)
