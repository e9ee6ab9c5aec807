# SPDX-License-Identifier: Apache-2.0
"""Modules: load, list; which instances have one, and which one an instance has.

Whoever acts for a user passes ``project``: what is another project's, or hidden from
users, is not found.
"""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.queries import instances
from trove.db.session import now
from trove.db.tables import (
    Datastore,
    DatastoreVersion,
    Instance,
    InstanceModule,
    Module,
)
from trove.model.states import Modular

Columns = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A module with the names of its datastore and version; ``instances`` have it."""

    row: Module
    datastore: str | None
    version: str | None
    instances: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Had:
    """A module of one instance, and how it stands there."""

    shown: Shown
    state: InstanceModule


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """The instances that have a module with the same contents."""

    md5: str | None
    instances: int
    first: float
    last: float


# -- the modules themselves


def page(
    tx: orm.Session,
    owner: str,
    limit: int,
    marker: str | None = None,
    *,
    hidden: bool,
    datastore: str | None = None,
) -> list[Shown]:
    """Up to ``limit`` of a project's and of everybody's after ``marker``, by id.

    ``datastore`` (an id or a name): those that are for it, or for each.
    """
    wanted = _shown().where(*_of(owner, hidden)).order_by(Module.id)
    if marker is not None:
        wanted = wanted.where(Module.id > marker)
    if datastore is not None:
        known = Datastore.id == Module.datastore_id
        named = sa.or_(Datastore.id == datastore, Datastore.name == datastore)
        wanted = wanted.where(
            sa.or_(
                Module.datastore_id.is_(None),
                sa.exists().where(known, named).correlate(Module),
            )
        )
    return [Shown(*row) for row in tx.execute(wanted.limit(limit))]


def seen(tx: orm.Session, id: str, project: str | None) -> Shown:
    """One, with how many instances have it; raises ``ModuleNotFound``."""
    statement = _shown().where(Module.id == id, *_of(project, project is None))
    found = tx.execute(statement).first()
    if found is None:
        raise errors.ModuleNotFound(id=id)
    count = sa.select(sa.func.count()).select_from(_having(id, project).subquery())
    return Shown(found[0], found[1], found[2], instances=tx.scalar(count) or 0)


def hold(
    tx: orm.Session, ids: typing.Sequence[str], project: str | None, *, change: bool
) -> dict[str, Module]:
    """These, as they are until the transaction ends; to ``change`` them, alone.

    Raises ``ModuleNotFound`` if one of them is not there. In the order of ids, so that
    two who hold several do not wait for each other.
    """
    wanted = (
        sa.select(Module)
        .where(Module.id.in_(list(ids)), *_of(project, project is None))
        .order_by(Module.id)
        .with_for_update(read=not change)
    )
    found = {row.id: row for row in tx.scalars(wanted)}
    for id in ids:
        if id not in found:
            raise errors.ModuleNotFound(id=id)
    return found


def automatic(
    tx: orm.Session, project: str, datastore_id: str, version_id: str
) -> list[Module]:
    """Those that each new instance of this project and version gets; they are held."""
    wanted = (
        sa.select(Module)
        .where(
            *_of(project, hidden=True),
            Module.auto_apply.is_(True),
            *_for(datastore_id, version_id),
        )
        .order_by(Module.id)
        .with_for_update(read=True)
    )
    return list(tx.scalars(wanted))


def of_datastore(tx: orm.Session, datastore_id: str) -> bool:
    """Whether there is one for this datastore alone."""
    one = sa.select(Module.id).where(
        Module.datastore_id == datastore_id, Module.deleted_at.is_(None)
    )
    return tx.scalar(one.limit(1)) is not None


def fits(row: Module, datastore_id: str, version_id: str) -> bool:
    """Whether it is for such an instance."""
    return row.datastore_id in (None, datastore_id) and row.version_id in (
        None,
        version_id,
    )


def ordered(rows: typing.Iterable[Module]) -> list[Module]:
    """As they are applied: those with priority first, then by their order."""
    return sorted(rows, key=lambda m: (not m.priority_apply, m.apply_order, m.id))


# -- on instances


def instances_having(
    tx: orm.Session,
    id: str,
    project: str | None,
    limit: int,
    marker: str | None = None,
) -> list[instances.Seen]:
    """Up to ``limit`` instances that have it after ``marker``, by id."""
    wanted = _having(id, project).order_by(Instance.id).limit(limit)
    if marker is not None:
        wanted = wanted.where(Instance.id > marker)
    return instances.these(tx, wanted)


def counts(tx: orm.Session, id: str, project: str | None) -> list[Count]:
    """By the contents that were applied."""
    having = _having(id, project).subquery("having")
    rows = tx.execute(
        sa.select(
            InstanceModule.md5,
            sa.func.count(),
            sa.func.min(InstanceModule.updated),
            sa.func.max(InstanceModule.updated),
        )
        .join(having, having.c.id == InstanceModule.instance_id)
        .where(InstanceModule.module_id == id)
        .group_by(InstanceModule.md5)
        .order_by(sa.func.min(InstanceModule.updated))
    )
    return [Count(*row) for row in rows]


def applied(tx: orm.Session, id: str) -> bool:
    """Whether any instance has it, whoever's."""
    return tx.scalar(_having(id, None).limit(1)) is not None


