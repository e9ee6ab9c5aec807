# SPDX-License-Identifier: Apache-2.0
"""The delete of an instance: after a last backup, and with its volume kept, or neither.

Both are an operator's default, and each delete may say otherwise (ADR 33). A backup
that cannot be made never hangs a delete, and never goes missing silently: where the
volume is kept the delete goes on, and an event says so; where it is not, or where the
user asked for the backup himself, the delete is refused.
"""

import dataclasses

from sqlalchemy import orm

from trove import errors
from trove.actions import backups, begin
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.db.queries import instances
from trove.db.queries.instances import Seen
from trove.db.tables import Instance, Operation
from trove.model import operations
from trove.model import quotas as costs
from trove.model.operations import DeleteInstance
from trove.model.states import Task
from trove.workflow import journal

DAY = 24 * 3600.0
LONGEST = 255
"""Characters of a backup's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What who deletes says of it; None: nothing."""

    final_backup: bool | None = None
    keep: bool | None = None


NOW = Wish(final_backup=False, keep=False)
"""Everything goes, at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class How:
    """What is done: a backup before, and the seconds that the volume is kept after.

    ``asked``: by the user himself, so that nothing else will do.
    """

    save: bool
    keep: float
    asked: bool = False


def delete(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    wish: Wish,
) -> None:
    """Allowed in every state: it stops what is under way and queues behind it.

    Twice is once. A last backup that is under way is waited for, unless this one wants
    none.
    """
    how, missed = _how(services, wish), ""

    def work(tx: orm.Session) -> tuple[str, str] | None:
        seen = _deletable(tx, id, project)
        live = journal.live(tx, operations.INSTANCE, id)
        if live is not None and _is_under_way(tx, live, how):
            return None
        if not missed and _is_to_be_saved(seen, how):
            return _save(services, tx, context, seen, how), id
        queued = _queue(tx, context, seen.instance, live, how)
        if queued is not None and missed:
            about = {"why": missed}
            kind = "instance.final_backup_missed"
            journal.event(tx, id, kind, about, context.request_id)
        return queued

    try:
        begin.begin(services, context, context.project or "", None, work)
    except errors.NoFinalBackup as refused:
        if how.asked or not refused.facts["kept"]:
            raise
        missed = str(refused.facts["why"])
        begin.begin(services, context, context.project or "", None, work)


def _how(services: Services, wish: Wish) -> How:
    """Raises ``Invalid`` when a bin is asked for that there is not."""
    settings = services.settings
    keep = settings.recycle_by_default if wish.keep is None else wish.keep
    if wish.keep and not settings.recycle_days:
        raise errors.Invalid("There is no recycle bin here: nothing can be kept.")
    save = wish.final_backup
    if save is None:
        save = settings.final_by_default and settings.backup_driver is not None
    kept = settings.recycle_days * DAY if keep else 0.0
    return How(save, kept, asked=bool(wish.final_backup))


def _deletable(tx: orm.Session, id: str, project: str | None) -> Seen:
    seen = instances.seen(tx, id, project)
    if seen.instance.deletion_protection:
        raise errors.InstanceProtected(instance=id)
    if seen.replicas:
        raise errors.Forbidden("Detach replicas before deleting replica source.")
    return seen


def _is_under_way(tx: orm.Session, live: Operation, how: How) -> bool:
    """Whether it is being deleted, or will be when this ends."""
    if live.kind == operations.DELETE:
        return True
    if journal.queued(tx, live.id) is not None:
        journal.cancel(tx, live.id)  # as it was before; one that is stuck goes on
        return True
    if live.kind != operations.BACK_UP or live.cancel or not how.save:
        return False
    return operations.BackUp.from_dict(live.input or {}).delete is not None


def _is_to_be_saved(seen: Seen, how: How) -> bool:
    """Not one that never had data; one of whose datastore there are no backups only if
    its user asks, who is then told so."""
    if not how.save or not seen.instance.was_active or seen.version is None:
        return False
    return how.asked or registry.get(seen.version.manager).can.back_up


def _save(
    services: Services, tx: orm.Session, context: Context, seen: Seen, how: How
) -> str:
    """The operation of a backup like any other, that the delete follows.

    Raises ``NoFinalBackup``.
    """
    row = seen.instance
    order = backups.Order(f"final-{row.name}"[:LONGEST], row.id)
    delete = DeleteInstance(_cost(row), _keep(row, how))
    try:
        made = backups.start(services, tx, context, seen, order, before=delete)
    except errors.Unavailable:
        raise
    except errors.TroveError as fault:
        raise errors.NoFinalBackup(
            instance=row.id, why=fault.message, kept=delete.keep
        ) from fault
    about = {"backup": made.id, "user": context.user}
    journal.event(tx, row.id, "instance.final_backup", about, context.request_id)
    return str(made.operation_id)


def _queue(
    tx: orm.Session,
    context: Context,
    row: Instance,
    live: Operation | None,
    how: How,
) -> tuple[str, str] | None:
    """The delete, behind what it has stopped; None: another one is there already."""
    stopped = live is not None and journal.cancel(tx, live.id)
    behind = live.id if live is not None and stopped else None
    # looked at again now that what is live is held: of two at once, one is second
    if behind is not None and journal.queued(tx, behind) is not None:
        return None
    input = DeleteInstance(_cost(row), _keep(row, how))
    instances.move(tx, row.id, Task.DELETING)
    if row.deletion_protection:  # as it is by now: it may have come between
        raise errors.InstanceProtected(instance=row.id)
    kind, plain = operations.DELETE, input.to_dict()
    opened = begin.open(tx, context, kind, row.project, row.id, plain, after=behind)
    return behind or opened, row.id


def _cost(row: Instance) -> dict[str, int]:
    return costs.cost_of_instance(row.ram, row.volume_size) if row.was_active else {}


def _keep(row: Instance, how: How) -> float:
    """There is nothing to keep of one that never was ACTIVE, nor without a volume."""
    return how.keep if row.was_active and row.volume_size is not None else 0.0
