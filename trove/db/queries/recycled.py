# SPDX-License-Identifier: Apache-2.0
"""The recycle bin: what is in it, what goes in, comes back, or is kept no longer.

A row is in the bin while its instance is deleted; one that comes back keeps its row
until it is there. Whoever acts for a user passes ``project``: another's is not found.
"""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db import dialects
from trove.db.session import epoch_now, now
from trove.db.tables import (
    Datastore,
    DatastoreVersion,
    Instance,
    Operation,
    RecycledInstance,
)
from trove.model import operations
from trove.model.states import Task

Rows = sa.Select[*tuple[typing.Any, ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class Recycled:
    """One of the bin, with the names of what it is; ``live`` is the kind of the
    operation that holds it."""

    row: RecycledInstance
    instance: Instance
    datastore: str | None
    version: str | None
    live: str | None


def page(
    tx: orm.Session, project: str, limit: int, marker: str | None = None
) -> list[Recycled]:
    """Up to ``limit`` of a project's after ``marker``, by id: one statement."""
    wanted = _shown().where(RecycledInstance.project == project)
    if marker is not None:
        wanted = wanted.where(RecycledInstance.instance_id > marker)
    found = tx.execute(wanted.order_by(RecycledInstance.instance_id).limit(limit))
    return [Recycled(*row) for row in found]


def shown(tx: orm.Session, id: str, project: str | None = None) -> Recycled:
    """One; raises ``NotRecycled``."""
    wanted = _shown().where(RecycledInstance.instance_id == id)
    if project is not None:
        wanted = wanted.where(RecycledInstance.project == project)
    found = tx.execute(wanted).first()
    if found is None:
        raise errors.NotRecycled(id=id)
    return Recycled(*found)


def get(tx: orm.Session, id: str) -> RecycledInstance | None:
    """The row of an instance that is in the bin, or comes back from it."""
    return tx.get(RecycledInstance, id, populate_existing=True)


def among(tx: orm.Session, ids: typing.Collection[str]) -> set[str]:
    """Those of these instances that are in the bin, or come back from it."""
    wanted = sa.select(RecycledInstance.instance_id)
    return set(tx.scalars(wanted.where(RecycledInstance.instance_id.in_(ids))))


def due(tx: orm.Session, limit: int) -> list[str]:
    """Those that are kept no longer and that nothing is done to; the oldest first."""
    return list(
        tx.scalars(
            sa.select(RecycledInstance.instance_id)
            .join(Instance, Instance.id == RecycledInstance.instance_id)
            .outerjoin(Operation, Operation.lock_key == _lock())
            .where(
                RecycledInstance.reclaim_at <= epoch_now(),
                Instance.deleted_at.is_not(None),
                Operation.id.is_(None),
            )
            .order_by(RecycledInstance.reclaim_at, RecycledInstance.instance_id)
            .limit(limit)
        )
    )


def put(
    tx: orm.Session, instance: Instance, modules: list[str], seconds: float
) -> None:
    """It is kept for so long from now on."""
    tx.merge(
        RecycledInstance(
            instance_id=instance.id,
            project=instance.project,
            modules=modules,
            reclaim_at=now(tx) + seconds,
            fault=None,
            fault_at=None,
        )
    )
    tx.flush()


def revive(tx: orm.Session, id: str, **columns: typing.Any) -> None:
    """Its instance is there again, and is being built; raises ``NotRecycled`` when
    somebody else was faster."""
    revived = tx.execute(
        sa.update(Instance)
        .where(
            Instance.id == id,
            Instance.deleted_at.is_not(None),
            sa.exists().where(RecycledInstance.instance_id == id),
        )
        .values(
            **{"deleted_at": None, "task": Task.BUILDING, "updated": epoch_now()},
            **columns,
        )
        .execution_options(synchronize_session=False)
    )
    if not dialects.matched(revived):
        raise errors.NotRecycled(id=id)
    tx.expire_all()


def stays(tx: orm.Session, id: str, fault: str, least: float) -> None:
    """It did not come back, and this is why; for so many seconds it can try again."""
    row = get(tx, id)
    if row is not None:
        row.fault, row.fault_at = fault, now(tx)
        row.reclaim_at = max(row.reclaim_at, row.fault_at + least)
        tx.flush()


def forget(tx: orm.Session, id: str) -> None:
    """It is not in the bin any more."""
    tx.execute(
        sa.delete(RecycledInstance)
        .where(RecycledInstance.instance_id == id)
        .execution_options(synchronize_session=False)
    )


def _lock() -> sa.ColumnElement[str]:
    prefix = sa.literal(f"{operations.INSTANCE}:", sa.String())
    return prefix + RecycledInstance.instance_id


def _shown() -> Rows:
    return (
        sa.select(
            RecycledInstance,
            Instance,
            Datastore.name,
            DatastoreVersion.name,
            Operation.kind,
        )
        .join(Instance, Instance.id == RecycledInstance.instance_id)
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Instance.version_id)
        .outerjoin(Datastore, Datastore.id == DatastoreVersion.datastore_id)
        .outerjoin(Operation, Operation.lock_key == _lock())
        .where(Instance.deleted_at.is_not(None))
    )
