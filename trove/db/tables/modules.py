# SPDX-License-Identifier: Apache-2.0
"""Modules: what drivers in the guests apply, and which instance has which."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import TABLE, Id, Key, Moment, Name, Record, Text, Word
from trove.db.types import Sealed


class Module(Record):
    """A project's module, or everybody's. A deleted one keeps its row, not its
    contents."""

    __tablename__ = "modules"
    __table_args__ = (
        sa.Index("ix_modules_project_deleted_id", "project", "deleted_at", "id"),
        sa.UniqueConstraint("identity", name="uq_modules_identity"),
        TABLE,
    )

    id: orm.Mapped[Key]
    project: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    """Whose it is; None: everybody's."""
    name: orm.Mapped[Name]
    type: orm.Mapped[str] = orm.mapped_column(sa.String(255))
    """The name of its driver."""
    contents: orm.Mapped[typing.Any] = orm.mapped_column(Sealed(), nullable=True)
    """Base64 of what the driver is given."""
    md5: orm.Mapped[Word]
    """Of the contents themselves, in hexadecimal: to know them again."""
    description: orm.Mapped[Text | None]
    datastore_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """For which datastore it is; None: for each."""
    version_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    auto_apply: orm.Mapped[bool]
    visible: orm.Mapped[bool]
    live_update: orm.Mapped[bool]
    """Whether it may change while instances have it."""
    priority_apply: orm.Mapped[bool]
    apply_order: orm.Mapped[int]
    is_admin: orm.Mapped[bool]
    """Whether only an administrator may change it."""
    identity: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    """A hash of what no two living ones share (NULL is no part of a unique key)."""
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]
    deleted_at: orm.Mapped[Moment | None]


class InstanceModule(Record):
    """A module that an instance has, or shall have; and what its guest said of it."""

    __tablename__ = "instance_modules"
    __table_args__ = (
        sa.Index("ix_instance_modules_module", "module_id", "instance_id"),
        sa.Index("ix_instance_modules_reapply", "reapply"),
        TABLE,
    )

    instance_id: orm.Mapped[Key]
    module_id: orm.Mapped[Key]
    md5: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    """Of the contents that were applied; None: none have been yet."""
    status: orm.Mapped[Word]
    message: orm.Mapped[Text | None]
    reapply: orm.Mapped[Id | None]
    """The operation that will see to it that it is applied again."""
    updated: orm.Mapped[Moment]
