# SPDX-License-Identifier: Apache-2.0
"""Instances, and what is known of their guests."""

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


class Instance(Record):
    """A user's database instance. A deleted one keeps its row, with ``deleted_at``."""

    __tablename__ = "instances"
    __table_args__ = (
        # the two lists: a project's live instances in key order, and everybody's
        sa.Index("ix_instances_project_deleted_id", "project", "deleted_at", "id"),
        sa.Index("ix_instances_source", "source_id"),
        sa.Index("ix_instances_configuration", "configuration_id"),
        sa.Index("ix_instances_version", "version_id"),
        sa.Index("ix_instances_restored_from", "restored_from"),
        sa.Index("ix_instances_deleted_updated", "deleted_at", "updated"),
        # a user's port has one instance at most, whoever asks at the same moment
        sa.Index("uq_instances_port", "port_id", unique=True),
        TABLE,
    )

    id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    name: orm.Mapped[Name]
    task: orm.Mapped[Word]
    version_id: orm.Mapped[Id]
    flavor_id: orm.Mapped[Name]
    volume_size: orm.Mapped[int | None]
    volume_target: orm.Mapped[int | None]
    """What its volume is growing to; reserved beyond ``volume_size``, in GiB."""
    volume_type: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    region: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    availability_zone: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    nic: orm.Mapped[Document | None]
    """``{"network", "subnet"?, "address"?}`` as asked for; with a user's port also
    ``{"port", "virtual": [address]}``."""
    port_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    """The user's port whose addresses it has; freed when it owns nothing any more."""
    access: orm.Mapped[Document | None]
    """``{"is_public": bool, "allowed_cidrs": [..]}`` as stored."""
    addresses: orm.Mapped[list[dict[str, typing.Any]] | None] = orm.mapped_column(
        sa.JSON()
    )
    """``[{"address", "type", "network"?}]`` as the cloud gave them."""
    hostname: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    server_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    volume_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    configuration_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    source_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    locality: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    restart_required: orm.Mapped[bool] = orm.mapped_column(default=False)
    was_active: orm.Mapped[bool] = orm.mapped_column(default=False)
    """Once true, its data volume is never undone, only retained."""
    deletion_protection: orm.Mapped[bool] = orm.mapped_column(
        default=False, server_default="0"
    )
    """While true nobody deletes it, whoever asks."""
    restored_from: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """The backup that it was made of."""
    ram: orm.Mapped[int] = orm.mapped_column(default=0)
    """MiB, what it counts for in the quota."""
    ram_target: orm.Mapped[int | None]
    """While its flavor changes: the larger of the two, reserved beyond ``ram``."""
    vcpus: orm.Mapped[int | None]
    """The flavor's; unknown of instances that are older than this column."""
    server_number: orm.Mapped[int] = orm.mapped_column(sa.BigInteger())
    """Unique among live instances: the engines' server_id."""
    fault: orm.Mapped[Text | None]
    fault_at: orm.Mapped[Moment | None]
    fault_details: orm.Mapped[Text | None]
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]
    deleted_at: orm.Mapped[Moment | None]


class Guest(Record):
    """What an instance's agent told us when it enrolled."""

    __tablename__ = "guests"

    instance_id: orm.Mapped[Key]
    public_key: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    password_hash: orm.Mapped[str | None] = orm.mapped_column(sa.String(128))
    """RabbitMQ's salted hash, to know the same enrolment again; never a password."""
    enrolled_at: orm.Mapped[Moment | None]
    certificate_serial: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    certificate_expires: orm.Mapped[Moment | None]


class GuestReport(Record):
    """The last report of an instance's guest; an older one loses in the database."""

    __tablename__ = "guest_reports"

    instance_id: orm.Mapped[Key]
    boot: orm.Mapped[int] = orm.mapped_column(sa.BigInteger())
    seq: orm.Mapped[int] = orm.mapped_column(sa.BigInteger())
    received_at: orm.Mapped[Moment]
    changed_at: orm.Mapped[Moment]
    service: orm.Mapped[Word]
    why: orm.Mapped[Text | None]
    role: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    position: orm.Mapped[Text | None]
    version: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    agent: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    disk_used: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    disk_total: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
    rss: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger())
