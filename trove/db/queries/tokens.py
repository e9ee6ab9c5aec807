# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Keys: held by one transaction at a time, and forgotten after a while."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import now
from trove.db.tables import ClientToken


def look(
    tx: orm.Session, project: str, key: str, hash: str, hold: bool = False
) -> ClientToken | None:
    """What was done for a key; ``errors.IdempotencyMismatch`` if it was for another
    request. ``hold``: nobody else touches it until the transaction ends."""
    statement = sa.select(ClientToken).where(
        ClientToken.project == project, ClientToken.client_token == key
    )
    found = tx.scalar(statement.with_for_update() if hold else statement)
    if found is not None and found.body_hash != hash:
        raise errors.IdempotencyMismatch()
    return found


def hold(tx: orm.Session, project: str, key: str, hash: str) -> ClientToken:
    """The same; one that is new is made, and no twin's transaction can go on."""
    found = look(tx, project, key, hash, hold=True)
    if found is None:
        found = ClientToken(
            project=project,
            client_token=key,
            body_hash=hash,
            answers=[],
            over=False,
            created=now(tx),
        )
        tx.add(found)
        tx.flush()  # the twin waits here, and then finds this one
    return found


def forget(tx: orm.Session, before: float, most: int) -> int:
    """Those that were used first before a moment; how many."""
    old = tx.execute(
        sa.select(ClientToken.project, ClientToken.client_token)
        .where(ClientToken.created < before)
        .limit(most)
    ).all()
    if old:
        keys = sa.tuple_(ClientToken.project, ClientToken.client_token)
        tx.execute(sa.delete(ClientToken).where(keys.in_([tuple(row) for row in old])))
    return len(old)


def note(row: ClientToken, answer: typing.Any) -> None:
    """One transaction more was done."""
    row.answers = [*row.answers, answer]
