# SPDX-License-Identifier: Apache-2.0
"""Archives, as an instance's owner and an operator see them: how far, and why not."""

import enum
import typing

from sqlalchemy import orm

from trove.actions.services import Services
from trove.datastores import registry
from trove.db.queries import archives, instances, lags
from trove.db.session import Database, now
from trove.db.tables import Archive
from trove.model.archives import ArchiveState, Span
from trove.model.states import Task

MOST = 100
"""That are shown, the newest ones."""
EACH = 500
"""Instances of which an operator's list is made at a time."""
UNHEARD = 600.0
"""Seconds without any word after which an agent is taken for an older release's."""
TOO_OLD = (
    "The guest says nothing of its transaction log. Its agent may be of an older "
    "release: upgrade the instance to the newest image of its version."
)


class Shown(typing.NamedTuple):
    """One, and how it stands. ``lag`` is in seconds, of one that is open: by how much
    what can be restored is behind this moment, or would be with a backup in it."""

    row: Archive
    span: Span | None
    lag: float | None
    waiting: int | None
    """Bytes of log that are not in the store yet, by the guest's word."""
    fault: str | None


def page(services: Services, id: str, project: str | None) -> list[Shown]:
    """Those of an instance that are kept, the newest first; of one that is gone too."""
    with services.database.reading() as tx:
        seen = instances.seen(tx, id, project, deleted=None)
        rows = archives.of_instance(tx, id, project)[:MOST]
        moment = now(tx)
    spans = {span.archive: span for span in seen.restorable}
    return [_shown(row, spans.get(row.id), moment) for row in rows]


def unheard(tx: orm.Session, instance: str) -> bool:
    """Whether its guest never says anything of the log that it is to bring."""
    row = archives.open_of(tx, instance)
    return row is not None and _unheard(row, now(tx))


def _unheard(row: Archive, moment: float) -> bool:
    return row.reported_at is None and moment - row.created > UNHEARD


def _shown(row: Archive, span: Span | None, moment: float) -> Shown:
    if row.state != ArchiveState.OPEN:
        return Shown(row, span, None, None, row.reason)
    since = row.created if row.latest is None else row.latest
    return Shown(
        row,
        span,
        max(0.0, moment - since),
        (row.report or {}).get("waiting"),
        TOO_OLD if _unheard(row, moment) else None,
    )


# -- of all instances ----------------------------------------------------------------


class LogState(enum.StrEnum):
    """How the log of an instance stands."""

    FOLLOWED = "followed"
    """It is brought to the store."""
    BROKEN = "broken"
    """A piece of it is lost, or will be: the next archive has not begun yet."""
    WAITING = "waiting"
    """It is wanted, and has not begun."""


class Log(typing.NamedTuple):
    """The log of an instance. ``lag``: seconds that nobody could bring back now."""

    instance: str
    project: str
    state: LogState
    lag: float
    latest: float | None
    """Up to when it is in the store; None: nothing of it is."""
    waiting: int | None
    """Bytes of it that are not in the store yet, by the guest's word."""
    reported_at: float | None
    again: float | None
    """Of a broken one: before that moment no other archive begins."""
    fault: str | None


def logs(database: Database, project: str | None = None) -> list[Log]:
    """Those of all instances that have one or are to have one, of which most is not in
    the store first."""
    able = [name for name in registry.names() if registry.get(name).can.restore_to_time]
    found: list[Log] = []
    after: str | None = ""
    while after is not None:
        with database.reading() as tx:
            page = lags.page(tx, able, EACH, after=after, project=project)
            moment = now(tx)
        found += [_log(one, moment) for one in page]
        after = page[-1].instance.id if len(page) == EACH else None
    return sorted(found, key=lambda one: (-one.lag, one.instance))


def _log(one: lags.Standing, moment: float) -> Log:
    row = one.newest
    state, fault = _standing(one, moment)
    # with nothing in the store it is behind since it is wanted
    since = one.wanted or one.instance.created
    if row is not None:
        since = row.created if row.latest is None else row.latest
    followed = row is not None and row.state == ArchiveState.OPEN
    return Log(
        one.instance.id,
        one.instance.project,
        state,
        max(0.0, moment - since),
        None if row is None else row.latest,
        (row.report or {}).get("waiting") if row and followed else None,
        row.reported_at if row and followed else None,
        row.again if row and state == LogState.BROKEN else None,
        fault,
    )


def _standing(one: lags.Standing, moment: float) -> tuple[LogState, str | None]:
    row = one.newest
    if row is not None and row.state == ArchiveState.OPEN:
        broken = (row.report or {}).get("broken")
        if broken is not None:
            return LogState.BROKEN, f"The guest gave it up: {broken}"
        if row.missed_at is not None:
            return LogState.FOLLOWED, "The store lacks what the guest says it brought."
        return LogState.FOLLOWED, _shown(row, None, moment).fault
    if row is not None and row.gap:
        return LogState.BROKEN, row.reason
    if not one.instance.was_active or one.instance.task != Task.NONE:
        return LogState.WAITING, f"The instance is not at rest ({one.instance.task})."
    if not one.enrolled:
        return LogState.WAITING, "The guest has not enrolled."
    return LogState.WAITING, None if row is None else row.reason
