# SPDX-License-Identifier: Apache-2.0
"""Instances of every project, as an administrator sees them (contract, section 17).

A list is the database's alone, deleted instances and all; who looks at one is told what
the cloud says of it now, as far as it answers.
"""

import dataclasses
import logging
import typing

from trove import errors
from trove.actions.services import Services
from trove.cloud import protocol
from trove.context import Context
from trove.db.queries import instances, root
from trove.db.queries.instances import Seen
from trove.db.tables import RootDeed

LOG = logging.getLogger(__name__)

DIGITS = 9
"""Of an offset: a longer one is no page that anybody has seen."""


@dataclasses.dataclass(frozen=True, slots=True)
class Whole:
    """One instance. ``server`` and ``volume`` are None where there is none, or where
    the cloud did not answer (``silent``)."""

    seen: Seen
    server: protocol.Server | None
    volume: protocol.Volume | None
    silent: bool
    root: bool
    enabling: RootDeed | None


def page(
    services: Services,
    *,
    deleted: bool | None,
    project: str | None,
    limit: int,
    marker: str | None,
) -> tuple[list[Seen], str | None]:
    """Last changed first. A marker is an offset; so is the answer's, of the next."""
    offset = _offset(marker)
    with services.database.reading() as tx:
        found = instances.managed(
            tx, project=project, deleted=deleted, limit=limit + 1, offset=offset
        )
    return found[:limit], str(offset + limit) if len(found) > limit else None


def show(services: Services, id: str, deleted: bool = False) -> Whole:
    """One by id; ``deleted``: even if it is. Raises ``InstanceNotFound``."""
    with services.database.reading() as tx:
        seen = instances.seen(tx, id, deleted=None if deleted else False)
        enabled, enabling = root.enabled(tx, id), root.enabling(tx, id)
    row, silent = seen.instance, False
    server: protocol.Server | None = None
    volume: protocol.Volume | None = None
    try:
        if row.server_id:
            server = services.cloud.compute.show(row.server_id)
        if row.volume_id:
            volume = services.cloud.volumes.show(row.volume_id)
    except errors.Upstream:
        LOG.warning("instance %s: the cloud does not tell of it", id, exc_info=True)
        silent = True
    return Whole(seen, server, volume, silent, enabled, enabling)


def ping(services: Services, context: Context, id: str) -> None:
    """Raises ``GuestSilent`` for one that does not answer."""
    _guest(services, context, id).ping()


def machine(services: Services, context: Context, id: str) -> dict[str, typing.Any]:
    """What a guest says of its machine and its agent (``rpc.guest.Guest.machine``)."""
    found: dict[str, typing.Any] = _guest(services, context, id).machine()
    return found


def _guest(services: Services, context: Context, id: str) -> typing.Any:
    with services.database.reading() as tx:
        instances.load(tx, id)
    return services.guest(id, context)


def _offset(marker: str | None) -> int:
    if marker is None:
        return 0
    if not (marker.isascii() and marker.isdigit()) or len(marker) > DIGITS:
        raise errors.Invalid("The marker must be a number of instances to leave out.")
    return int(marker)
