# SPDX-License-Identifier: Apache-2.0
"""Archives: begun, heard of, counted, ended; and which moments they restore.

Whoever acts for a user passes ``project``: another project's is not found (S26).
"""

import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.session import epoch_now, now
from trove.db.tables import (
    Archive,
    ArchiveSegment,
    Backup,
    BackupPolicy,
    DatastoreVersion,
    Guest,
    Instance,
)
from trove.model import archives as model
from trove.model import backups
from trove.model.archives import ArchiveState, Base
from trove.model.states import Task

OPEN, CLOSED = ArchiveState.OPEN, ArchiveState.CLOSED
KEPT = (OPEN, CLOSED)
"""The states of one that restores."""

WITHIN = sa.and_(
    Backup.instance_id == Archive.instance_id,
    Backup.version_id == Archive.version_id,
    Backup.state.in_(backups.WHOLE),
    Backup.deleted_at.is_(None),
    # NULL is in no archive, and nothing is in one that has nothing yet
    Backup.place >= Archive.first,
    Backup.place <= Archive.last + 1,
    Backup.moment >= Archive.began,
    Backup.moment <= Archive.latest,
)
"""Of a backup and an archive: whether a replay of this one may begin at that one."""


# -- found --------------------------------------------------------------------------


def get(tx: orm.Session, id: str) -> Archive | None:
    """The row as it is now, if there is one; for the work on it."""
    return tx.get(Archive, id, populate_existing=True)


def hold(tx: orm.Session, id: str) -> Archive | None:
    """The same, which nobody else changes until the end."""
    statement = sa.select(Archive).where(Archive.id == id).with_for_update()
    return tx.scalar(statement.execution_options(populate_existing=True))


def open_of(tx: orm.Session, instance: str) -> Archive | None:
    """The open one of an instance."""
    return tx.scalar(sa.select(Archive).where(Archive.open_of == instance))


def of_instance(
    tx: orm.Session, instance: str, project: str | None = None
) -> list[Archive]:
    """Those of an instance that are kept, the newest first."""
    statement = sa.select(Archive).where(
        Archive.instance_id == instance, Archive.state.in_(KEPT)
    )
    if project is not None:
        statement = statement.where(Archive.project == project)
    # one that is open is the newest, and of a moment there may be two
    newest = (Archive.open_of.is_(None), Archive.created.desc(), Archive.id)
    return list(tx.scalars(statement.order_by(*newest)))


def wanting(
    tx: orm.Session, managers: typing.Collection[str], limit: int
) -> list[Instance]:
    """The instances whose policy wants one, and that have none, at rest; ``managers``:
    of the datastores that can."""
    moment = epoch_now()
    others = orm.aliased(Archive)
    waits = sa.exists().where(others.instance_id == Instance.id, others.again > moment)
    statement = (
        sa.select(Instance)
        .join(BackupPolicy, BackupPolicy.instance_id == Instance.id)
        .join(DatastoreVersion, DatastoreVersion.id == Instance.version_id)
        .join(Guest, Guest.instance_id == Instance.id)
        .outerjoin(Archive, Archive.open_of == Instance.id)
        .where(
            BackupPolicy.enabled.is_(True),
            BackupPolicy.point_in_time.is_(True),
            Instance.deleted_at.is_(None),
            Instance.task == Task.NONE,
            Instance.was_active.is_(True),
            DatastoreVersion.manager.in_(managers),
            Guest.public_key.is_not(None),
            Archive.id.is_(None),
            ~waits,
        )
        .order_by(Instance.id)
        .limit(limit)
    )
    return list(tx.scalars(statement))


def unwanted(tx: orm.Session, row: Archive) -> str | None:
    """Why an open one is to end though nothing went wrong; None: it is not."""
    policy = tx.get(BackupPolicy, row.instance_id, populate_existing=True)
    instance = tx.get(Instance, row.instance_id, populate_existing=True)
    if instance is None or instance.deleted_at is not None:
        return "The instance was deleted."
    if policy is None or not (policy.enabled and policy.point_in_time):
        return "The policy of its backups does not ask for it."
    if instance.version_id != row.version_id:
        return "The instance is of another version now."
    return None


