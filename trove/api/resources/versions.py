# SPDX-License-Identifier: Apache-2.0
"""The management of datastore versions (contract, section 11)."""

import typing

from trove import errors
from trove.actions import datastores, versions
from trove.api import schemas
from trove.api.resource import ADMIN, Ask, Op, Plain, Resource

WORD: Plain = {**schemas.NAME, "maxLength": 64}
IMAGE: Plain = {**schemas.UUID, "type": ["string", "null"]}
OTHER: Plain = {"type": ["string", "null"], "maxLength": 255}
TAGS: Plain = {
    "type": "array",
    "maxItems": 5,
    "items": {"type": "string", "maxLength": 20},
}
PACKAGES: Plain = {
    "type": ["array", "null"],
    "maxItems": 64,
    "items": {"type": "string", "maxLength": 255},
}

CHANGEABLE: Plain = {
    "name": WORD,
    "datastore_manager": WORD,
    "active": {"type": "boolean"},
    "image": IMAGE,
    "image_tags": TAGS,
    "packages": PACKAGES,
    "registry_ext": OTHER,
    "repl_strategy": OTHER,
    "default": {"type": "boolean"},
}
CREATE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "datastore_name", "datastore_manager", "active"],
    "properties": {**CHANGEABLE, "datastore_name": WORD, "version": WORD},
}
CHANGE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": CHANGEABLE,
}

COLUMNS = {"datastore_manager": "manager", "image": "image_id", "version": "number"}
"""Where a key of the wire is another word than the row's."""


def page(ask: Ask) -> typing.Any:
    return versions.page(ask.services)


def show(ask: Ask) -> typing.Any:
    return datastores.version_by_id(ask.services, ask.ids["id"], inactive=True)


def create(ask: Ask) -> None:
    """Without ``version``, the engine's own number is taken to be the name."""
    body = dict(ask.body["version"])
    datastore, default = body.pop("datastore_name"), body.pop("default", False)
    columns = {"number": body["name"], "image_tags": [], **_columns(body)}
    if not columns.get("image_id") and not columns["image_tags"]:
        raise errors.Invalid("A version needs an image or image_tags.")
    versions.create(ask.services, ask.context, datastore, columns, default=default)


def change(ask: Ask) -> None:
    body = dict(ask.body)
    default = body.pop("default", None)
    versions.change(ask.services, ask.context, ask.ids["id"], _columns(body), default)


def delete(ask: Ask) -> None:
    versions.delete(ask.services, ask.context, ask.ids["id"])


def view(ask: Ask, found: typing.Any) -> Plain:
    datastore, row = found
    return {
        "id": row.id,
        "name": row.name,
        "version": row.number,
        "datastore_id": datastore.id,
        "datastore_name": datastore.name,
        "datastore_manager": row.manager,
        "image": row.image_id,
        "image_tags": list(row.image_tags or ()),
        "packages": list(row.packages or ()),
        "active": row.active,
        "registry_ext": row.registry_ext,
        "repl_strategy": row.repl_strategy,
        "default": datastore.default_version_id == row.id,
    }


def _columns(body: Plain) -> Plain:
    """The row's; a client that splits an empty text sends one empty tag."""
    columns = {COLUMNS.get(key, key): value for key, value in body.items()}
    for key in columns.keys() & {"image_tags", "packages"}:
        columns[key] = [word.strip() for word in columns[key] or () if word.strip()]
    return columns


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    rule = f"mgmt_datastore_version:{rule}"
    return Op(method, path, do, rule, who=ADMIN, said=said, **about)


RESOURCES = (
    Resource(
        "version",
        "versions",
        (
            _op("GET", "", page, "index", "List all versions.", view=view, many=True),
            _op("GET", "{id}", show, "show", "Show any version.", view=view),
            _op(
                "POST",
                "",
                create,
                "create",
                "Make a version, and its datastore if there is none.",
                body=CREATE,
                status=202,
            ),
            _op(
                "PATCH",
                "{id}",
                change,
                "edit",
                "Change what a version's next instances are made of, or hide it.",
                body=CHANGE,
                root="",
                status=202,
            ),
            _op(
                "DELETE",
                "{id}",
                delete,
                "delete",
                "Delete a version that no instance has.",
                status=202,
            ),
        ),
        path="mgmt/datastore-versions",
    ),
)
