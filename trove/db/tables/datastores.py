# SPDX-License-Identifier: Apache-2.0
"""Datastores and their versions, as an operator registered them."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import TABLE, Id, Key, Moment, Name, Record


class Datastore(Record):
    """A datastore that users can choose. Its versions' ``manager`` is the plug-in."""

    __tablename__ = "datastores"
    __table_args__ = (sa.UniqueConstraint("name", name="uq_datastores_name"), TABLE)

    id: orm.Mapped[Key]
    name: orm.Mapped[Name]
    default_version_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]


class DatastoreVersion(Record):
    """One version of a datastore: which plug-in runs it, from which image."""

    __tablename__ = "datastore_versions"
    __table_args__ = (
        sa.UniqueConstraint(
            "datastore_id", "name", "number", name="uq_datastore_versions_name"
        ),
        TABLE,
    )

    id: orm.Mapped[Key]
    datastore_id: orm.Mapped[Id]
    name: orm.Mapped[Name]
    number: orm.Mapped[Name]
    """The engine's own version (``version_number`` on the wire)."""
    manager: orm.Mapped[Name]
    image_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    image_tags: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON(), default=list)
    packages: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON(), default=list)
    registry_ext: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    repl_strategy: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    flavors: orm.Mapped[list[str] | None] = orm.mapped_column(sa.JSON())
    """The ids of those that it may have; none said: all."""
    volume_types: orm.Mapped[list[str] | None] = orm.mapped_column(sa.JSON())
    """Their ids or names; none said: all."""
    active: orm.Mapped[bool] = orm.mapped_column(default=True)
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]
