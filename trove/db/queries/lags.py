# SPDX-License-Identifier: Apache-2.0
"""How the logs of all instances stand, for an operator: a page of them at a time."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables import (
    Archive,
    BackupPolicy,
    DatastoreVersion,
    Guest,
    Instance,
)
from trove.model.archives import ArchiveState


class Standing(typing.NamedTuple):
    """An instance whose log is archived, or is to be."""

    instance: Instance
    wanted: float | None
    """Since when, at the least, its policy has asked for it; None: it does not."""
    enrolled: bool
    """Whether its guest has said its key."""
    newest: Archive | None
    """The open one, else the one that ended last."""


def page(
    tx: orm.Session,
    managers: typing.Collection[str],
    limit: int,
    *,
    after: str = "",
    project: str | None = None,
) -> list[Standing]:
    """Those of instances that are not deleted, by id; ``managers``: of the datastores
    that can archive."""
    asks = sa.and_(BackupPolicy.enabled.is_(True), BackupPolicy.point_in_time.is_(True))
    statement = (
        sa.select(Instance, BackupPolicy, Guest.public_key, Archive)
        .join(DatastoreVersion, DatastoreVersion.id == Instance.version_id)
        .outerjoin(BackupPolicy, sa.and_(BackupPolicy.instance_id == Instance.id, asks))
        .outerjoin(Guest, Guest.instance_id == Instance.id)
        .outerjoin(Archive, Archive.open_of == Instance.id)
        .where(
            Instance.deleted_at.is_(None),
            Instance.id > after,
            DatastoreVersion.manager.in_(managers),
            sa.or_(BackupPolicy.instance_id.is_not(None), Archive.id.is_not(None)),
        )
        .order_by(Instance.id)
        .limit(limit)
    )
    if project is not None:
        statement = statement.where(Instance.project == project)
    rows = list(tx.execute(statement))
    ended = _ended(tx, [row.Instance.id for row in rows if row.Archive is None])
    return [
        Standing(
            instance,
            None if policy is None else max(policy.updated, instance.created),
            key is not None,
            archive or ended.get(instance.id),
        )
        for instance, policy, key, archive in rows
    ]


def _ended(tx: orm.Session, instances: list[str]) -> dict[str, Archive]:
    """Of each, the one that ended last, if one did."""
    found = tx.scalars(
        sa.select(Archive)
        .where(Archive.instance_id.in_(instances), Archive.state == ArchiveState.CLOSED)
        .order_by(Archive.closed_at, Archive.id)
    )
    return {row.instance_id: row for row in found}
