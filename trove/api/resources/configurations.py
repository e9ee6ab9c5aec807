# SPDX-License-Identifier: Apache-2.0
"""Configuration groups (contract, section 10.1)."""

import typing

from trove.actions import configurations
from trove.api import paging, schemas
from trove.api.dates import shown
from trove.api.queries import PAGING
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource

TEXT: Plain = {"type": ["string", "null"], "maxLength": 255}
NAME: Plain = {**schemas.NAME, "maxLength": 64}
DESCRIPTION: Plain = {"type": ["string", "null"], "maxLength": 2000}
VALUES: Plain = {
    "type": "object",
    "maxProperties": 500,
    "propertyNames": {"maxLength": 128},
    # the order says what a text in XML may be taken for
    "additionalProperties": {
        "type": ["boolean", "integer", "number", "string"],
        "maxLength": 4096,
    },
}

CREATE: Plain = {
    "type": "object",
    "required": ["name", "values"],
    "properties": {
        "name": NAME,
        "description": DESCRIPTION,
        "values": VALUES,
        "datastore": {
            "type": ["object", "null"],
            "properties": {"type": TEXT, "version": TEXT, "version_number": TEXT},
        },
    },
}
REPLACE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "required": ["values"],
    "properties": {"name": NAME, "description": DESCRIPTION, "values": VALUES},
}
MERGE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": REPLACE["properties"],
}


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("configurations"))
    found = configurations.page(ask.services, ask.owner, wanted.limit, wanted.marker)
    return paging.Page(*found)


def show(ask: Ask) -> typing.Any:
    return configurations.show(ask.services, ask.ids["id"], ask.project)


def create(ask: Ask) -> typing.Any:
    body = ask.body["configuration"]
    return configurations.create(
        ask.services,
        ask.owner,
        body["name"],
        body.get("description"),
        body["values"],
        body.get("datastore") or {},
    )


def replace(ask: Ask) -> None:
    _change(ask, whole=True)


def merge(ask: Ask) -> None:
    _change(ask, whole=False)


def _change(ask: Ask, whole: bool) -> None:
    body = dict(ask.body["configuration"])
    settings = body.pop("values", None)
    configurations.change(
        ask.services,
        ask.context,
        ask.ids["id"],
        ask.project,
        settings,
        whole=whole,
        **body,
    )


def delete(ask: Ask) -> None:
    configurations.delete(ask.services, ask.ids["id"], ask.project)


def having(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("instances"))
    found = configurations.having(
        ask.services, ask.ids["id"], ask.project, wanted.limit, wanted.marker
    )
    return paging.Page(*found)


def item(ask: Ask, group: typing.Any) -> Plain:
    """Of a list."""
    row = group.row
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "created": shown(row.created),
        "updated": shown(row.updated),
        "datastore_name": group.datastore,
        "datastore_version_id": row.version_id,
        "datastore_version_name": group.version,
    }


def whole(ask: Ask, group: typing.Any) -> Plain:
    """Alone: with its values, and how many instances have it."""
    return item(ask, group) | {
        "datastore_version_number": group.number,
        "values": configurations.hidden(group.row.settings),
        "instance_count": group.instances,
    }


def instance(ask: Ask, row: typing.Any) -> Plain:
    return {"id": row.id, "name": row.name}


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    return Op(method, path, do, f"configuration:{rule}", said=said, **about)


RESOURCES = (
    Resource(
        "configuration",
        "configurations",
        (
            _op(
                "GET",
                "",
                page,
                "index",
                "List groups.",
                view=item,
                many=True,
                queries=PAGING,
            ),
            _op("GET", "{id}", show, "show", "Show a group.", view=whole),
            _op(
                "POST",
                "",
                create,
                "create",
                "Make a group of values for a datastore version.",
                who=MEMBER,
                body=CREATE,
                view=whole,
            ),
            _op(
                "PUT",
                "{id}",
                replace,
                "update",
                "Replace a group's values, on every instance that has it.",
                who=MEMBER,
                dry=True,
                body=REPLACE,
                status=202,
            ),
            _op(
                "PATCH",
                "{id}",
                merge,
                "edit",
                "Change some of a group's values, on every instance that has it.",
                who=MEMBER,
                dry=True,
                body=MERGE,
            ),
            _op(
                "DELETE",
                "{id}",
                delete,
                "delete",
                "Delete a group that no instance has.",
                who=MEMBER,
                dry=True,
                status=202,
            ),
            _op(
                "GET",
                "{id}/instances",
                having,
                "instances",
                "List the instances that have a group.",
                view=instance,
                many=True,
                queries=PAGING,
                wrap="instances",
            ),
        ),
    ),
)