def due(tx: orm.Session, limit: int) -> list[str]:
    """Those for which there may be something to do; who waits longest comes first."""
    return list(
        tx.scalars(
            sa.select(Archive.id)
            .where(Archive.due <= epoch_now())
            .order_by(Archive.due, Archive.id)
            .limit(limit)
        )
    )


def page(tx: orm.Session, limit: int, after: str = "") -> list[Archive]:
    """Those that are kept, by id; those of deleted instances too."""
    return list(
        tx.scalars(
            sa.select(Archive)
            .where(Archive.id > after, Archive.state.in_(KEPT))
            .order_by(Archive.id)
            .limit(limit)
        )
    )


# -- begun, heard of, ended ---------------------------------------------------------


def begin(tx: orm.Session, instance: Instance, **columns: typing.Any) -> str | None:
    """An open one, due at once; None: there is one already."""
    there = sa.select(Archive.id).where(Archive.open_of == instance.id)
    if tx.scalar(there) is not None:
        return None
    moment, id = now(tx), str(uuid.uuid4())
    row = Archive(
        id=id,
        project=instance.project,
        instance_id=instance.id,
        open_of=instance.id,
        version_id=instance.version_id,
        state=OPEN,
        due=moment,
        created=moment,
        updated=moment,
        **columns,
    )
    tx.add(row)
    return id


def claim(tx: orm.Session, id: str, seconds: float) -> Archive | None:
    """One that is due, for so long: of two who ask at once, one is told so.

    Its ``due`` is the proof: what else becomes due meanwhile has another.
    """
    until = round(now(tx) + seconds, 3)
    if not _changed(tx, id, Archive.due <= epoch_now(), due=until):
        return None
    return get(tx, id)


def rest(
    tx: orm.Session, row: Archive, seconds: float | None, **columns: object
) -> bool:
    """After the work for one that was claimed: it is due then, None: not at all; False:
    it was made due meanwhile, or by another's claim, and stays so."""
    due = None if seconds is None else round(now(tx) + seconds, 3)
    if columns:
        changes(tx, row.id, **columns)
    return _changed(tx, row.id, Archive.due == row.due, due=due)


def heard(
    tx: orm.Session,
    instance: str,
    id: str,
    report: dict[str, typing.Any],
    news: bool,
) -> bool:
    """What its guest says of one; ``news``: there is something to do for it. False: the
    instance has no such one."""
    moment = now(tx)
    columns: dict[str, typing.Any] = {"report": report, "reported_at": moment}
    # a guest that speaks of one that is over has not heard that it is
    columns["due"] = sa.case(
        (sa.or_(sa.literal(news), Archive.state == CLOSED), moment), else_=Archive.due
    )
    mine = Archive.instance_id == instance
    return _changed(tx, id, mine, Archive.state.in_(KEPT), **columns)


def count(
    tx: orm.Session, row: Archive, segments: typing.Sequence[dict[str, typing.Any]]
) -> bool:
    """These follow what was counted; False: another was faster, or it is over.

    ``row`` is as it was when they were compared with the store.
    """
    if not segments:
        return False
    begin, end = segments[0], segments[-1]
    bytes = sum(part[0] for each in segments for part in each["parts"])
    counted = _changed(
        tx,
        row.id,
        Archive.state == OPEN,
        Archive.segments == row.segments,
        segments=row.segments + len(segments),
        part=end["part"] + end["count"],
        first=sa.func.coalesce(Archive.first, begin["first"]),
        began=sa.func.coalesce(Archive.began, begin["since"]),
        last=end["last"],
        latest=end["until"],
        stored=Archive.stored + bytes,
        missed_at=None,
        updated=now(tx),
    )
    if counted:
        rows = [{"archive_id": row.id, **each} for each in segments]
        tx.execute(sa.insert(ArchiveSegment), rows)
    return counted


