# SPDX-License-Identifier: Apache-2.0
"""What is done while a user waits: written down first, and once for a key."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import TABLE, Document, Id, Key, Moment, Name, Record, Word
from trove.db.types import Sealed


class Deed(Record):
    """A change that a guest is asked for, written down before it is asked."""

    __tablename__ = "deeds"
    __table_args__ = (
        # what is swept: those without an end, and those that are old
        sa.Index("ix_deeds_state_at", "state", "at"),
        TABLE,
    )

    id: orm.Mapped[Key]
    instance_id: orm.Mapped[Id]
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(48))
    """The event's, when it is done."""
    payload: orm.Mapped[Document]
    request_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    state: orm.Mapped[Word]
    """asked, done, refused, unknown."""
    doubtful: orm.Mapped[bool] = orm.mapped_column(default=False)
    """Whether it was asked more than once, and nobody knows what became of the first:
    a refusal then says nothing."""
    at: orm.Mapped[Moment]
    """When it was asked last."""


class ClientToken(Record):
    """An Idempotency-Key: what it was sent with, and what was done for it so far."""

    __tablename__ = "client_tokens"
    __table_args__ = (sa.Index("ix_client_tokens_created", "created"), TABLE)

    project: orm.Mapped[Name] = orm.mapped_column(primary_key=True)
    client_token: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    body_hash: orm.Mapped[typing.Any] = orm.mapped_column(Sealed())
    """Sealed: who guesses a password in the body must not find it confirmed here."""
    answers: orm.Mapped[typing.Any] = orm.mapped_column(Sealed())
    """What each transaction of the request answered, in their order."""
    over: orm.Mapped[bool] = orm.mapped_column(default=False)
    created: orm.Mapped[Moment]