def of_instance(tx: orm.Session, instance: str, *, hidden: bool) -> list[Had]:
    """Those of one instance, as they are applied."""
    statement = _shown(InstanceModule).where(InstanceModule.instance_id == instance)
    statement = statement.join(InstanceModule, InstanceModule.module_id == Module.id)
    if not hidden:
        statement = statement.where(Module.visible.is_(True))
    order = (Module.priority_apply.desc(), Module.apply_order, Module.id)
    return [
        Had(Shown(row, datastore, version), state)
        for row, datastore, version, state in tx.execute(statement.order_by(*order))
    ]


def has_any(tx: orm.Session, instance: str) -> bool:
    """Whether an instance has modules, or waits for some."""
    of = InstanceModule.instance_id == instance
    return bool(tx.scalar(sa.select(sa.exists().where(of))))


def ask(tx: orm.Session, instance: str, ids: typing.Collection[str]) -> None:
    """The instance shall have these; what it has of them stays until they are new."""
    if not ids:
        return
    there = _states(tx, instance)
    moment = now(tx)
    for id in ids:
        if id in there:
            there[id].status, there[id].message = Modular.WAITING, None
        else:
            tx.add(
                InstanceModule(
                    instance_id=instance,
                    module_id=id,
                    md5=None,
                    status=Modular.WAITING,
                    message=None,
                    reapply=None,
                    updated=moment,
                )
            )
    tx.flush()


def answered(
    tx: orm.Session, instance: str, said: dict[str, Columns], by: str | None = None
) -> None:
    """What the guest said of each: ``md5``, ``status``, ``message``; empty: it is gone.

    ``by`` is the operation that it was due for, and is no longer.
    """
    there = _states(tx, instance)
    moment = now(tx)
    for id in sorted(set(said) & set(there)):
        row = there[id]
        if not said[id]:
            tx.delete(row)
            continue
        for column, value in said[id].items():
            setattr(row, column, value)
        row.updated = moment
        row.reapply = None if row.reapply == by else row.reapply
    tx.flush()


def given_up(tx: orm.Session, instance: str, fault: str, by: str | None = None) -> None:
    """What still waits on this instance has failed."""
    waiting = [id for id, row in _states(tx, instance).items() if _waits(row)]
    failed = {"status": Modular.ERROR, "message": fault}
    answered(tx, instance, dict.fromkeys(waiting, failed), by)


def forgotten(tx: orm.Session, instance: str) -> None:
    """The instance is gone, and with it all that it had."""
    tx.execute(
        sa.delete(InstanceModule)
        .where(InstanceModule.instance_id == instance)
        .execution_options(synchronize_session=False)
    )


