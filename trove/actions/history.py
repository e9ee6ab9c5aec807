# SPDX-License-Identifier: Apache-2.0
"""What was asked of a project's instances, how far it is, and what happened to each.

A project sees its operations without their input, which is sealed, and without which
process carries them.
"""

import dataclasses
import typing

from trove import errors
from trove.actions.services import Services
from trove.db.queries import instances, operations
from trove.db.queries.operations import Shown

DIGITS = 9
"""Of an event's number."""

Row = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Whole:
    """An operation with its steps, and the job that its guest does for it, if any."""

    shown: Shown
    job: Row | None


def page(
    services: Services,
    project: str,
    *,
    instance: str | None,
    limit: int,
    marker: str | None,
) -> tuple[list[Row], str | None]:
    """A project's operations, newest first; the marker is an operation's id."""
    with services.database.reading() as tx:
        found = operations.of_project(
            tx, project, object_id=instance, limit=limit + 1, after=marker
        )
    following = found[limit - 1]["id"] if len(found) > limit else None
    return found[:limit], following


def show(services: Services, id: str, project: str | None) -> Whole:
    """``project`` None: whoever's it is. Raises ``OperationNotFound``."""
    with services.database.reading() as tx:
        shown = operations.show(tx, id)
        if project is not None and shown.operation["project"] != project:
            raise errors.OperationNotFound(id=id)
        return Whole(shown, operations.job(tx, id))


def events(
    services: Services, id: str, project: str | None, limit: int, marker: str | None
) -> tuple[list[Row], str | None]:
    """What happened to an instance, in order; the marker is an event's number."""
    after = _number(marker)
    with services.database.reading() as tx:
        instances.seen(tx, id, project, deleted=None)  # one that is gone has a past
        found = operations.events(tx, id, limit=limit + 1, after=after)
    following = str(found[limit - 1]["seq"]) if len(found) > limit else None
    return found[:limit], following


def _number(marker: str | None) -> int:
    if marker is None:
        return 0
    if not (marker.isascii() and marker.isdigit()) or len(marker) > DIGITS:
        raise errors.Invalid("The marker must be an event's number.")
    return int(marker)
