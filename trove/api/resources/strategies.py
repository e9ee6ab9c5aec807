# SPDX-License-Identifier: Apache-2.0
"""Where backups go: said for a project, or for one of its instances (contract, 9.6)."""

import typing

from trove import errors
from trove.actions import strategies
from trove.actions.flavors import id_of
from trove.api.queries import WORD, Query
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource

CREATE: Plain = {
    "type": "object",
    "required": ["swift_container"],
    "properties": {
        "swift_container": {"type": "string", "maxLength": 255},
        "instance_id": {"type": ["string", "null"], "maxLength": 1024},
    },
}
BACKEND = "swift"
"""The word that clients know, whichever store the operator has."""

INSTANCE = Query("instance_id", "The one of this instance.", WORD)
PROJECT = Query("project_id", "Of this project; for administrators.", WORD)


def page(ask: Ask) -> typing.Any:
    return strategies.page(ask.services, _whose(ask), ask.query.get("instance_id"))


def put(ask: Ask) -> typing.Any:
    body: Plain = ask.body["backup_strategy"]
    reference = body.get("instance_id")
    return strategies.put(
        ask.services,
        ask.owner,
        ask.project,
        body["swift_container"],
        id_of(reference) if reference else None,
    )


def forget(ask: Ask) -> None:
    strategies.forget(ask.services, _whose(ask), ask.query.get("instance_id"))


def _whose(ask: Ask) -> str:
    asked = ask.query.get("project_id")
    if asked and not ask.context.is_admin:
        raise errors.Forbidden(what="say where the backups of another project go")
    return asked or ask.owner


def view(ask: Ask, row: typing.Any) -> Plain:
    """``instance_id`` is empty in that of a project."""
    return {
        "project_id": row.project,
        "instance_id": row.instance_id,
        "backend": BACKEND,
        "swift_container": row.container,
    }


RESOURCES = (
    Resource(
        "backup_strategy",
        "backup_strategies",
        (
            Op(
                "GET",
                "",
                page,
                "backup_strategy:index",
                said="List where backups go.",
                view=view,
                many=True,
                queries=(INSTANCE, PROJECT),
            ),
            Op(
                "POST",
                "",
                put,
                "backup_strategy:create",
                said="Say where backups go, of the project or of an instance.",
                body=CREATE,
                view=view,
                who=MEMBER,
                status=202,
            ),
            Op(
                "DELETE",
                "",
                forget,
                "backup_strategy:delete",
                said="Forget where backups go; they go where the operator said.",
                queries=(INSTANCE, PROJECT),
                who=MEMBER,
                status=202,
            ),
        ),
    ),
)
