# SPDX-License-Identifier: Apache-2.0
"""Volumes that stay because there are snapshots of them, which are backups."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables import Backup, CloudThing, Instance, RecycledInstance
from trove.model.states import ThingState

KIND = "snapshot"
"""The ledger's word."""


def standing(instance: typing.Any) -> sa.ColumnElement[bool]:
    """Whether there is a snapshot of an instance's volume, by the ledger: a column of
    instances' ids, or one of them."""
    found: sa.ColumnElement[bool] = (
        sa.exists()
        .where(
            CloudThing.owner == Backup.id,
            CloudThing.kind == KIND,
            CloudThing.state != ThingState.GONE,
            Backup.instance_id == instance,
        )
        .correlate(Instance)
    )
    return found


def stands(tx: orm.Session, instance: str) -> bool:
    """Whether there is a snapshot of its volume."""
    return bool(tx.scalar(sa.select(standing(instance))))


def owed(tx: orm.Session, instance: str) -> Instance | None:
    """A deleted instance whose volume was kept for snapshots alone, of which there is
    none any more."""
    return tx.scalar(
        sa.select(Instance)
        .outerjoin(RecycledInstance, RecycledInstance.instance_id == Instance.id)
        .where(
            Instance.id == instance,
            Instance.deleted_at.is_not(None),
            Instance.volume_id.is_not(None),
            RecycledInstance.instance_id.is_(None),
            sa.exists().where(
                CloudThing.owner == Instance.id,
                CloudThing.state == ThingState.RETAINED,
            ),
            ~standing(Instance.id),
        )
    )
