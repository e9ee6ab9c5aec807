# SPDX-License-Identifier: Apache-2.0
"""Certificates that users brought: which serves, which ends, and who was told.

The end of each is known from when it was brought; which of them serves is the guest's
word, for it alone has them.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.session import epoch_now, now
from trove.db.tables import BroughtCertificate as Brought
from trove.db.tables import Instance

DAY = 86400.0


class Ending(typing.NamedTuple):
    """A certificate in force that ends soon, or has ended."""

    instance: str
    fingerprint: str
    ends: float


def brought(tx: orm.Session, instance: str, fingerprint: str, ends: float) -> None:
    """It is known from now on. Brought again, what was told of it stays told."""
    dialects.insert_missing(
        tx,
        Brought,
        instance_id=instance,
        fingerprint=fingerprint,
        ends=ends,
        in_force=False,
    )


def in_force(tx: orm.Session, instance: str, fingerprint: str) -> None:
    """This one serves and no other; none of a user's, if it is not known."""
    tx.execute(
        sa.update(Brought)
        .where(Brought.instance_id == instance)
        .values(in_force=Brought.fingerprint == fingerprint)
        .execution_options(synchronize_session=False)
    )
    # Neither brought again nor returned to: it would only lie there
    tx.execute(
        sa.delete(Brought)
        .where(
            Brought.instance_id == instance,
            Brought.in_force.is_(False),
            Brought.ends < epoch_now(),
        )
        .execution_options(synchronize_session=False)
    )


def ending(tx: orm.Session, days: typing.Sequence[int], most: int) -> list[Ending]:
    """Whose owners are to be told: less than one of ``days`` is left, and that was not
    said yet. The first to end comes first."""
    left = Brought.ends - epoch_now()
    steps = [(left <= 0, 0), *((left < day * DAY, day) for day in sorted(days))]
    found = tx.execute(
        sa.select(Brought.instance_id, Brought.fingerprint, Brought.ends)
        .join(Instance, Instance.id == Brought.instance_id)
        .where(
            Instance.deleted_at.is_(None),
            Brought.in_force.is_(True),
            Brought.ends < epoch_now() + max(days, default=0) * DAY,
            _untold(sa.case(*steps)),
        )
        .order_by(Brought.ends)
        .limit(most)
    )
    return [Ending(*row) for row in found]


def told(tx: orm.Session, one: Ending, days: typing.Sequence[int]) -> float | None:
    """Its owner is told in this transaction how many seconds are left; None: somebody
    else has told it, or it serves no more."""
    left = one.ends - now(tx)
    near = [day for day in days if left < day * DAY]
    if left > 0 and not near:
        return None  # the clock was put back
    due = min(near) if left > 0 else 0
    mine = (
        sa.update(Brought)
        .where(
            Brought.instance_id == one.instance,
            Brought.fingerprint == one.fingerprint,
            Brought.in_force.is_(True),
            _untold(due),
        )
        .values(told=due)
        .execution_options(synchronize_session=False)
    )
    return left if dialects.matched(tx.execute(mine)) else None


def forget(tx: orm.Session, instance: str) -> None:
    """An instance is gone, and what was brought for it with it."""
    tx.execute(
        sa.delete(Brought)
        .where(Brought.instance_id == instance)
        .execution_options(synchronize_session=False)
    )


def _untold(due: typing.Any) -> sa.ColumnElement[bool]:
    """They go down: after a week nobody is told of a month."""
    return sa.or_(Brought.told.is_(None), Brought.told > due)
