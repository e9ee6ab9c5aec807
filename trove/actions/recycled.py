# SPDX-License-Identifier: Apache-2.0
"""The recycle bin: looked at, emptied; and instances that come back from it.

Whoever acts for a user passes ``project``: what is another's is not found.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.actions import begin, nics, offers
from trove.actions.begin import Token
from trove.actions.instances import free_number
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import configurations, datastores, instances, quotas, recycled
from trove.db.queries import modules as modulerows
from trove.db.queries.instances import Seen
from trove.db.queries.recycled import Recycled
from trove.db.session import now
from trove.db.tables import Instance, Module
from trove.model import operations
from trove.model import quotas as costs

# -- looking ------------------------------------------------------------------------


def show(services: Services, id: str, project: str | None) -> Recycled:
    """One of the bin."""
    with services.database.reading() as tx:
        return recycled.shown(tx, id, project)


def page(
    services: Services, owner: str, limit: int, marker: str | None
) -> tuple[list[Recycled], str | None]:
    """A page in the order of ids; and the next one's marker."""
    with services.database.reading() as tx:
        found = recycled.page(tx, owner, limit + 1, marker)
    following = found[limit - 1].instance.id if len(found) > limit else None
    return found[:limit], following


# -- back ---------------------------------------------------------------------------


def undelete(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    token: Token | None = None,
) -> Seen:
    """Out of the bin, by its id: BUILDING, on a new server, over the volume it had."""
    if begin.earlier(services, context.project or "", token) is None:
        _accepted(services, context, id, project, token)
    with services.database.reading() as tx:
        # a replay may come when the instance is gone again
        return instances.seen(tx, id, project, deleted=None)


def _accepted(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    token: Token | None,
) -> None:
    with services.database.reading() as tx:
        row = recycled.shown(tx, id, project).instance
        _, version = datastores.version_by_id(tx, row.version_id, inactive=True)
    flavor = offers.flavor(services, version, row.flavor_id)
    input = operations.CreateInstance(
        image=services.images.image(version),
        datastore=version.manager,
        version=version.number,
        vcpus=flavor.vcpus,
        cost={},  # it is used from the first moment: there are data
        kept=True,
    )

    def work(tx: orm.Session) -> tuple[str, str]:
        found = _held(tx, id, project)
        row = found.instance
        datastores.hold(tx, row.version_id)
        nics.refuse_lent(tx, row.nic)
        cost = costs.cost_of_instance(row.ram, row.volume_size)
        quotas.reserve(tx, row.project, cost, dict(services.settings.quotas))
        quotas.settle(tx, row.project, cost)
        modules = _modules(tx, found.row.modules)
        recycled.revive(tx, id, **_columns(tx, row))
        modulerows.ask(tx, id, modules)
        kind, plain = operations.UNDELETE, input.to_dict()
        return begin.open(tx, context, kind, row.project, id, plain, token), id

    begin.begin(services, context, context.project or "", token, work)


def _held(tx: orm.Session, id: str, project: str | None) -> Recycled:
    """One of the bin that nothing is done to."""
    found = recycled.shown(tx, id, project)
    if found.live is not None:
        raise errors.InstanceBusy(instance=id, task=found.live)
    return found


def _columns(tx: orm.Session, row: Instance) -> dict[str, typing.Any]:
    """What of its row cannot be as it was, for somebody may have it by now."""
    group: str | None = row.configuration_id
    if group is not None:
        try:
            configurations.hold(tx, group, row.project)
        except errors.ConfigurationNotFound:
            group = None
    return {
        "port_id": nics.port_of(row.nic),
        "configuration_id": group,
        "server_number": free_number(tx, row.server_number),
        # a delete may have come in the middle of something
        "volume_target": None,
        "ram_target": None,
        "fault": None,
        "restart_required": False,
    }


def _modules(tx: orm.Session, had: list[str]) -> list[str]:
    """Those of them that there still are."""
    there = sa.select(Module.id).where(Module.id.in_(had), Module.deleted_at.is_(None))
    return list(tx.scalars(there.order_by(Module.id)))


# -- gone ---------------------------------------------------------------------------


def reclaim(services: Services, context: Context, id: str, project: str | None) -> None:
    """Its volume goes now. Twice is once."""

    def work(tx: orm.Session) -> tuple[str, str] | None:
        found = recycled.shown(tx, id, project)
        if found.live == operations.RECLAIM:
            return None
        return _reclaim(tx, context, _held(tx, id, project)), id

    begin.begin(services, context, context.project or "", None, work)


def take_turn(tx: orm.Session, id: str) -> str | None:
    """The operation that ends one whose time is over; None: there is nothing to do."""
    try:
        found = recycled.shown(tx, id)
    except errors.NotRecycled:
        return None
    if found.live is not None or found.row.reclaim_at > now(tx):
        return None
    return _reclaim(tx, Context(project=found.instance.project), found)


def _reclaim(tx: orm.Session, context: Context, found: Recycled) -> str:
    row = found.instance
    return begin.open(tx, context, operations.RECLAIM, row.project, row.id, None)
