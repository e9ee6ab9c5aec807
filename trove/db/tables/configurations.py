# SPDX-License-Identifier: Apache-2.0
"""Configuration groups, and the rules that their values obey."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import TABLE, Document, Id, Key, Moment, Name, Record, Text


class Configuration(Record):
    """A project's group of values. A deleted one keeps its row: instances may show it
    until the change that took it away has ended."""

    __tablename__ = "configurations"
    __table_args__ = (
        sa.Index("ix_configurations_project_deleted_id", "project", "deleted_at", "id"),
        sa.Index("ix_configurations_version", "version_id"),
        TABLE,
    )

    id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    name: orm.Mapped[Name]
    description: orm.Mapped[Text | None]
    version_id: orm.Mapped[Id]
    """Of which datastore version the values are."""
    settings: orm.Mapped[Document]
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]
    deleted_at: orm.Mapped[Moment | None]


class Parameter(Record):
    """What a value of one name may be, in one datastore version."""

    __tablename__ = "parameters"
    __table_args__: typing.Any = TABLE

    version_id: orm.Mapped[Key]
    name: orm.Mapped[str] = orm.mapped_column(sa.String(128), primary_key=True)
    rule: orm.Mapped[Document]
    """``{"type", "restart_required", "min"?, "max"?, "pattern"?, "values"?, "members"?,
    "unit"?, "loaded"?}``. ``loaded`` is the same as its engine said it; one that was
    taken out of what groups may name has that alone."""