def has(tx: orm.Session, instance: str, id: str) -> bool:
    """Whether the instance has it, or was asked to."""
    return tx.get(InstanceModule, (instance, id)) is not None


# -- to be applied again


def mark(
    tx: orm.Session,
    id: str,
    operation: str,
    project: str | None,
    *,
    md5: str | None,
    but: str | None,
) -> int:
    """Who has it (with ``md5``; with any ``but`` this one) is due; how many are."""
    having = _having(id, project)
    wanted = sa.select(InstanceModule).where(
        InstanceModule.module_id == id,
        InstanceModule.instance_id.in_(having),
    )
    if md5 is not None:
        wanted = wanted.where(InstanceModule.md5 == md5)
    if but is not None:
        other = sa.or_(InstanceModule.md5.is_(None), InstanceModule.md5 != but)
        wanted = wanted.where(other)
    rows = list(tx.scalars(wanted.order_by(InstanceModule.instance_id)))
    for row in rows:
        row.reapply = operation
    tx.flush()
    return len(rows)


def due(tx: orm.Session, operation: str) -> list[str]:
    """The instances that are, by id."""
    return list(
        tx.scalars(
            sa.select(InstanceModule.instance_id)
            .where(InstanceModule.reapply == operation)
            .order_by(InstanceModule.instance_id)
        )
    )


def last_heard(tx: orm.Session, id: str) -> float:
    """When a guest last said anything of this module; 0 if none ever has."""
    said = sa.select(sa.func.max(InstanceModule.updated)).where(
        InstanceModule.module_id == id, InstanceModule.md5.is_not(None)
    )
    return tx.scalar(said) or 0.0


def waits(tx: orm.Session, instance: str, id: str) -> bool:
    """Whether its guest has not answered yet."""
    row = tx.get(InstanceModule, (instance, id))
    return row is not None and _waits(row)


def not_due(tx: orm.Session, instance: str, id: str) -> None:
    """This one needs none of it."""
    row = tx.get(InstanceModule, (instance, id))
    if row is not None:
        row.reapply = None
        tx.flush()


def no_longer_due(tx: orm.Session, operation: str) -> None:
    """Nobody waits for this operation any more."""
    tx.execute(
        sa.update(InstanceModule)
        .where(InstanceModule.reapply == operation)
        .values(reapply=None)
        .execution_options(synchronize_session=False)
    )


def _waits(row: InstanceModule) -> bool:
    return row.status == Modular.WAITING


def _states(tx: orm.Session, instance: str) -> dict[str, InstanceModule]:
    wanted = sa.select(InstanceModule).where(InstanceModule.instance_id == instance)
    return {row.module_id: row for row in tx.scalars(wanted)}


def _having(id: str, project: str | None) -> sa.Select[str]:
    """The living instances that have it."""
    wanted = (
        sa.select(Instance.id)
        .join(InstanceModule, InstanceModule.instance_id == Instance.id)
        .where(InstanceModule.module_id == id, Instance.deleted_at.is_(None))
    )
    if project is not None:
        wanted = wanted.where(Instance.project == project)
    return wanted


def _of(project: str | None, hidden: bool) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = [Module.deleted_at.is_(None)]
    if project is not None:
        mine = Module.project == project
        wanted.append(sa.or_(mine, Module.project.is_(None)))
    if not hidden:
        wanted.append(Module.visible.is_(True))
    return wanted


def _for(datastore_id: str, version_id: str) -> list[sa.ColumnElement[bool]]:
    return [
        sa.or_(Module.datastore_id.is_(None), Module.datastore_id == datastore_id),
        sa.or_(Module.version_id.is_(None), Module.version_id == version_id),
    ]


def _shown(*more: typing.Any) -> typing.Any:
    return (
        sa.select(Module, Datastore.name, DatastoreVersion.name, *more)
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Module.version_id)
        .outerjoin(Datastore, Datastore.id == Module.datastore_id)
    )
