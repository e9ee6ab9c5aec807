# SPDX-License-Identifier: Apache-2.0
"""Policies of backups: found, held, changed; and what was made by them."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.queries import archives, backups
from trove.db.session import epoch_now, now
from trove.db.tables import Backup, BackupPolicy
from trove.model import backups as model
from trove.model.backups import BackupState
from trove.model.schedules import Made, Plan

WANTED = (*model.RUNNING, *model.WHOLE)
"""The states of a backup that is one, or may yet be."""


class Ended(typing.NamedTuple):
    """A policy's last backup, which is over; ``fault`` of one that failed."""

    instance: str
    backup: str
    failed: bool
    fault: str | None


def get(tx: orm.Session, instance: str) -> BackupPolicy | None:
    """That of an instance, if it has one."""
    return tx.get(BackupPolicy, instance, populate_existing=True)


def hold(tx: orm.Session, instance: str) -> BackupPolicy | None:
    """The same, which nobody else changes until the end."""
    return tx.scalar(_held(BackupPolicy.instance_id == instance))


def hold_due(tx: orm.Session, instance: str) -> BackupPolicy | None:
    """The same, if its turn has come: of two who ask at once, one is told so."""
    return tx.scalar(_held(BackupPolicy.instance_id == instance, *_due()))


def due(tx: orm.Session, limit: int) -> list[str]:
    """The instances whose turn has come; who waits longest comes first."""
    return list(
        tx.scalars(
            sa.select(BackupPolicy.instance_id)
            .where(*_due())
            .order_by(BackupPolicy.next_due, BackupPolicy.instance_id)
            .limit(limit)
        )
    )


def _due() -> tuple[sa.ColumnElement[bool], ...]:
    return BackupPolicy.enabled.is_(True), BackupPolicy.next_due <= epoch_now()


def _held(*which: sa.ColumnElement[bool]) -> sa.Select[BackupPolicy]:
    return (
        sa.select(BackupPolicy)
        .where(*which)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def page(tx: orm.Session, limit: int, after: str = "") -> list[BackupPolicy]:
    """By instance; those of deleted ones too."""
    return list(
        tx.scalars(
            sa.select(BackupPolicy)
            .where(BackupPolicy.instance_id > after)
            .order_by(BackupPolicy.instance_id)
            .limit(limit)
        )
    )


def put(tx: orm.Session, instance: str, **columns: typing.Any) -> None:
    """Made, with all of these columns, or changed to them."""
    columns["updated"] = now(tx)
    dialects.insert_missing(tx, BackupPolicy, instance_id=instance, **columns)
    changes(tx, instance, **columns)


def changes(tx: orm.Session, instance: str, **columns: typing.Any) -> None:
    """These of its columns are so from now on."""
    tx.execute(
        sa.update(BackupPolicy)
        .where(BackupPolicy.instance_id == instance)
        .values(**{"updated": now(tx), **columns})
        .execution_options(synchronize_session=False)
    )


def forget(tx: orm.Session, instance: str) -> None:
    """There is none any more."""
    tx.execute(
        sa.delete(BackupPolicy)
        .where(BackupPolicy.instance_id == instance)
        .execution_options(synchronize_session=False)
    )


def ended(tx: orm.Session, limit: int) -> list[Ended]:
    """Backups that policies had made, and that are over by now."""
    found = tx.execute(
        sa.select(
            BackupPolicy.instance_id,
            Backup.id,
            Backup.state == BackupState.FAILED,
            Backup.fault,
        )
        .join(Backup, Backup.id == BackupPolicy.backup_id)
        .where(
            sa.or_(
                Backup.state.not_in(model.RUNNING),
                Backup.deleted_at.is_not(None),
            )
        )
        .order_by(BackupPolicy.instance_id)
        .limit(limit)
    )
    return [Ended(id, made, bool(failed), fault) for id, made, failed, fault in found]


def plan(row: BackupPolicy) -> Plan:
    """What it says of moments."""
    return Plan(row.minute, row.full_every, row.increment_every, row.keep_days)


def made(tx: orm.Session, instance: str) -> Made:
    """What there is of an instance that was made by its policy, and restores."""
    found = backups.of_all(tx, [instance])[instance]
    sick = model.spoilt(map(backups.link, found))
    last: dict[bool, float] = {}
    for row in found:
        if row.scheduled and row.state in WANTED and row.id not in sick:
            full = row.parent_id is None
            last[full] = max(row.created, last.get(full, row.created))
    based = archives.has_base(tx, instance)
    return Made(full=last.get(True), increment=last.get(False), based=based)


def hasten(tx: orm.Session, instance: str) -> None:
    """Its turn has come, if it has turns."""
    tx.execute(
        sa.update(BackupPolicy)
        .where(
            BackupPolicy.instance_id == instance,
            BackupPolicy.enabled.is_(True),
            BackupPolicy.next_due > epoch_now(),
        )
        .values(next_due=epoch_now())
        .execution_options(synchronize_session=False)
    )
