# SPDX-License-Identifier: Apache-2.0
"""Backups: made of an instance, looked at, taken away with all that stands on them.

Contract, section 9. Whoever acts for a user passes ``project``: another's backup is not
found (S7, S26). A backup is of the project that its instance is of.
"""

import dataclasses
import typing
import uuid

from sqlalchemy import orm

from trove import errors
from trove.actions import begin
from trove.actions.begin import Begun, Token
from trove.actions.instances import refuse_unable
from trove.actions.services import Services
from trove.actions.strategies import check_container
from trove.context import Context
from trove.datastores import registry
from trove.datastores.spec import Datastore
from trove.db.queries import backups, instances, quotas, strategies
from trove.db.queries.backups import Shown, Wanted
from trove.db.queries.instances import Seen, Version
from trove.db.session import now
from trove.db.tables import Backup, Instance
from trove.model import backups as model
from trove.model import operations
from trove.model import quotas as costs
from trove.model.backups import SNAPSHOT, BackupState
from trove.model.operations import DeleteInstance
from trove.model.states import Task
from trove.model.verifications import OWNER
from trove.workflow import journal

DIGITS = 9
"""Of an offset: a longer one is no page that anybody has seen."""
ONE = {costs.BACKUPS: 1}
WHICHEVER = "swift"
"""The store that clients say when nobody has asked them for one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """A backup that is asked for. ``incremental`` without a ``parent``: of the newest
    one there is."""

    name: str
    instance: str
    description: str | None = None
    parent: str | None = None
    incremental: bool = False
    container: str | None = None
    driver: str | None = None
    rows: bool = False
    """Whether the rows of tables are hashed."""


# -- looking ------------------------------------------------------------------------


def show(services: Services, id: str, project: str | None) -> Shown:
    """One, with the names of what it is of."""
    with services.database.reading() as tx:
        return backups.shown(tx, id, project)


def page(
    services: Services,
    limit: int,
    marker: str | None,
    *,
    project: str | None,
    instance: str | None = None,
    datastore: str | None = None,
) -> tuple[list[Shown], str | None]:
    """Last changed first. A marker is an offset; so is the answer's, of the next."""
    offset = _offset(marker)
    wanted = Wanted(project, instance, datastore)
    with services.database.reading() as tx:
        found = backups.page(tx, wanted, limit + 1, offset)
    return found[:limit], str(offset + limit) if len(found) > limit else None


def of_instance(
    services: Services, id: str, project: str | None, limit: int, marker: str | None
) -> tuple[list[Shown], str | None]:
    """A page of those of an instance that the caller has."""
    with services.database.reading() as tx:
        instances.load(tx, id, project)
    return page(services, limit, marker, project=project, instance=id)


def _offset(marker: str | None) -> int:
    if marker is None:
        return 0
    if not (marker.isascii() and marker.isdigit()) or len(marker) > DIGITS:
        raise errors.Invalid("The marker must be a number of backups to leave out.")
    return int(marker)


# -- create -------------------------------------------------------------------------


def create(
    services: Services,
    context: Context,
    project: str | None,
    order: Order,
    token: Token | None = None,
) -> Shown:
    """NONE -> BACKING_UP; the same answer again for the same token."""
    begun = begin.earlier(services, context.project or "", token)
    if begun is None:
        begun = _accepted(services, context, project, order, token)
    with services.database.reading() as tx:
        made = backups.made_by(tx, begun.operation)
        # a replay may come when the backup is gone again
        return backups.shown(tx, made, deleted=True)


def _accepted(
    services: Services,
    context: Context,
    project: str | None,
    order: Order,
    token: Token | None,
) -> Begun:
    _driver(services, order.driver)
    if order.container is not None:
        check_container(order.container)

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, order.instance, project)
        made = start(services, tx, context, seen, order, token)
        return typing.cast(str, made.operation_id), seen.instance.id

    begun = begin.begin(services, context, context.project or "", token, work)
    return typing.cast(Begun, begun)


