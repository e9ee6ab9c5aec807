# SPDX-License-Identifier: Apache-2.0
"""Backups, and where they go (contract, section 9)."""

import dataclasses
import typing

from trove import errors
from trove.actions import backups, verifications
from trove.actions.backups import Order
from trove.actions.begin import Token
from trove.actions.flavors import id_of
from trove.api import paging, schemas
from trove.api.dates import shown
from trove.api.queries import PAGING, TRUTH, WORD, Query
from trove.api.resource import MEMBER, Action, Ask, Op, Plain, Resource
from trove.api.resources.instanceviews import GIGABYTE

TEXT: Plain = {"type": ["string", "null"], "maxLength": 255}
CREATE: Plain = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": schemas.NAME,
        "instance": {**schemas.UUID_OR_URL, "type": ["string", "null"]},
        "description": TEXT,
        "parent_id": {**schemas.UUID, "type": ["string", "null"]},
        "incremental": schemas.FLAG,
        "row_hashes": schemas.FLAG,
        "swift_container": TEXT,
        "storage_driver": TEXT,
        "restore_from": {"type": ["object", "null"]},
    },
}

INSTANCE = Query("instance_id", "Only those of this instance.", WORD)
DATASTORE = Query("datastore", "Only those of this datastore, by name or id.", WORD)
PROJECT = Query("project_id", "Those of this project; for administrators.", WORD)
ALL = Query("all_projects", "Those of every project; for administrators.", TRUTH)


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("backups"))
    found = backups.page(
        ask.services,
        wanted.limit,
        wanted.marker,
        project=_whose(ask),
        instance=ask.query.get("instance_id"),
        datastore=ask.query.get("datastore"),
    )
    return paging.Page(*found)


def _whose(ask: Ask) -> str | None:
    """The project whose backups are listed; None: everybody's."""
    every = _truth(ask.query.get("all_projects"))
    asked = ask.query.get("project_id")
    if (every or asked) and not ask.context.is_admin:
        raise errors.Forbidden(what="list the backups of other projects")
    return asked or (None if every else ask.owner)


def _truth(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes")


def of_instance(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("backups"))
    found = backups.of_instance(
        ask.services, ask.ids["id"], ask.project, wanted.limit, wanted.marker
    )
    return paging.Page(*found)


def show(ask: Ask) -> typing.Any:
    return backups.show(ask.services, ask.ids["id"], ask.project)


def create(ask: Ask) -> typing.Any:
    order = _order(ask.body["backup"])
    token = None
    if ask.key is not None:
        # by what is meant: XML has no numbers, so its body says "1" where JSON says 1
        meant = dataclasses.asdict(order)
        if not order.rows:
            del meant["rows"]  # a request of an older release may come again
        token = Token(ask.key, [ask.links.path, meant])
    return backups.create(ask.services, ask.context, ask.project, order, token)


def _order(body: Plain) -> Order:
    if body.get("restore_from"):
        raise errors.Unsupported(
            "A backup that was made elsewhere cannot be registered: nothing is read "
            "from a place that a request names."
        )
    if not body.get("instance"):
        raise errors.Invalid("A backup needs the instance that it is of.")
    return Order(
        name=body["name"],
        instance=id_of(body["instance"]),
        description=body.get("description"),
        parent=body.get("parent_id"),
        incremental=bool(body.get("incremental")),
        container=body.get("swift_container"),
        driver=body.get("storage_driver"),
        rows=bool(body.get("row_hashes")),
    )


def delete(ask: Ask) -> None:
    backups.delete(ask.services, ask.context, ask.ids["id"], ask.project)


def verify(ask: Ask) -> None:
    verifications.ask(ask.services, ask.context, ask.ids["id"], ask.project)


def view(ask: Ask, found: typing.Any) -> Plain:
    """``size`` in GiB, and ``locationRef``, are null until it is whole; so is
    ``row_hashes`` of one that has none."""
    row = found.row
    about = row.about or {}
    said: Plain = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "locationRef": row.location,
        "instance_id": row.instance_id,
        "parent_id": row.parent_id,
        "project_id": row.project,
        "created": shown(row.created),
        "updated": shown(row.updated),
        "size": _size(row.size),
        "status": row.state,
        "storage_driver": row.driver,
        "scheduled": row.scheduled,
        "verification": row.verification,
        "verified_at": shown(row.verified_at),
        "restore_seconds": _rounded(row.restore_seconds),
        "verify_fault": row.verify_fault,
        "row_hashes": about.get("rows"),
        "verified_rows": about.get("verified_rows"),
    }
    if found.version is not None:
        said["datastore"] = {
            "type": found.datastore,
            "version": found.version,
            "version_id": row.version_id,
        }
    if row.fault:
        said["fault"] = {"message": row.fault, "created": shown(row.updated)}
    return said


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _size(bytes: int | None) -> float | None:
    """What is not empty is never 0.0."""
    if bytes is None:
        return None
    return max(0.001, round(bytes / GIGABYTE, 3)) if bytes else 0.0


_LIST: Plain = {"view": view, "many": True}

RESOURCES = (
    Resource(
        "backup",
        "backups",
        (
            Op(
                "GET",
                "",
                page,
                "backup:index",
                said="List backups.",
                queries=(*PAGING, INSTANCE, DATASTORE, PROJECT, ALL),
                **_LIST,
            ),
            Op(
                "POST",
                "",
                create,
                "backup:create",
                said="Make a backup of an instance: a full one, an increment, or a "
                "snapshot of its volume.",
                body=CREATE,
                view=view,
                who=MEMBER,
                status=202,
                dry=True,
            ),
            Op(
                "GET",
                "{id}",
                show,
                "backup:show",
                said="Show a backup.",
                view=view,
            ),
            Op(
                "DELETE",
                "{id}",
                delete,
                "backup:delete",
                said="Delete a backup, and before it all that stands on it.",
                who=MEMBER,
                status=202,
                dry=True,
            ),
            *Op.actions(
                "{id}/action",
                {"verify": Action(verify, "backup:verify")},
                dry=True,
                said="Restore a backup on a server that is thrown away, to verify it.",
            ),
        ),
    ),
    Resource(
        "backup",
        "backups",
        (
            Op(
                "GET",
                "",
                of_instance,
                "instance:backups",
                said="List an instance's backups.",
                queries=PAGING,
                **_LIST,
            ),
        ),
        path="instances/{id}/backups",
    ),
)
