# SPDX-License-Identifier: Apache-2.0
"""A data volume that outlives its instance: kept, found again, let go."""

import typing

from trove.cloud.protocol import Refused
from trove.db.queries import snapshots
from trove.db.tables import CloudThing
from trove.flows import things
from trove.flows.context import StepContext
from trove.model.states import ThingState
from trove.workflow.flow import Wait


def keep(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """Every volume of the instance is marked as retained. ``kept`` is the id of its
    own and ``size`` what it has (GiB), which a delete may have come to change; neither
    where none is there any more."""
    wait = things.no_volume(ctx, keep=True)
    if wait is not None:
        return wait
    row = _row(ctx)
    found = ctx.cloud.volumes.show(str(row.external_id)) if row is not None else None
    if found is not None and found.status == "extending":
        return ctx.again(f"volume {found.id} is extending")
    return {} if found is None else {"kept": found.id, "size": found.size}


def stands(ctx: StepContext) -> bool:
    """Whether there are backups that are snapshots of it."""
    with ctx.claim.database.reading() as tx:
        return snapshots.stands(tx, ctx.object_id)


def taken_up(ctx: StepContext) -> str | Wait:
    """The id of the volume that was kept: an instance's again, and available.

    None is ever made in its place.
    """
    row, volumes = _row(ctx), ctx.cloud.volumes
    if row is None:
        raise Refused("no data volume of the instance was kept")
    id = str(row.external_id)
    found = volumes.show(id)
    if found is None or found.status == "error":
        raise Refused(f"the data volume {id} is not there any more, or is broken")
    if found.status != "available":
        return ctx.soon(f"volume {id} is {found.status}")
    ctx.claim.guard(ctx.settings.call_timeout)
    volumes.resume(id)
    return ctx.ensure("volume", row.key, lambda key: [found], _never, data_bearing=True)


def _row(ctx: StepContext) -> CloudThing | None:
    """What is written down of the instance's own volume; None: it is gone."""
    for attempt in range(things.TRIES):
        row = ctx.ledger.row(ctx.key(things.VOLUME, attempt))
        if row is not None and row.state != ThingState.GONE:
            return row
    return None


def _never(key: str) -> typing.NoReturn:
    raise Refused(f"{key} is not made anew")
