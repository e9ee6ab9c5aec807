# SPDX-License-Identifier: Apache-2.0
"""Archives of an instance's transaction log: what can be restored, and where the gaps
are. Ours alone."""

import typing

from trove.actions import archives
from trove.actions.archives import Shown
from trove.api.dates import shown
from trove.api.resource import Ask, Op, Plain, Resource
from trove.api.resources.instanceviews import ranges


def page(ask: Ask) -> list[Shown]:
    return archives.page(ask.services, ask.ids["id"], ask.project)


def view(ask: Ask, found: typing.Any) -> Plain:
    """``stored`` and ``waiting`` in bytes, ``lag`` in seconds."""
    row = found.row
    said = ranges([found.span] if found.span else [])
    lag = None if found.lag is None else round(found.lag)
    return {
        "id": row.id,
        "status": row.state,
        "created": shown(row.created),
        "ended": shown(row.closed_at),
        "gap": row.gap,
        "message": found.fault,
        "earliest_restorable_time": said[0]["from"] if said else None,
        "latest_restorable_time": said[0]["until"] if said else None,
        "lag": lag,
        "waiting": found.waiting,
        "stored": row.stored,
        "heard": shown(row.reported_at),
    }


RESOURCES = (
    Resource(
        "archive",
        "archives",
        (
            Op(
                "GET",
                "",
                page,
                "instance:archives",
                view=view,
                many=True,
                said="List the archives of an instance's transaction log.",
            ),
        ),
        path="instances/{id}/archives",
    ),
)
