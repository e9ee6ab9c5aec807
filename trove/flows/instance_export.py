# SPDX-License-Identifier: Apache-2.0
"""An export: the guest brings dumps to a container that their project lent for it.

What a guest says of a dump is compared with what the store has, part by part, as with a
backup. The key that was lent is in the operation's input: it is wiped at the end, and
nothing else of the project's can be reached by it (ADR 35).
"""

import contextlib
import functools
import logging
import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import instances
from trove.flows import dumpjobs, granting, guestjobs
from trove.flows.context import StepContext
from trove.flows.granting import Wish
from trove.model import operations
from trove.model.dumps import Export
from trove.model.states import JobState, Task
from trove.rpc import sealing
from trove.rpc.messages import ExportOrder
from trove.storage import dumps, manifest
from trove.storage.lent import Container
from trove.storage.vault.protocol import LIST, Signed
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

LOG = logging.getLogger(__name__)

METHOD = "export"
PATIENT = 5
"""How often a guest that goes on is waited for when it is to end: for about half a
minute. Then as often a store that is away."""
BACK = 2 * 60.0
"""Seconds that a silent guest is asked to take back what its export left."""
GAP = 8
"""Parts that are not there, one after the other, after which none is: a guest brings
them in their order, and no more than two at once."""


class NotWhole(errors.Upstream):
    """What is in the container is not what the guest says that it brought."""

    sentence = "The dump is not whole: {why}."


def bring_dump(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """The guest has brought everything, by its word."""
    dumpjobs.refuse_silent(ctx, METHOD, "for an export")
    done = guestjobs.carry(ctx, METHOD, late=lambda: {"order": _order(ctx)})
    if isinstance(done, Wait):
        names = _names(ctx)
        signing = functools.partial(_sign, names)
        dumpjobs.allow(ctx, METHOD, _asked(ctx).place, signing)
        return done
    return {}


def take_dump_back(ctx: StepContext) -> Wait | None:
    """The guest's job has no use any more, and nothing of it stays in the container,
    nor in the engine.

    Neither a guest that goes on, nor a store that is away, nor a container whose key is
    another by now, holds anybody up: what is left is its owner's to remove.
    """
    attempts, names = ctx.operation.attempts, _names(ctx)
    if dumpjobs.end(ctx, METHOD) and attempts < PATIENT:
        # what it is bringing at the moment would be there after all
        raise errors.Unavailable(what="The end of the guest's export")
    waited = _left(ctx)
    if waited is not None:
        return waited
    try:
        with _container(ctx) as there:
            there.delete(names.list)
            for index in range(len(names.databases)):
                _cut(there, names, index, 0)
                there.delete(names.object(index))
    except (errors.Unavailable, errors.Forbidden, errors.Upstream) as away:
        if attempts < 2 * PATIENT and not isinstance(away, errors.Forbidden):
            raise
        LOG.warning("dump %s of %s stays in part: %s", names.name, ctx.object_id, away)
    return None


def _left(ctx: StepContext) -> Wait | None:
    """A job whose process died did not take its account away. A guest that never took
    the job has made none, and a delete waits for nobody."""
    job = guestjobs.job(ctx, METHOD)
    begun = job is not None and job.state != JobState.SENT
    if not begun or ctx.instance().task == Task.DELETING:
        return None
    order = ExportOrder(_asked(ctx).name, (), "", back=True)
    return guestjobs.taken_back(ctx, METHOD, BACK, order=order)


def count_parts(ctx: StepContext) -> dict[str, typing.Any]:
    """All that was brought is there, and nothing more."""
    names = _names(ctx)
    with _container(ctx) as there:
        try:
            found = dumps.read(there.get(names.list, dumps.LARGEST), names)
        except (errors.NotFound, errors.Invalid) as error:
            raise NotWhole(why=f"there is no list of it ({error})") from None
        for index, one in enumerate(found):
            # of an attempt of before, which may have been longer
            _cut(there, names, index, len(one.parts))
            wrong = manifest.missing(one.parts, _stored(there, names, index, one))
            if wrong is not None:
                raise NotWhole(why=f"{wrong}, of the database {one.database}")
    return {"bytes": sum(one.size for one in found)}


def settle(ctx: StepContext) -> Settle:
    """The instance is at rest."""
    return Settle(lambda tx: instances.move(tx, ctx.object_id, Task.NONE))


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The instance is none the worse."""
    row = instances.get(tx, ctx.object_id)
    if row is not None and row.task == Task.BACKING_UP:  # no delete has come
        instances.move(tx, row.id, Task.NONE)


def _stored(
    there: Container, names: dumps.Names, index: int, one: dumps.Dumped
) -> typing.Iterator[tuple[int, int, str]]:
    """Those parts that the store has, as it has them."""
    for number in range(len(one.parts)):
        found = there.find(names.part(index, number))
        if found is not None:
            yield number, found.size, found.md5


def _cut(there: Container, names: dumps.Names, index: int, first: int) -> None:
    """No part of a database is there from that number on."""
    missing, number = 0, first
    while missing < GAP and number < dumps.EACH:
        gone = there.delete(names.part(index, number))
        missing, number = 0 if gone else missing + 1, number + 1


def _order(ctx: StepContext) -> ExportOrder:
    """Sealed for the guest: the first requests."""
    names = _names(ctx)
    with _container(ctx) as there:
        sign = _sign(names, there)
        grants = [granting.granted(ctx, Wish(1, first), sign) for first in (0, LIST)]
    sealed = sealing.seal(granting.public_key(ctx), {"grants": grants})
    return ExportOrder(names.name, names.databases, names.ending, sealed)


def _sign(names: dumps.Names, there: Container) -> granting.Sign:
    def sign(attempt: int, number: int) -> Signed | None:
        name = names.of(number)
        return None if name is None else there.writes(name, granting.SECONDS)

    return sign


def _asked(ctx: StepContext) -> Export:
    return Export.from_dict(ctx.operation.input or {})


def _names(ctx: StepContext) -> dumps.Names:
    asked = _asked(ctx)
    ending = ctx.datastore(ctx.instance()).dumped
    return dumps.Names(asked.name, asked.databases, ending)


def _container(ctx: StepContext) -> contextlib.AbstractContextManager[Container]:
    return dumpjobs.container(ctx, _asked(ctx).place)


FLOW = Flow(
    operations.EXPORT,
    (
        Step(bring_dump, undo=take_dump_back, within=minutes(40 * 60)),
        Step(count_parts, within=minutes(6 * 60)),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.EXPORT],
    failed=failed,
)
