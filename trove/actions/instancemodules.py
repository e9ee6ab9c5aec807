# SPDX-License-Identifier: Apache-2.0
"""The modules of an instance: applied, taken away, applied again, looked at.

Who asks for it hears of the end, if that comes while he waits: an instance has an
operation of its own, which goes on without him.
"""

import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import begin, instances
from trove.actions import modules as catalogue
from trove.actions.accounts import Running
from trove.actions.begin import Token
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import instances as rows
from trove.db.queries import modules
from trove.db.queries.modules import Had
from trove.db.tables import Instance
from trove.model import operations
from trove.model.states import Modular, Task
from trove.rpc.messages import ModuleShown
from trove.workflow import journal

__all__ = ["Had", "apply", "asked_of_guest", "of_instance", "reapply", "remove"]


def of_instance(
    services: Services, context: Context, id: str, project: str | None
) -> list[Had]:
    """Those that it has, or was asked to have, as they are applied."""
    with services.database.reading() as tx:
        rows.load(tx, id, project)
        return modules.of_instance(tx, id, hidden=context.is_admin)


def asked_of_guest(running: Running) -> dict[str, ModuleShown]:
    """What the guest itself says, by the module's id."""
    found: tuple[ModuleShown, ...] = running.guest.list_modules()
    return {each.id: each for each in found}


def apply(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    ids: typing.Sequence[str],
    token: Token | None = None,
) -> list[Had]:
    """NONE -> UPDATING, until the guest has answered; those modules, as they are."""

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = rows.seen(tx, id, project)
        row = seen.instance
        catalogue.chosen(tx, project, row.version_id, ids)
        instances.refuse_unable(services, seen)
        modules.ask(tx, id, ids)
        wanted = operations.ChangeModules(apply=tuple(ids))
        return _opened(tx, context, row, wanted, token)

    _carried_out(services, context, work, token)
    found = of_instance(services, context, id, project)
    return [had for had in found if had.shown.row.id in ids]


def remove(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    module: str,
    token: Token | None = None,
) -> None:
    """NONE -> UPDATING, until the guest has answered.

    Raises ``errors.Upstream`` with its driver's words if it is still there.
    """

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = rows.seen(tx, id, project)
        row = modules.hold(tx, [module], project, change=False)[module]
        if not modules.has(tx, id, module):
            raise errors.ModuleNotFound(id=module)
        if not context.is_admin and (not row.visible or row.auto_apply):
            raise errors.Forbidden(what=f"take the module {row.name} away")
        instances.refuse_unable(services, seen)
        modules.ask(tx, id, [module])
        wanted = operations.ChangeModules(remove=(module,))
        return _opened(tx, context, seen.instance, wanted, token)

    _carried_out(services, context, work, token)
    for had in of_instance(services, context, id, project):
        if had.shown.row.id == module and had.state.status == Modular.ERROR:
            raise errors.Upstream(
                f"The module {had.shown.row.name} could not be taken away: "
                f"{had.state.message}"
            )


def reapply(
    services: Services,
    context: Context,
    owner: str,
    id: str,
    project: str | None,
    how: operations.ReapplyModule,
    *,
    md5: str | None = None,
    force: bool = False,
) -> None:
    """On all of the caller's instances that have it with other contents than it has
    now (``md5``: with these; ``force``: with any), one batch after the other."""

    def work(tx: orm.Session) -> str | None:
        row = modules.hold(tx, [id], project, change=True)[id]
        if not context.is_admin and (row.is_admin or row.project != project):
            raise errors.Forbidden(what=f"apply the module {row.name} again")
        if journal.live(tx, operations.MODULE, id) is not None:
            raise errors.Conflict(
                f"The module {row.name} is being applied again already; see its "
                "operation."
            )
        kind = operations.REAPPLY
        operation = journal.open(
            tx,
            kind=kind,
            project=owner,
            object_type=operations.MODULE,
            object_id=id,
            input=how.to_dict(),
            deadline=operations.DEADLINES[kind],
            request_id=context.request_id,
            user=context.user,
        )
        but = None if force or md5 else row.md5
        count = modules.mark(tx, id, operation, project, md5=md5, but=but)
        said = {"operation": operation, "user": context.user, "instances": count}
        journal.event(tx, id, f"{kind}.accepted", said, context.request_id)
        return operation

    operation = services.database.run(work)
    if operation is not None:
        services.ring(operation)


def _opened(
    tx: orm.Session,
    context: Context,
    row: Instance,
    wanted: operations.ChangeModules,
    token: Token | None,
) -> tuple[str, str]:
    rows.move(tx, row.id, Task.UPDATING)
    kind, input = operations.MODULES, wanted.to_dict()
    return begin.open(tx, context, kind, row.project, row.id, input, token), row.id


def _carried_out(
    services: Services, context: Context, work: begin.Work, token: Token | None
) -> None:
    """Waits for the operation; raises ``errors.Upstream`` with its fault."""
    begun = begin.begin(services, context, context.project or "", token, work)
    if begun is not None:
        fault = begin.waited(services, [begun.operation])
        if fault is not None:
            raise errors.Upstream(fault)
