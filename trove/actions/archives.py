# SPDX-License-Identifier: Apache-2.0
"""Archives, as an instance's owner and an operator see them: how far, and why not."""

import typing

from trove.actions.services import Services
from trove.db.queries import archives, instances
from trove.db.session import now
from trove.db.tables import Archive
from trove.model.archives import ArchiveState, Span

MOST = 100
"""That are shown, the newest ones."""
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


def _shown(row: Archive, span: Span | None, moment: float) -> Shown:
    if row.state != ArchiveState.OPEN:
        return Shown(row, span, None, None, row.reason)
    since = row.created if row.latest is None else row.latest
    unheard = row.reported_at is None and moment - row.created > UNHEARD
    return Shown(
        row,
        span,
        max(0.0, moment - since),
        (row.report or {}).get("waiting"),
        TOO_OLD if unheard else None,
    )
