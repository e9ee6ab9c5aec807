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

Said = tuple[str, Report]
"""Whose, and what."""

REPORTS = typing.cast(sa.Table, GuestReport.__table__)
SAID = (
    "boot",
    "seq",
    "service",
    "why",
    "role",
    "position",
    "version",
    "agent",
    "disk_used",
    "disk_total",
    "rss",
)
GIVEN: dict[str, sa.BindParameter[typing.Any]] = {
    name: sa.bindparam(f"new_{name}", type_=REPORTS.c[name].type) for name in SAID
}

KNOWN = sa.select(
    REPORTS.c.instance_id, REPORTS.c.boot, REPORTS.c.seq, REPORTS.c.service
).where(REPORTS.c.instance_id.in_(sa.bindparam("ids", expanding=True)))

_NEWER = (
    sa.update(REPORTS)
    .where(
        REPORTS.c.instance_id == sa.bindparam("of"),
        sa.or_(
            REPORTS.c.boot < GIVEN["boot"],
            sa.and_(REPORTS.c.boot == GIVEN["boot"], REPORTS.c.seq < GIVEN["seq"]),
        ),
    )
    .values(**GIVEN, received_at=epoch_now())
)
AS_BEFORE = _NEWER.where(REPORTS.c.service == GIVEN["service"])
CHANGED = _NEWER.values(changed_at=epoch_now())


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


def record_all(tx: orm.Session, said: list[Said]) -> list[str]:
    """Writes many guests' reports down; the instances whose service changed.

    One look tells which are newer and which changed, and one statement writes all of a
    kind. Its condition is the same as ``record``'s, so what came between the look and
    the write decides no less; who lost by that is done again alone.
    """
    if len(said) == 1:
        return [said[0][0]] if record(tx, *said[0]).changed else []
    # in one order: two conductors that hold rows of each other's would deadlock
    said = sorted(said, key=lambda each: each[0])
    there = _known(tx, said)
    alone = [each for each in said if each[0] not in there]
    same: list[Said] = []
    other: list[Said] = []
    for instance, report in said:
        known = there.get(instance)
        if known is not None and (known.boot, known.seq) < (report.boot, report.seq):
            kind = same if known.service == report.service else other
            kind.append((instance, report))
    changed = [instance for instance, _ in other]
    for kind, statement in ((same, AS_BEFORE), (other, CHANGED)):
        if kind and not _all_matched(tx, statement, kind):
            now = _known(tx, kind)
            alone += [
                (instance, report)
                for instance, report in kind
                if instance not in now
                or (now[instance].boot, now[instance].seq) < (report.boot, report.seq)
            ]
    return changed + [id for id, report in alone if record(tx, id, report).changed]


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


def _known(tx: orm.Session, said: list[Said]) -> dict[str, typing.Any]:
    found = tx.execute(KNOWN, {"ids": [instance for instance, _ in said]})
    return {row.instance_id: row for row in found}


def _all_matched(tx: orm.Session, statement: sa.Update, said: list[Said]) -> bool:
    rows = []
    for instance, report in said:
        values = {f"new_{name}": value for name, value in _columns(report).items()}
        rows.append({"of": instance, **values})
    return dialects.matched(tx.execute(statement, rows)) == len(rows)


def _columns(report: Report) -> dict[str, typing.Any]:
    return {name: getattr(report, name) for name in SAID} | {"why": report.why or None}
