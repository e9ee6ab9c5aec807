# SPDX-License-Identifier: Apache-2.0
"""Verifications of backups: which wait, and what became of each.

A policy is held before its backups, as everywhere.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.queries import backups, schedules
from trove.db.session import now
from trove.db.tables import Backup
from trove.model import schedules as plans
from trove.model import verifications as model
from trove.model.backups import BackupState
from trove.model.verifications import Verification

ROWS = "verified_rows"
"""In what is known of a backup: how many tables were compared by its verification."""
LONGEST = 2000
"""Characters of a fault that are kept."""


def choose(tx: orm.Session, id: str) -> None:
    """A backup becomes whole in this transaction: it waits, if its policy says so."""
    row = backups.load(tx, id)
    policy = schedules.hold(tx, row.instance_id)
    if policy is None:
        return
    often, last = policy.verify, policy.verified_last
    if model.chosen(often, policy.minute, last, row.created):
        wait(tx, id)
        schedules.changes(tx, row.instance_id, verified_last=row.created)


def wait(tx: orm.Session, id: str) -> None:
    """It is verified when there is a place."""
    state = Verification.WAITING
    backups.changes(tx, id, verification=state, verify_asked=now(tx))


def waiting(tx: orm.Session, limit: int) -> list[str]:
    """Those that wait, who waits longest first."""
    return list(
        tx.scalars(
            sa.select(Backup.id)
            .where(
                Backup.verification == Verification.WAITING,
                Backup.state == BackupState.COMPLETED,
                Backup.deleted_at.is_(None),
            )
            .order_by(Backup.verify_asked, Backup.id)
            .limit(limit)
        )
    )


def untried(tx: orm.Session, instance: str) -> str | None:
    """Why the verification that was asked for last could not be tried; None: it was, or
    none is over."""
    last = (
        sa.select(Backup.verification, Backup.verify_fault)
        .where(
            Backup.instance_id == instance,
            Backup.verification.is_not(None),
            Backup.verification.not_in(model.UNDER_WAY),
            Backup.deleted_at.is_(None),
        )
        .order_by(Backup.verify_asked.desc(), Backup.id)
        .limit(1)
    )
    found = tx.execute(last).one_or_none()
    if found is None or found.verification != Verification.UNKNOWN:
        return None
    return str(found.verify_fault)


def running(tx: orm.Session, id: str) -> None:
    """Its server is on its way."""
    backups.changes(tx, id, verification=Verification.RUNNING)


def verified(
    tx: orm.Session, id: str, seconds: float, rows: dict[str, typing.Any] | None = None
) -> None:
    """It was restored in so many seconds, and all of it is well. ``rows``: how many
    tables have the rows that they had; None: nobody looked."""
    row = backups.load(tx, id)
    backups.changes(
        tx,
        id,
        verification=Verification.VERIFIED,
        verified_at=now(tx),
        restore_seconds=seconds,
        verify_fault=None,
        unsound=False,
        about=_compared(row, rows),
    )


def _compared(row: Backup, rows: dict[str, typing.Any] | None) -> typing.Any:
    about = {**(row.about or {}), ROWS: rows}
    return about if rows is not None or ROWS in (row.about or {}) else row.about


def failed(tx: orm.Session, id: str, fault: str) -> bool:
    """It does not restore, or (where nothing was found of its data) nobody knows.

    Its policy says so. Of one that is unsound a full one takes the place, in the next
    turn; of one that could not be tried the next is chosen again. False: its
    verification was over.
    """
    row = backups.get(tx, id)
    policy = None if row is None else schedules.hold(tx, row.instance_id)
    row = backups.get(tx, id)
    if row is None or row.verification not in model.UNDER_WAY:
        return False
    said = fault[:LONGEST]
    state = Verification.FAILED if row.unsound else Verification.UNKNOWN
    about = _compared(row, None)
    backups.changes(tx, id, verification=state, verify_fault=said, about=about)
    if policy is None:
        return True
    columns = {"last_fault": f"backup {id} could not be verified: {said}"[:LONGEST]}
    if row.unsound:
        made = schedules.made(tx, row.instance_id)
        due = plans.following(schedules.plan(policy), made, now(tx))
        changes = {**columns, "next_due": min(policy.next_due, due)}
    else:
        changes = {**columns, "verified_last": None}
    schedules.changes(tx, row.instance_id, **changes)
    return True
