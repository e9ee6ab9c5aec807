# SPDX-License-Identifier: Apache-2.0
"""What guests said last; an older report loses in the database, whoever writes it."""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.session import epoch_now
from trove.db.tables import GuestReport, Instance
from trove.rpc.messages import Report


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report. It is true when the report was the newest.

    ``changed``: the service's state is another than before (or is the first): somebody
    may be waiting for that.
    """

    newest: bool
    changed: bool = False

    def __bool__(self) -> bool:
        return self.newest


def record(tx: orm.Session, instance_id: str, report: Report) -> Recorded:
    """Writes a guest's report down unless a later one is there.

    Later is by (boot, seq), never by a clock. The usual report changes no state and
    costs one statement.
    """
    newer = sa.or_(
        GuestReport.boot < report.boot,
        sa.and_(GuestReport.boot == report.boot, GuestReport.seq < report.seq),
    )
    update = (
        sa.update(GuestReport)
        .where(GuestReport.instance_id == instance_id, newer)
        .values(**_columns(report), received_at=epoch_now())
        .execution_options(synchronize_session=False)
    )
    if _matched(tx, update.where(GuestReport.service == report.service)):
        return Recorded(newest=True)
    another = update.values(changed_at=epoch_now())
    if _matched(tx, another):
        return Recorded(newest=True, changed=True)
    if last(tx, instance_id) is not None or _deleted(tx, instance_id):
        return Recorded(newest=False)
    # The first of all, perhaps with another first one beside it: a row older than any
    # report, and the update decides.
    dialects.insert_missing(
        tx,
        GuestReport,
        instance_id=instance_id,
        boot=-1,
        seq=-1,
        service="",
        received_at=epoch_now(),
        changed_at=epoch_now(),
    )
    first = _matched(tx, another)
    return Recorded(newest=first, changed=first)


def last(tx: orm.Session, instance_id: str) -> GuestReport | None:
    """An instance's last report."""
    return tx.scalar(
        sa.select(GuestReport).where(GuestReport.instance_id == instance_id)
    )


def silent(tx: orm.Session, after: float, limit: int) -> list[str]:
    """Instances whose guest has said nothing for ``after`` seconds, longest first."""
    return list(
        tx.scalars(
            sa.select(GuestReport.instance_id)
            .where(GuestReport.received_at < epoch_now() - after)
            .order_by(GuestReport.received_at)
            .limit(limit)
        )
    )


def forget(tx: orm.Session, instance_id: str) -> None:
    """An instance is gone, and what its guest said with it."""
    tx.execute(
        sa.delete(GuestReport)
        .where(GuestReport.instance_id == instance_id)
        .execution_options(synchronize_session=False)
    )


def _deleted(tx: orm.Session, instance_id: str) -> bool:
    """Whether a report is too late. The row is held: a delete that ends right now
    removes what its guest said, and this must not come after."""
    return (
        tx.scalar(
            sa.select(Instance.deleted_at)
            .where(Instance.id == instance_id)
            .with_for_update(read=True)
        )
        is not None
    )


def _matched(tx: orm.Session, statement: sa.Update) -> bool:
    return dialects.matched(tx.execute(statement)) > 0


def _columns(report: Report) -> dict[str, typing.Any]:
    return {
        "boot": report.boot,
        "seq": report.seq,
        "service": report.service,
        "why": report.why or None,
        "role": report.role,
        "position": report.position,
        "version": report.version,
        "agent": report.agent,
        "disk_used": report.disk_used,
        "disk_total": report.disk_total,
        "rss": report.rss,
    }
