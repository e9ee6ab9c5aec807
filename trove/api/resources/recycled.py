# SPDX-License-Identifier: Apache-2.0
"""The recycle bin: deleted instances whose volume is kept for a while (ADR 33)."""

import typing

from trove.actions import recycled
from trove.api import paging
from trove.api.dates import shown
from trove.api.queries import PAGING
from trove.api.resource import EMPTY, MEMBER, Action, Ask, Op, Plain, Resource
from trove.api.resources.instances import token
from trove.api.resources.instanceviews import detail
from trove.model import operations

NOTHING: Plain = {**EMPTY, "maxProperties": 0}
"""It comes back as it was: nothing can be said of how."""
STATUS = {None: "RECYCLED", operations.RECLAIM: "RECLAIMING"}


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("instances"))
    found = recycled.page(ask.services, ask.owner, wanted.limit, wanted.marker)
    return paging.Page(*found)


def show(ask: Ask) -> typing.Any:
    return recycled.show(ask.services, ask.ids["id"], ask.project)


def reclaim(ask: Ask) -> None:
    recycled.reclaim(ask.services, ask.context, ask.ids["id"], ask.project)


def undelete(ask: Ask) -> typing.Any:
    id = ask.ids["id"]
    return recycled.undelete(ask.services, ask.context, id, ask.project, token(ask))


def view(ask: Ask, found: typing.Any) -> Plain:
    """``volume`` in GiB; ``fault`` is why it did not come back."""
    row, entry = found.instance, found.row
    said: Plain = {
        "id": row.id,
        "name": row.name,
        "status": STATUS.get(found.live, "RECYCLED"),
        "datastore": {"type": found.datastore, "version": found.version},
        "flavor": {"id": row.flavor_id},
        "volume": {"size": row.volume_size},
        "created": shown(row.created),
        "deleted_at": shown(row.deleted_at),
        "reclaimed_at": shown(entry.reclaim_at),
    }
    if entry.fault:
        said["fault"] = {"message": entry.fault, "created": shown(entry.fault_at)}
    return said


RESOURCES = (
    Resource(
        "recycled_instance",
        "recycled_instances",
        (
            Op(
                "GET",
                "",
                page,
                "recycled_instance:index",
                view=view,
                many=True,
                queries=PAGING,
                said="List the deleted instances that can be had back.",
            ),
            Op(
                "GET",
                "{id}",
                show,
                "recycled_instance:show",
                view=view,
                said="Show a deleted instance that can be had back.",
            ),
            Op(
                "DELETE",
                "{id}",
                reclaim,
                "recycled_instance:delete",
                who=MEMBER,
                status=202,
                said="Delete what is kept of an instance, for ever.",
            ),
            *Op.actions(
                "{id}/action",
                {"undelete": Action(undelete, "recycled_instance:undelete", NOTHING)},
                view=detail,
                wrap="instance",
                said="Have a deleted instance back.",
            ),
        ),
        path="recycled-instances",
    ),
)
