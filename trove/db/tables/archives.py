# SPDX-License-Identifier: Apache-2.0
"""Archives of transaction logs, and the segments of them that are in a store."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import (
    TABLE,
    Document,
    Id,
    Key,
    Moment,
    Name,
    Record,
    Text,
    Word,
)

Big = typing.Annotated[int, orm.mapped_column(sa.BigInteger())]


class Archive(Record):
    """The log of one instance from a place on, without a hole; it outlives it.

    What is in it is what was counted, segment by segment: ``last`` and ``latest`` are
    those of the last one. Places are whole numbers in the engine's own order.
    """

    __tablename__ = "archives"
    __table_args__ = (
        sa.Index("uq_archives_open_of", "open_of", unique=True),
        sa.Index("ix_archives_instance_id", "instance_id"),
        sa.Index("ix_archives_due", "due"),
        TABLE,
    )

    id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    instance_id: orm.Mapped[Id]
    open_of: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """The instance, while it is OPEN: of each there is one such at the most."""
    version_id: orm.Mapped[Id]
    """The datastore version that the instance had."""
    state: orm.Mapped[Word]
    """A ``model.archives.ArchiveState``."""
    driver: orm.Mapped[Word]
    container: orm.Mapped[Name]
    ring: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    key: orm.Mapped[str] = orm.mapped_column(sa.String(128))
    """Where it is, and its key, as of a backup."""
    segments: orm.Mapped[int] = orm.mapped_column(default=0, server_default="0")
    """How many have been counted, those among them that were taken away too."""
    part: orm.Mapped[int] = orm.mapped_column(default=0, server_default="0")
    """The number after that of the last part that was counted."""
    first: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    """The first place that is kept; None: nothing was counted yet."""
    last: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    began: orm.Mapped[Moment | None]
    """When it began. A log that was begun anew has the numbers of an earlier one: what
    was saved before that moment is of that one."""
    latest: orm.Mapped[Moment | None]
    """All that was committed before is in it, by the guest's clock."""
    stored: orm.Mapped[Big] = orm.mapped_column(default=0, server_default="0")
    """Bytes of all that is kept of it."""
    report: orm.Mapped[Document | None]
    """The guest's last word (``rpc.messages.ArchiveReport``)."""
    reported_at: orm.Mapped[Moment | None]
    missed_at: orm.Mapped[Moment | None]
    """Since when the store does not have what the guest says that it brought."""
    ordered_at: orm.Mapped[Moment | None]
    """When the guest was last sent the order; None: never."""
    granted: orm.Mapped[int] = orm.mapped_column(default=0, server_default="0")
    """The first part that it was granted nothing for."""
    granted_until: orm.Mapped[Moment | None]
    """When what it was granted ends."""
    due: orm.Mapped[Moment | None]
    """When it is looked at next; None: when something is to be done for it."""
    reason: orm.Mapped[Text | None]
    """Why it ended."""
    gap: orm.Mapped[bool] = orm.mapped_column(default=False, server_default="0")
    """Whether nobody wanted it to end: a piece of the log is lost."""
    again: orm.Mapped[Moment | None]
    """Before that moment no other one begins."""
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]
    closed_at: orm.Mapped[Moment | None]


class ArchiveSegment(Record):
    """A piece of an archive that the store has, by the control plane's own look.

    It is never changed, and never brought twice.
    """

    __tablename__ = "archive_segments"

    archive_id: orm.Mapped[Key]
    number: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    part: orm.Mapped[int]
    """The number of its first part."""
    count: orm.Mapped[int]
    """How many parts it has."""
    parts: orm.Mapped[list[typing.Any]] = orm.mapped_column(sa.JSON())
    """``[[size, sha256, md5]]`` as ``storage.manifest.list_of`` says them."""
    first: orm.Mapped[Big]
    last: orm.Mapped[Big]
    since: orm.Mapped[Moment]
    until: orm.Mapped[Moment]
