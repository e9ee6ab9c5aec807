# SPDX-License-Identifier: Apache-2.0
"""The history of an instance's user root: write a deed down, settle it, read it."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.context import Context
from trove.db.session import epoch_now
from trove.db.tables import RootDeed

ENABLE, DISABLE = "enable", "disable"
ASKED, DONE, REFUSED = "asked", "done", "refused"


def write(tx: orm.Session, instance: str, deed: str, context: Context) -> int:
    """Who asks for what, before it is done; its number.

    Two at once give themselves one number, and ``Database.run`` tries the loser again.
    """
    last = tx.scalar(
        sa.select(sa.func.max(RootDeed.seq)).where(RootDeed.instance_id == instance)
    )
    seq = (last or 0) + 1
    tx.execute(
        sa.insert(RootDeed).values(
            instance_id=instance,
            seq=seq,
            deed=deed,
            state=ASKED,
            user=context.user or "",
            project=context.project or "",
            request_id=context.request_id,
            at=epoch_now(),
        )
    )
    return seq


def inherit(tx: orm.Session, instance: str, context: Context) -> None:
    """An instance whose data came from one in which somebody may be root."""
    if not enabled(tx, instance):
        settle(tx, instance, write(tx, instance, ENABLE, context), DONE)


def settle(tx: orm.Session, instance: str, seq: int, state: str) -> None:
    """What became of it."""
    tx.execute(
        sa.update(RootDeed)
        .where(RootDeed.instance_id == instance, RootDeed.seq == seq)
        .values(state=state)
    )


def enabled(tx: orm.Session, instance: str) -> bool:
    """Whether somebody may be root. In doubt yes: an answer that was lost was perhaps
    the answer to an enabling, and perhaps none to a disabling."""
    counts = sa.or_(
        sa.and_(RootDeed.deed == ENABLE, RootDeed.state != REFUSED),
        sa.and_(RootDeed.deed == DISABLE, RootDeed.state == DONE),
    )
    return bool(tx.scalar(_latest(RootDeed.deed, instance, counts)) == ENABLE)


def enabling(tx: orm.Session, instance: str) -> RootDeed | None:
    """The last time that somebody was made root, if ever."""
    was = sa.and_(RootDeed.deed == ENABLE, RootDeed.state != REFUSED)
    found: RootDeed | None = tx.scalar(_latest(RootDeed, instance, was))
    return found


def _latest(
    what: typing.Any, instance: str, where: sa.ColumnElement[bool]
) -> sa.Select[typing.Any]:
    return (
        sa.select(what)
        .where(RootDeed.instance_id == instance, where)
        .order_by(RootDeed.seq.desc())
        .limit(1)
    )
