# SPDX-License-Identifier: Apache-2.0
"""The recycle bin: what is known of a deleted instance whose volume is kept."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import TABLE, Key, Moment, Name, Record, Text


class RecycledInstance(Record):
    """A deleted instance that can be had back. Its row among the instances says what
    it was; while it comes back, that one is not deleted."""

    __tablename__ = "recycled_instances"
    __table_args__ = (
        sa.Index("ix_recycled_instances_project", "project", "instance_id"),
        sa.Index("ix_recycled_instances_reclaim_at", "reclaim_at"),
        TABLE,
    )

    instance_id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    modules: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON())
    """The ids of those that it had."""
    reclaim_at: orm.Mapped[Moment]
    """When its volume goes."""
    fault: orm.Mapped[Text | None]
    """Why it did not come back; None: nobody has tried, or tries now."""
    fault_at: orm.Mapped[Moment | None]
