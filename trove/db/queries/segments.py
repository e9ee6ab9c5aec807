# SPDX-License-Identifier: Apache-2.0
"""Segments of archives: which there are, which a replay needs, and which go."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.tables import Archive, ArchiveSegment


def found(
    tx: orm.Session, archive: str, first: int, last: int | None = None
) -> list[ArchiveSegment]:
    """Those with these numbers, in their order; ``last`` None: to the end."""
    statement = sa.select(ArchiveSegment).where(
        ArchiveSegment.archive_id == archive, ArchiveSegment.number >= first
    )
    if last is not None:
        statement = statement.where(ArchiveSegment.number <= last)
    return list(tx.scalars(statement.order_by(ArchiveSegment.number)))


def numbers(
    tx: orm.Session, archive: str, place: int, until: float | None
) -> tuple[int, int] | None:
    """The first and the last of those that have the log from a place on, until a
    moment (None: to the end); None: there is none."""
    mine = ArchiveSegment.archive_id == archive, ArchiveSegment.last >= place
    number = ArchiveSegment.number
    first = tx.scalar(sa.select(sa.func.min(number)).where(*mine))
    if until is None:
        last = tx.scalar(sa.select(sa.func.max(number)).where(*mine))
    else:
        enough = ArchiveSegment.until >= until
        last = tx.scalar(sa.select(sa.func.min(number)).where(*mine, enough))
    return None if first is None or last is None else (first, last)


def parts(
    tx: orm.Session, archive: str, first: int, last: int
) -> list[tuple[int, int]]:
    """Of each of those segments: its first part, and how many it has."""
    found = tx.execute(
        sa.select(ArchiveSegment.part, ArchiveSegment.count)
        .where(
            ArchiveSegment.archive_id == archive,
            ArchiveSegment.number.between(first, last),
        )
        .order_by(ArchiveSegment.number)
    )
    return [(part, count) for part, count in found]


def needless(tx: orm.Session, row: Archive, limit: int) -> list[ArchiveSegment]:
    """Segments before the first place that is kept, in their order."""
    return list(
        tx.scalars(
            sa.select(ArchiveSegment)
            .where(ArchiveSegment.archive_id == row.id, ArchiveSegment.last < row.first)
            .order_by(ArchiveSegment.number)
            .limit(limit)
        )
    )


def taken_away(tx: orm.Session, row: Archive, upto: int, bytes: int) -> None:
    """Segments until this number are in no store any more; so many bytes they were."""
    gone = tx.execute(
        sa.delete(ArchiveSegment)
        .where(ArchiveSegment.archive_id == row.id, ArchiveSegment.number <= upto)
        .execution_options(synchronize_session=False)
    )
    if dialects.matched(gone):
        tx.execute(
            sa.update(Archive)
            .where(Archive.id == row.id)
            .values(stored=Archive.stored - bytes)
            .execution_options(synchronize_session=False)
        )
