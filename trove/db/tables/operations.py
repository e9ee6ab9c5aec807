# SPDX-License-Identifier: Apache-2.0
"""The journal: operations, their steps, the things outside, guests' jobs, events."""

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
from trove.db.types import Sealed


class Operation(Record):
    """A long piece of work, carried by whichever worker holds its lease."""

    __tablename__ = "operations"
    __table_args__ = (
        # an Idempotency-Key counts within a project
        sa.UniqueConstraint("project", "client_token", name="uq_operations_token"),
        # at most one live operation on an object (INV-7): NULL when it is over
        sa.UniqueConstraint("lock_key", name="uq_operations_lock"),
        # what a worker may claim
        sa.Index("ix_operations_state_due", "state", "due"),
        sa.Index("ix_operations_object", "object_type", "object_id"),
        sa.Index("ix_operations_after", "after"),
        # a project's own, newest first
        sa.Index("ix_operations_project_created_id", "project", "created", "id"),
        TABLE,
    )

    id: orm.Mapped[Key]
    project: orm.Mapped[Name]
    object_type: orm.Mapped[Word]
    object_id: orm.Mapped[Id]
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    version: orm.Mapped[int] = orm.mapped_column(default=1)
    input: orm.Mapped[typing.Any | None] = orm.mapped_column(Sealed())
    """Sealed, and wiped when the operation ends: it may hold passwords."""
    user: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    """Who asked."""
    request_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    client_token: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    body_hash: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    """As releases before 0011 wrote it; nobody does now."""
    sealed_hash: orm.Mapped[typing.Any | None] = orm.mapped_column(Sealed())
    """Of the body that the token came with. There may be a password in it, which a
    bare hash lets anybody guess at who has the database."""
    lock_key: orm.Mapped[str | None] = orm.mapped_column(sa.String(96))
    after: orm.Mapped[str | None] = orm.mapped_column(sa.String(36))
    """The live operation this one is queued behind; it gets the lock when that ends."""
    state: orm.Mapped[Word]
    cancel: orm.Mapped[bool] = orm.mapped_column(default=False)
    due: orm.Mapped[Moment]
    deadline: orm.Mapped[Moment]
    pivot_passed: orm.Mapped[bool] = orm.mapped_column(default=False)
    owner: orm.Mapped[str | None] = orm.mapped_column(sa.String(128))
    lease_until: orm.Mapped[Moment | None]
    fence: orm.Mapped[int] = orm.mapped_column(default=0)
    attempts: orm.Mapped[int] = orm.mapped_column(default=0)
    """Failed tries of the present step, for the back-off."""
    fault: orm.Mapped[Text | None]
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]


class OperationStep(Record):
    """One step of an operation. ``begun_at`` counts for its ``within``."""

    __tablename__ = "operation_steps"

    operation_id: orm.Mapped[Key]
    name: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    seq: orm.Mapped[int]
    state: orm.Mapped[Word]
    begun_at: orm.Mapped[Moment]
    attempt: orm.Mapped[int] = orm.mapped_column(default=0)
    output: orm.Mapped[Document | None]
    fault: orm.Mapped[Text | None]


class CloudThing(Record):
    """The intent ledger: everything outside, written down before it is made."""

    __tablename__ = "cloud_things"
    __table_args__ = (
        sa.Index("ix_cloud_things_owner", "owner"),
        sa.Index("ix_cloud_things_external_id", "external_id"),
        TABLE,
    )

    key: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    kind: orm.Mapped[Word]
    """server, port, volume, group, user (of the broker), record."""
    region: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    external_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(128))
    owner: orm.Mapped[Id]
    """The instance (or other object) it belongs to."""
    operation_id: orm.Mapped[Id]
    data_bearing: orm.Mapped[bool] = orm.mapped_column(default=False)
    state: orm.Mapped[Word]
    posted_at: orm.Mapped[Moment | None]
    """When a request to make it was last sent: an answer may have been lost."""
    created: orm.Mapped[Moment]
    updated: orm.Mapped[Moment]


class GuestJob(Record):
    """A guest's long work, as the control plane knows it. Its id is operation/step."""

    __tablename__ = "guest_jobs"
    __table_args__ = (sa.Index("ix_guest_jobs_instance", "instance_id"), TABLE)

    id: orm.Mapped[str] = orm.mapped_column(sa.String(128), primary_key=True)
    instance_id: orm.Mapped[Id]
    method: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    state: orm.Mapped[Word]
    progress: orm.Mapped[int] = orm.mapped_column(default=0)
    result: orm.Mapped[Document | None]
    fault: orm.Mapped[Text | None]
    sent_at: orm.Mapped[Moment | None]
    deadline: orm.Mapped[Moment | None]
    updated: orm.Mapped[Moment]


class Event(Record):
    """What happened to an object, gapless per object: history and outbox."""

    __tablename__ = "events"
    __table_args__ = (sa.Index("ix_events_sent", "sent"), TABLE)

    object_id: orm.Mapped[Key]
    seq: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    payload: orm.Mapped[Document | None]
    request_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    at: orm.Mapped[Moment]
    sent: orm.Mapped[bool] = orm.mapped_column(default=False)
    """Whether it was told to who listens to notifications."""
    claimed: orm.Mapped[Moment | None]
    """Until when somebody is about to tell it."""
