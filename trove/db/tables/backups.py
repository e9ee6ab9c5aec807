# SPDX-License-Identifier: Apache-2.0
"""Backups, where a project wants them to go, and when they are made by themselves."""

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


class Backup(Record):
    """A backup: what users are told of it, and what a restore must know."""

    __tablename__ = "backups"
    __table_args__ = (
        sa.Index("ix_backups_project_deleted_id", "project", "deleted_at", "id"),
        sa.Index("ix_backups_instance_id", "instance_id"),
        sa.Index("ix_backups_parent_id", "parent_id"),
        sa.Index("ix_backups_operation_id", "operation_id"),
        sa.Index("ix_backups_verification", "verification", "verify_asked"),
        TABLE,
    )

    id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    name: orm.Mapped[Name]
    description: orm.Mapped[Text | None]
    instance_id: orm.Mapped[Id]
    """Of what; the instance may be gone."""
    parent_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """What an increment stands on; None: it is a full one."""
    version_id: orm.Mapped[Id]
    """The datastore version that the instance had."""
    operation_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """What makes it: by it a request that comes again finds what it has made."""
    state: orm.Mapped[Word]
    """A ``model.backups.BackupState``."""
    driver: orm.Mapped[Word]
    """The store that it is in (``storage/vault/registry.py``)."""
    container: orm.Mapped[Name]
    """As its user, or the deployment, calls the place."""
    location: orm.Mapped[Text | None]
    """Where its manifest is; None: there is none yet."""
    size: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    """Bytes that the data take on a volume."""
    stored: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    """Bytes of all its parts."""
    parts: orm.Mapped[int | None]
    """How many they are."""
    ring: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    """The key of the keyring that wrapped its own."""
    key: orm.Mapped[str | None] = orm.mapped_column(sa.String(128))
    """Its key, wrapped (``storage/keys.py``)."""
    manifest: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    """The SHA-256 of its manifest: no other one is."""
    about: orm.Mapped[Document | None]
    """The engine's own words: where an increment of it begins."""
    place: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    """Where in the transaction log a replay after it begins (``archives``)."""
    moment: orm.Mapped[Moment | None]
    """All that was committed before is in it, by its guest's clock."""
    ended: orm.Mapped[Moment | None]
    """When it was whole."""
    fault: orm.Mapped[Text | None]
    scheduled: orm.Mapped[bool] = orm.mapped_column(default=False, server_default="0")
    """Whether its instance's policy had it made: only such a one goes by itself."""
    verification: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    """A ``model.verifications.Verification``, of the last one; None: there was none."""
    verify_asked: orm.Mapped[Moment | None]
    """When it was: who waits longest comes first."""
    verified_at: orm.Mapped[Moment | None]
    """When it was last restored, and all of it was well."""
    restore_seconds: orm.Mapped[float | None] = orm.mapped_column(sa.Double())
    """From the order to restore it until its database served, at that time."""
    verify_fault: orm.Mapped[Text | None]
    """Why the last one did not end well; None: it did."""
    unsound: orm.Mapped[bool] = orm.mapped_column(default=False, server_default="0")
    """Whether it did not restore, or what it restored was sick, the last time that it
    was tried: it counts for none that there must be."""
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]
    deleted_at: orm.Mapped[Moment | None]


class BackupStrategy(Record):
    """Where the backups of a project go, or (``instance_id``) those of an instance."""

    __tablename__ = "backup_strategies"

    project: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    instance_id: orm.Mapped[Key]
    """Empty: of all instances that have none of their own."""
    container: orm.Mapped[Name]


class BackupKey(Record):
    """A key of a project's backups in a key manager, which has it under this id."""

    __tablename__ = "backup_keys"

    project: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    number: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    """From 1 on; the highest wraps what is new."""
    id: orm.Mapped[Id]
    created: orm.Mapped[Moment]


class BackupPolicy(Record):
    """When backups of an instance are made, and how long these are kept.

    It outlives its instance by as long as there is one of its backups.
    """

    __tablename__ = "backup_policies"
    __table_args__ = (
        sa.Index("ix_backup_policies_next_due", "enabled", "next_due"),
        sa.Index("ix_backup_policies_backup_id", "backup_id"),
        TABLE,
    )

    instance_id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    enabled: orm.Mapped[bool]
    minute: orm.Mapped[int]
    """Of the day, UTC, with which a day of the plan begins."""
    full_every: orm.Mapped[int]
    """Days from one full backup to the next."""
    increment_every: orm.Mapped[int | None]
    """Hours between two backups; None: no increments are made."""
    keep_days: orm.Mapped[int]
    point_in_time: orm.Mapped[bool] = orm.mapped_column(
        default=False, server_default="0"
    )
    """Whether its transaction log is brought to the store too."""
    next_due: orm.Mapped[Moment]
    backup_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """What its last run makes, until that is over."""
    last_run: orm.Mapped[Moment | None]
    last_fault: orm.Mapped[Text | None]
    """Why its last turn made nothing; None: it did."""
    faults: orm.Mapped[int] = orm.mapped_column(default=0, server_default="0")
    """How many of its backups have failed since the last that did not."""
    verify: orm.Mapped[int] = orm.mapped_column(default=0, server_default="0")
    """How many backups of a week are verified (``model.verifications``)."""
    verify_rows: orm.Mapped[bool] = orm.mapped_column(default=False, server_default="0")
    """Whether the rows of tables are hashed, for a verification to compare them."""
    verified_last: orm.Mapped[Moment | None]
    """When the last backup was begun that was chosen for it."""
    updated: orm.Mapped[Moment]
