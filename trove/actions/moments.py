# SPDX-License-Identifier: Apache-2.0
"""A moment of an instance, as what a new one is made of: a backup, and the log after.

It is looked at twice, as a backup is (``actions.restores``): before the cloud is asked
for anything, and held, in the transaction that makes the instance. What is held is the
backup: as long as one is restored it stays, and with it all of the log behind it.
"""

import dataclasses
import datetime
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions.orders import Order, RestorePoint
from trove.actions.services import Services
from trove.datastores import registry
from trove.datastores.spec import Datastore
from trove.db.queries import archives, instances
from trove.db.session import now
from trove.db.tables import Archive, DatastoreVersion
from trove.model import archives as model
from trove.model.archives import ArchiveState, Span
from trove.model.operations import Replay

SHOWN = 5
"""Ranges that a refusal names, at the most; the newest ones."""


class NoMoment(errors.Invalid):
    """A time that is in no archive."""

    sentence = "Instance {id} cannot be restored to {said}: {why}"


def chosen(
    services: Services, order: Order, project: str | None
) -> tuple[Order, Replay | None]:
    """The same order, with the backup that it begins at, and what is replayed after it.

    Raises ``InstanceNotFound``, ``NotSupported``, and ``Invalid`` for a moment that
    cannot be restored. The instance may be deleted by now.
    """
    wish = order.restore_point
    if wish is None:
        return order, None
    with services.database.reading() as tx:
        seen = instances.seen(tx, wish.instance, project, deleted=None)
        span = _span(tx, wish, seen.restorable)
        archive = typing.cast(Archive, archives.get(tx, span.archive))
        _refuse_unable(tx, wish, archive)
        base = model.base(archives.bases(tx, archive.id), wish.time)
    if base is None:  # it was deleted a moment ago
        raise _unable(wish, "the backup that it would begin at is gone.")
    replay = Replay(archive.id, wish.time, wish.point)
    return dataclasses.replace(order, restore=base.id), replay


def hold(tx: orm.Session, order: Order, replay: Replay | None) -> None:
    """Nothing of what it needs goes before the transaction ends; nor after it, for as
    long as the instance is made of the backup."""
    if replay is None:
        return
    row = archives.hold(tx, replay.archive)
    bases = archives.bases(tx, replay.archive)
    kept = row is not None and row.state != ArchiveState.DELETING
    if not kept or order.restore not in [base.id for base in bases]:
        wish = typing.cast(RestorePoint, order.restore_point)
        raise _unable(wish, "what it would be made of is gone.")


def _span(tx: orm.Session, wish: RestorePoint, spans: tuple[Span, ...]) -> Span:
    """The range that it is in; the last one, for a point that has a name."""
    if not spans:
        raise _unable(
            wish,
            "there is no backup of it whose transaction log is kept (its backup_policy "
            "says whether it is to be).",
        )
    if wish.time is None:
        return spans[-1]
    found = [span for span in spans if span.has(wish.time)]
    if found:
        return found[-1]
    raise _unable(
        wish, f"{_why(tx, wish.time, spans)} It can be to a time {_told(spans)}."
    )


def _why(tx: orm.Session, time: float, spans: tuple[Span, ...]) -> str:
    if time > now(tx):
        return "that is in the future."
    if time > spans[-1].end:
        return "what was committed until then is not in the store yet."
    if time < spans[0].begin:
        return "that is before the first backup that is kept with its log."
    return "that is in a gap of its log."


def _told(spans: tuple[Span, ...]) -> str:
    whole = [span.seconds for span in spans[-SHOWN:]]
    return ", or ".join(
        f"from {_shown(one.begin)} until {_shown(one.end)}" for one in whole if one
    )


def _refuse_unable(tx: orm.Session, wish: RestorePoint, archive: Archive) -> None:
    """Raises for what its datastore cannot do."""
    version = tx.get_one(DatastoreVersion, archive.version_id)
    spec: Datastore = registry.get(version.manager)
    if wish.point is not None and not spec.can.restore_to_point:
        raise errors.Invalid(
            f"A log of {spec.name} has no points with names: a restorePoint needs a "
            "time."
        )
    fraction = wish.time is not None and wish.time % 1
    if fraction and not spec.can.restore_within_a_second:
        raise errors.Invalid(
            f"{spec.name} is restored to whole seconds: leave the fraction out."
        )


def _unable(wish: RestorePoint, why: str) -> NoMoment:
    said = wish.point if wish.time is None else _shown(wish.time)
    return NoMoment(id=wish.instance, said=said, why=why)


def _shown(moment: float) -> str:
    """As a request says it."""
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return at.isoformat(timespec="auto").replace("+00:00", "Z")
