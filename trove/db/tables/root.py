# SPDX-License-Identifier: Apache-2.0
"""Who asked for the user root of an instance, and who had it taken away."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import Key, Moment, Name, Record, Word


class RootDeed(Record):
    """One enabling or disabling, written down before the guest is asked for it."""

    __tablename__ = "root_deeds"

    instance_id: orm.Mapped[Key]
    seq: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    deed: orm.Mapped[Word]
    """enable, disable."""
    state: orm.Mapped[Word]
    """asked, done, refused. It stays ``asked`` when nobody knows what became of it."""
    user: orm.Mapped[Name]
    project: orm.Mapped[Name]
    request_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    at: orm.Mapped[Moment]
