# SPDX-License-Identifier: Apache-2.0
"""The events that nobody has been told of yet, claimed for a while by one who tells.

Told at least once: whoever dies between telling and saying so lets his claim end, and
another tells it again, under the same id.
"""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.session import now
from trove.db.tables import Datastore, DatastoreVersion, Event, Instance

CLAIM = 60.0
"""Seconds for which a claim holds."""


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """An event, with the instance it is of (also a deleted one), if there is one."""

    object_id: str
    seq: int
    kind: str
    payload: dict[str, typing.Any]
    request_id: str | None
    at: float
    instance: Instance | None
    datastore: str | None
    version: str | None


def claim(tx: orm.Session, limit: int, within: float) -> list[News]:
    """The oldest that are nobody's; those older than ``within`` seconds are no news."""
    moment = now(tx)
    waiting = [
        Event.sent.is_(False),
        sa.or_(Event.claimed.is_(None), Event.claimed < moment),
    ]
    tx.execute(
        sa.update(Event)
        .where(Event.sent.is_(False), Event.at < moment - within)
        .values(sent=True)
        .execution_options(synchronize_session=False)
    )
    # on SQLite, where nobody skips, a transaction that writes is alone
    found = tx.execute(
        sa.select(Event.object_id, Event.seq)
        .where(*waiting)
        .order_by(Event.at, Event.object_id, Event.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    ours = [(object_id, seq) for object_id, seq in found]
    _settle(tx, ours, claimed=moment + CLAIM)
    return _shown(tx, ours)


def _shown(tx: orm.Session, ours: list[tuple[str, int]]) -> list[News]:
    if not ours:
        return []
    keys = sa.tuple_(Event.object_id, Event.seq).in_(ours)
    rows = tx.execute(
        sa.select(Event, Instance, Datastore.name, DatastoreVersion.name)
        .outerjoin(Instance, Instance.id == Event.object_id)
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Instance.version_id)
        .outerjoin(Datastore, Datastore.id == DatastoreVersion.datastore_id)
        .where(keys)
        .order_by(Event.at, Event.object_id, Event.seq)
    ).all()
    return [
        News(
            event.object_id,
            event.seq,
            event.kind,
            event.payload or {},
            event.request_id,
            event.at,
            instance,
            datastore,
            version,
        )
        for event, instance, datastore, version in rows
    ]


def told(tx: orm.Session, news: typing.Sequence[News]) -> None:
    """They are not told again."""
    _settle(tx, [(one.object_id, one.seq) for one in news], sent=True)


def let_go(tx: orm.Session, news: typing.Sequence[News]) -> None:
    """They were not told: whoever looks next may."""
    _settle(tx, [(one.object_id, one.seq) for one in news], claimed=None)


def _settle(tx: orm.Session, keys: list[tuple[str, int]], **values: typing.Any) -> None:
    if keys:
        tx.execute(
            sa.update(Event)
            .where(sa.tuple_(Event.object_id, Event.seq).in_(keys))
            .values(**values)
            .execution_options(synchronize_session=False)
        )
