# SPDX-License-Identifier: Apache-2.0
"""Changes that guests are asked for: written down, ended, asked again, swept."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import epoch_now, now
from trove.db.tables import Deed

ASKED, DONE, REFUSED, UNKNOWN = "asked", "done", "refused", "unknown"

BOUND = 65.0
"""Seconds after which nobody waits any more for a guest that was asked."""

LATE = 150.0
"""Seconds after which what has no end gets one: unknown."""


def write(
    tx: orm.Session,
    id: str,
    instance: str,
    kind: str,
    payload: dict[str, typing.Any],
    request_id: str | None,
) -> None:
    """It is about to be asked."""
    tx.add(
        Deed(
            id=id,
            instance_id=instance,
            kind=kind,
            payload=payload,
            request_id=request_id,
            state=ASKED,
            doubtful=False,
            at=now(tx),
        )
    )


def reopen(tx: orm.Session, id: str) -> Deed:
    """It is asked for once more, unless it is done.

    Raises ``errors.Underway`` while who asked first may still be waiting.
    """
    row: Deed = tx.scalars(sa.select(Deed).where(Deed.id == id).with_for_update()).one()
    moment = now(tx)
    if row.state == ASKED and moment < row.at + BOUND:
        raise errors.Underway()
    if row.state != DONE:
        row.doubtful = row.doubtful or row.state != REFUSED
        row.state, row.at = ASKED, moment
    return row


def end(tx: orm.Session, id: str, state: str) -> Deed | None:
    """What became of it; None when that is known already.

    The refusal of one that was asked more than once leaves it unknown.
    """
    row = tx.scalars(sa.select(Deed).where(Deed.id == id).with_for_update()).one()
    if row.state == DONE:
        return None
    row.state = UNKNOWN if state == REFUSED and row.doubtful else state
    return row


def endless(tx: orm.Session, most: int) -> list[Deed]:
    """Those that were asked for long ago, and are unknown from now on."""
    late = (
        sa.select(Deed)
        .where(Deed.state == ASKED, Deed.at < epoch_now() - LATE)
        .order_by(Deed.at)
        .limit(most)
    )
    # another taskmanager waits here, and finds them ended
    found = list(tx.scalars(late.with_for_update()))
    for row in found:
        row.state = UNKNOWN
    return found


def forget(tx: orm.Session, before: float, most: int) -> int:
    """Those that were asked before a moment and have their end; how many."""
    old = list(
        tx.scalars(
            sa.select(Deed.id).where(Deed.state != ASKED, Deed.at < before).limit(most)
        )
    )
    tx.execute(
        sa.delete(Deed)
        .where(Deed.id.in_(old))
        .execution_options(synchronize_session=False)
    )
    return len(old)
