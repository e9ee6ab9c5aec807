# SPDX-License-Identifier: Apache-2.0
"""Backups: load, list, change, and the chains that they make.

Whoever acts for a user passes ``project``: another project's is not found (S26).
"""

import collections
import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db import dialects
from trove.db.session import now
from trove.db.tables import Backup, Datastore, DatastoreVersion, Instance
from trove.model import backups as model
from trove.model.backups import BackupState, Link
from trove.model.states import Task

LAST = "last"
"""Of what is known ``about`` one: the log is gone that its increment would be."""
Named = sa.Select[Backup, str | None, str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A backup, and the names of the datastore and version that it is of, as long as
    there is such a version."""

    row: Backup
    datastore: str | None
    version: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None: it is not. ``datastore`` is a name or an id."""

    project: str | None = None
    instance: str | None = None
    datastore: str | None = None


def get(tx: orm.Session, id: str) -> Backup | None:
    """The row as it is now, deleted or not; for the work on it."""
    return tx.get(Backup, id, populate_existing=True)


def load(tx: orm.Session, id: str, project: str | None = None) -> Backup:
    """A living one; raises ``errors.BackupNotFound``."""
    statement = sa.select(Backup).where(Backup.id == id, Backup.deleted_at.is_(None))
    if project is not None:
        statement = statement.where(Backup.project == project)
    row = tx.scalar(statement.execution_options(populate_existing=True))
    if row is None:
        raise errors.BackupNotFound(id=id)
    return row


def shown(
    tx: orm.Session, id: str, project: str | None = None, *, deleted: bool = False
) -> Shown:
    """One of them, with the names of what it is of; ``deleted``: even if it is."""
    statement = _named().where(Backup.id == id)
    if not deleted:
        statement = statement.where(Backup.deleted_at.is_(None))
    if project is not None:
        statement = statement.where(Backup.project == project)
    found = _shown(tx, statement)
    if not found:
        raise errors.BackupNotFound(id=id)
    return found[0]


def made_by(tx: orm.Session, operation: str) -> str:
    """What an operation makes, or has made: gone or not."""
    return tx.scalars(
        sa.select(Backup.id).where(Backup.operation_id == operation)
    ).one()


def page(tx: orm.Session, wanted: Wanted, limit: int, offset: int = 0) -> list[Shown]:
    """Last changed first. One statement, however many there are."""
    statement = _named().where(Backup.deleted_at.is_(None))
    if wanted.project is not None:
        statement = statement.where(Backup.project == wanted.project)
    if wanted.instance is not None:
        statement = statement.where(Backup.instance_id == wanted.instance)
    if wanted.datastore is not None:
        said = wanted.datastore
        statement = statement.where(
            sa.or_(Datastore.name == said, Datastore.id == said)
        )
    statement = statement.order_by(Backup.updated.desc(), Backup.id)
    return _shown(tx, statement.limit(limit).offset(offset))


def _named() -> Named:
    return (
        sa.select(Backup, Datastore.name, DatastoreVersion.name)
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Backup.version_id)
        .outerjoin(Datastore, Datastore.id == DatastoreVersion.datastore_id)
    )


def _shown(tx: orm.Session, statement: Named) -> list[Shown]:
    return [
        Shown(row, datastore, version)
        for row, datastore, version in tx.execute(statement)
    ]


def link(row: Backup) -> Link:
    """A backup, as far as a chain knows it."""
    ended = row.created if row.ended is None else row.ended
    state = BackupState(row.state)
    last = bool((row.about or {}).get(LAST))
    return Link(row.id, row.parent_id, state, ended, bool(row.unsound), last)


def links(tx: orm.Session, instance: str) -> list[Link]:
    """All living ones of an instance, as far as chains know them."""
    return [link(row) for row in tx.scalars(_of(instance))]


def of_all(tx: orm.Session, ids: typing.Sequence[str]) -> dict[str, list[Backup]]:
    """The living ones of these instances, as they are now; one statement."""
    found = collections.defaultdict(list)
    statement = sa.select(Backup).where(
        Backup.instance_id.in_(ids), Backup.deleted_at.is_(None)
    )
    for row in tx.scalars(statement.execution_options(populate_existing=True)):
        found[row.instance_id].append(row)
    return found


def _of(instance: str) -> sa.Select[Backup]:
    return sa.select(Backup).where(
        Backup.instance_id == instance, Backup.deleted_at.is_(None)
    )


def chain(tx: orm.Session, id: str) -> list[Backup]:
    """The rows that a restore of this one needs, the full one first.

    Raises ``model.NotWhole`` or ``model.NoChain``.
    """
    ids = [link.id for link in model.chain(links(tx, load(tx, id).instance_id), id)]
    statement = sa.select(Backup).where(Backup.id.in_(ids))
    found = {row.id: row for row in tx.scalars(statement)}
    return [found[id] for id in ids]


def below(tx: orm.Session, row: Backup) -> list[str]:
    """The backup and all that stands on it, each after what stands on it."""
    for tree in model.trees(links(tx, row.instance_id)):
        if any(link.id == row.id for link in tree):
            wanted = {row.id}
            for link in tree:  # what a link stands on comes before it
                if link.parent in wanted:
                    wanted.add(link.id)
            return [link.id for link in reversed(tree) if link.id in wanted]
    return [row.id]


def hold_all(tx: orm.Session, instance: str) -> list[Backup]:
    """The living ones of an instance, which nobody else changes until the end; nor does
    an increment come to stand on one of them, for who makes it holds them too."""
    statement = _of(instance).order_by(Backup.id).with_for_update()
    statement = statement.execution_options(populate_existing=True)
    tx.scalars(statement).all()
    # a statement of its own: the one that waited still sees what was before its wait
    return list(tx.scalars(statement))


def move(
    tx: orm.Session,
    id: str,
    to: BackupState,
    origins: typing.Collection[BackupState],
    **columns: typing.Any,
) -> bool:
    """To another state, from one of these; False: it is in none of them."""
    moved = tx.execute(
        sa.update(Backup)
        .where(
            Backup.id == id,
            Backup.deleted_at.is_(None),
            Backup.state.in_(list(origins)),
        )
        .values(state=to, updated=now(tx), **columns)
        .execution_options(synchronize_session=False)
    )
    return dialects.matched(moved) > 0


def changes(tx: orm.Session, id: str, **columns: typing.Any) -> None:
    """These of its columns are so from now on."""
    tx.execute(
        sa.update(Backup)
        .where(Backup.id == id)
        .values(updated=now(tx), **columns)
        .execution_options(synchronize_session=False)
    )


def end_chain(tx: orm.Session, id: str) -> None:
    """No increment stands on it from now on."""
    row = get(tx, id)
    if row is not None:
        row.about = {**(row.about or {}), LAST: True}


def restoring(tx: orm.Session, ids: typing.Sequence[str]) -> Instance | None:
    """An instance that is being made of one of these, if there is any."""
    return tx.scalar(
        sa.select(Instance)
        .where(
            Instance.restored_from.in_(ids),
            Instance.task == Task.BUILDING,
            Instance.deleted_at.is_(None),
        )
        .limit(1)
    )


def running(tx: orm.Session, instance: str) -> str | None:
    """The backup that is being made of an instance, if one is."""
    return tx.scalar(
        sa.select(Backup.id)
        .where(
            Backup.instance_id == instance,
            Backup.deleted_at.is_(None),
            Backup.state.in_(model.RUNNING),
        )
        .limit(1)
    )