def start(
    services: Services,
    tx: orm.Session,
    context: Context,
    seen: Seen,
    order: Order,
    token: Token | None = None,
    *,
    scheduled: bool = False,
    before: DeleteInstance | None = None,
) -> Backup:
    """Its row, its place in the quota and its operation, all of this transaction.

    ``scheduled``: it is one that goes again by itself, and stands on such ones only.
    ``before``: it is the instance's last one, and this is the delete that follows.
    """
    driver = _driver(services, order.driver)
    row = seen.instance
    spec = registry.get(typing.cast(Version, seen.version).manager)
    if not spec.can.back_up:
        raise errors.NotSupported(datastore=spec.name, what="backups")
    if driver == SNAPSHOT:
        _check_snapshot(spec, row, order)
    if order.rows and not spec.can.hash_rows:
        raise errors.NotSupported(datastore=spec.name, what="hashes of rows")
    refuse_unable(services, seen)
    if backups.running(tx, row.id) is not None:
        raise errors.InstanceBusy(instance=row.id, task="BACKUP")
    parent = _parent(tx, seen, order, scheduled)
    quotas.reserve(tx, row.project, ONE, dict(services.settings.quotas))
    quotas.settle(tx, row.project, ONE)
    instances.move(tx, row.id, Task.BACKING_UP)
    made = _row(services, tx, row, order, driver, parent)
    made.scheduled = scheduled
    input = operations.BackUp(made.id, before, order.rows).to_dict()
    kind = operations.BACK_UP
    made.operation_id = begin.open(tx, context, kind, row.project, row.id, input, token)
    tx.add(made)
    return made


def _check_snapshot(spec: Datastore, row: Instance, order: Order) -> None:
    """Raises when there can be no such one, or not as it is asked for."""
    if not spec.can.snapshot:
        raise errors.NotSupported(datastore=spec.name, what="volume snapshots")
    if row.volume_size is None:
        raise errors.Invalid(
            f"Instance {row.id} has no volume that a snapshot could be taken of."
        )
    if order.parent is not None or order.incremental:
        raise errors.Invalid(
            "A volume's snapshot is always full: it stands on no other backup."
        )
    if order.container is not None:
        raise errors.Invalid("A volume's snapshot goes into no container.")
    if order.rows:
        raise errors.Invalid("The rows of a volume's snapshot are not hashed.")


def _driver(services: Services, asked: str | None) -> str:
    """The store of this deployment; raises for another."""
    driver = services.settings.backup_driver
    if asked == SNAPSHOT:
        if not services.settings.snapshots:
            raise errors.Unsupported(
                "The operator has set up no snapshots of volumes here: leave the "
                "storage_driver out."
            )
        return SNAPSHOT
    if driver is None:
        raise errors.Unsupported(
            "Backups are not set up here: the operator has named no store for them."
        )
    if asked not in (None, driver, WHICHEVER):
        raise errors.Invalid(f"The storage_driver must be {driver}, or be left out.")
    return driver


def _row(
    services: Services,
    tx: orm.Session,
    instance: Instance,
    order: Order,
    driver: str,
    parent: str | None,
) -> Backup:
    container: str | None = ""
    if driver != SNAPSHOT:
        container = order.container or strategies.container(
            tx, instance.project, instance.id
        )
        container = container or services.settings.backup_container
    moment = now(tx)
    return Backup(
        id=str(uuid.uuid4()),
        project=instance.project,
        name=order.name,
        description=order.description or None,
        instance_id=instance.id,
        parent_id=parent,
        version_id=instance.version_id,
        state=BackupState.NEW,
        driver=driver,
        container=container,
        created=moment,
        updated=moment,
    )


