# SPDX-License-Identifier: Apache-2.0
"""Modules on a running instance: applied, applied again, taken away."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.queries import modules
from trove.db.tables import Guest, Module
from trove.flows import ends, guestjobs
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Modular, Task
from trove.rpc import sealing
from trove.rpc.messages import ModuleOrder
from trove.workflow import journal
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

Said = dict[str, modules.Columns]
"""By the module's id, what is written of it; nothing: it is gone."""


def has_any(ctx: StepContext) -> bool:
    """Whether the instance is to have modules."""
    with ctx.claim.database.reading() as tx:
        return modules.has_any(tx, ctx.object_id)


def remove_modules(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """Each by its driver; one that is not there is gone."""
    said: Said = {}
    for row in modules.ordered(_rows(ctx, asked(ctx).remove)):
        told = ModuleOrder(row.id, row.name, row.type, row.md5)
        done = guestjobs.carry(ctx, "remove_module", turn=row.id, module=told)
        if isinstance(done, Wait):
            return done
        failed = {"status": Modular.ERROR, "message": done.get("message")}
        said[row.id] = failed if done.get("applied") else {}
    return {"said": said}


def apply_modules(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """Each by its driver, in their order, as they are when the guest is told."""
    said = applied(ctx, asked(ctx).apply)
    return said if isinstance(said, Wait) else {"said": said}


def applied(
    ctx: StepContext, ids: typing.Sequence[str], again: str = ""
) -> Said | Wait:
    """What the guest says of each; ``again`` tells a second round of this operation.

    Contents that change meanwhile are another job: what is written down as applied is
    what was sent.
    """
    said: Said = {}
    for row in modules.ordered(_rows(ctx, ids)):
        secret = {"contents": row.contents}
        order = ModuleOrder(
            id=row.id,
            name=row.name,
            type=row.type,
            md5=row.md5,
            sealed=sealing.seal(_key(ctx), secret),
        )
        turn = ".".join(filter(None, (again, row.id, row.md5[:8])))
        done = guestjobs.carry(ctx, "apply_module", turn=turn, module=order)
        if isinstance(done, Wait):
            return done
        said[row.id] = {"message": done.get("message")}
        if done.get("applied"):
            said[row.id] |= {"status": Modular.OK, "md5": row.md5}
        else:
            said[row.id] |= {"status": Modular.ERROR}
    return said


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE, and what the guest said of each; who waits for it is woken."""
    said: Said = {**ctx.output(remove_modules).get("said", {})}
    said |= ctx.output(apply_modules).get("said", {})
    rest = ends.at_rest(ctx).work
    wanted = asked(ctx)

    def work(tx: orm.Session) -> None:
        modules.answered(tx, ctx.object_id, said, wanted.by)
        _wake(tx, wanted)
        rest(tx)

    return Settle(work)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The guest could not be asked: what was waited for has failed, visibly."""
    wanted = asked(ctx)
    modules.given_up(tx, ctx.object_id, fault, wanted.by)
    _wake(tx, wanted)
    _at_rest(ctx, tx, fault)


_at_rest = ends.failed(Task.UPDATING)


def asked(ctx: StepContext) -> operations.ChangeModules:
    """What is applied, and what is taken away."""
    return operations.ChangeModules.from_dict(ctx.operation.input or {})


def _rows(ctx: StepContext, ids: typing.Sequence[str]) -> list[Module]:
    if not ids:
        return []
    with ctx.claim.database.reading() as tx:
        return list(tx.scalars(sa.select(Module).where(Module.id.in_(ids))))


def _key(ctx: StepContext) -> str:
    with ctx.claim.database.reading() as tx:
        return str(tx.get_one(Guest, ctx.object_id).public_key)


def _wake(tx: orm.Session, wanted: operations.ChangeModules) -> None:
    """The operation that has it done on many instances waits for each."""
    if wanted.by is not None:
        journal.wake(tx, wanted.by)


FLOW = Flow(
    operations.MODULES,
    (
        Step(remove_modules, within=minutes(30)),
        Step(apply_modules, within=minutes(30)),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.MODULES],
    failed=failed,
)