def close(tx: orm.Session, id: str, reason: str, *, gap: bool) -> bool:
    """It is over, for this reason, which its guest is told; False: it was already.

    ``gap``: another begins, but not at once where this was not the first of a day.
    """
    row, moment = hold(tx, id), now(tx)
    if row is None or row.state != OPEN:
        return False
    again = (
        moment + model.pause(1 + _gaps(tx, row.instance_id, moment)) if gap else None
    )
    about = {"reason": reason, "gap": gap, "again": again}
    columns = {"state": CLOSED, "open_of": None, "due": moment, "closed_at": moment}
    return _changed(tx, id, Archive.state == OPEN, **about, **columns, updated=moment)


def _gaps(tx: orm.Session, instance: str, moment: float) -> int:
    """How many there were in a day."""
    lately = sa.select(sa.func.count()).where(
        Archive.instance_id == instance,
        Archive.gap.is_(True),
        Archive.closed_at > moment - model.DAY,
    )
    return int(tx.scalar(lately) or 0)


def changes(tx: orm.Session, id: str, **columns: typing.Any) -> None:
    """These of its columns are so from now on."""
    _changed(tx, id, **columns)


def _changed(
    tx: orm.Session, id: str, *which: sa.ColumnElement[bool], **columns: typing.Any
) -> bool:
    result = tx.execute(
        sa.update(Archive)
        .where(Archive.id == id, *which)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )
    return dialects.matched(result) > 0


def forget(tx: orm.Session, id: str) -> None:
    """There is none any more, nor a segment of it."""
    for table, column in (
        (ArchiveSegment, ArchiveSegment.archive_id),
        (Archive, Archive.id),
    ):
        tx.execute(
            sa.delete(table)
            .where(column == id)
            .execution_options(synchronize_session=False)
        )


def cut(tx: orm.Session, row: Archive, place: int) -> bool:
    """What ends before that place is not restored any more; False: there is no such."""
    first = sa.select(sa.func.min(ArchiveSegment.first)).where(
        ArchiveSegment.archive_id == row.id, ArchiveSegment.last >= place
    )
    found = tx.scalar(first)
    if found is None or row.first is None or found <= row.first:
        return False
    return _changed(tx, row.id, Archive.first == row.first, first=found)


# -- what it restores ---------------------------------------------------------------


def bases(tx: orm.Session, archive: str) -> list[Base]:
    """The backups that a replay of it may begin at."""
    found = tx.execute(
        sa.select(Backup.id, Backup.place, Backup.moment)
        .join(Archive, WITHIN)
        .where(Archive.id == archive)
    )
    return [Base(id, place or 0, moment or 0.0) for id, place, moment in found]


SPANS = (
    sa.select(
        Archive.instance_id, Archive.id, sa.func.min(Backup.moment), Archive.latest
    )
    .join(Backup, WITHIN)
    .where(
        Archive.instance_id.in_(sa.bindparam("instances", expanding=True)),
        Archive.state.in_(KEPT),
    )
    .group_by(Archive.id, Archive.instance_id, Archive.latest)
)
"""Of these instances, each archive that restores: from when, until when."""


def has_base(tx: orm.Session, instance: str) -> bool:
    """Whether the open one of an instance restores, or nothing was counted of it yet;
    of one that has none: that it is so."""
    row = open_of(tx, instance)
    if row is None or row.first is None:
        return True
    some = sa.select(Backup.id).where(
        Backup.instance_id == instance,
        Backup.version_id == row.version_id,
        Backup.state.in_(backups.WHOLE),
        Backup.deleted_at.is_(None),
        Backup.place >= row.first,
        Backup.moment >= row.began,
    )
    return tx.scalar(some.limit(1)) is not None