def _parent(tx: orm.Session, seen: Seen, order: Order, scheduled: bool) -> str | None:
    """What it will stand on, held; None: it is a full one."""
    if order.parent is None and not order.incremental:
        return None
    row, version = seen.instance, typing.cast(Version, seen.version)
    spec = registry.get(version.manager)
    if not spec.chains(version.number):
        if order.parent is None:
            return None
        which = f"{spec.name} {version.number}"
        raise errors.NotSupported(datastore=which, what="incremental backups")
    held = [b for b in backups.hold_all(tx, row.id) if b.driver != SNAPSHOT]
    if order.parent is None:
        # what a user made stays; so would all that stands on it
        mine = [b for b in held if b.scheduled or not scheduled]
        return _newest(mine, row, spec)
    chosen = backups.load(tx, order.parent, row.project)
    if chosen.instance_id != row.id:
        raise errors.Invalid(f"Backup {chosen.id} is of another instance.")
    if chosen.driver == SNAPSHOT:
        raise errors.Invalid(
            f"Backup {chosen.id} is a snapshot of a volume: nothing stands on one."
        )
    if chosen.version_id != row.version_id:
        raise errors.Invalid(
            f"Backup {chosen.id} is of the version that the instance had before: its "
            "next one must be full."
        )
    if not _founded(chosen, spec):
        raise model.NoGround(id=chosen.id)
    return model.parent(map(backups.link, held), chosen.id).id


def _founded(row: Backup, spec: Datastore) -> bool:
    """Whether its guest said what an increment of it begins by, if one has to be told:
    one whose agent is of an older release has not, nor one whose volume was full."""
    return not spec.stands_on or spec.stands_on in (row.about or {}).get("words", {})


def _newest(held: list[Backup], row: Instance, spec: Datastore) -> str | None:
    """The last one that an increment may stand on.

    None when its chain is as long as one may be, did not restore, or no increment could
    begin at it: an older one would do, and each increment of it would be larger than
    the one before.
    """
    links = [backups.link(each) for each in held]
    of_now = {each.id for each in held if each.version_id == row.version_id}
    founded = {each.id for each in held if _founded(each, spec)}
    newest = sorted(links, key=lambda link: (link.ended, link.id), reverse=True)
    for link in newest:
        if link.id in of_now and link.state == BackupState.COMPLETED:
            if link.id not in founded:
                return None
            try:
                return model.parent(links, link.id).id
            except (model.TooLong, model.Unsound, model.Last):
                return None
            except (model.NotWhole, model.NoChain):
                continue
    return None


# -- delete -------------------------------------------------------------------------


def delete(services: Services, context: Context, id: str, project: str | None) -> None:
    """It goes, and before it all that stands on it. Twice is once."""

    def work(tx: orm.Session) -> tuple[str, str] | None:
        opened = start_delete(tx, context, id, project)
        return None if opened is None else (opened, id)

    begin.begin(services, context, context.project or "", None, work)


def start_delete(
    tx: orm.Session, context: Context, id: str, project: str | None
) -> str | None:
    """The operation that takes it away, and all that stands on it; None: one does."""
    row = backups.load(tx, id, project)
    held = {each.id: each for each in backups.hold_all(tx, row.instance_id)}
    if id not in held:
        raise errors.BackupNotFound(id=id)
    if row.state == BackupState.DELETING:
        return None
    ids = backups.below(tx, row)
    _refuse(tx, id, [held[each] for each in ids])
    for each in ids:
        state = BackupState(held[each].state)
        backups.move(tx, each, BackupState.DELETING, [state])
    kind, input = operations.DELETE_BACKUP, operations.DeleteBackup(tuple(ids))
    plain = input.to_dict()
    return begin.open(tx, context, kind, row.project, id, plain, of=operations.BACKUP)


def _refuse(tx: orm.Session, id: str, rows: list[Backup]) -> None:
    """Raises ``BackupBusy`` when one of these cannot go now."""
    ids = [row.id for row in rows]
    for row in rows:
        which = "it" if row.id == id else f"{row.id}, which stands on it,"
        if row.state in model.RUNNING:
            raise errors.BackupBusy(id=id, why=f"{which} is running")
        if row.state == BackupState.DELETING:
            raise errors.BackupBusy(id=id, why=f"{which} is being deleted")
    made = backups.restoring(tx, ids)
    if made is not None:
        why = f"instance {made.id} is being made of it"
        if made.project == OWNER:
            why = "it is being verified"
        raise errors.BackupBusy(id=id, why=why)
    if journal.live(tx, operations.BACKUP, id) is not None:
        raise errors.BackupBusy(id=id, why="its last delete is not over")
