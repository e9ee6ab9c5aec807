# SPDX-License-Identifier: Apache-2.0
"""The logs of an instance (contract, section 13)."""

import typing

from trove.actions import logs
from trove.api import schemas
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.api.resources.databases import running

ACT: Plain = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 64},
        **{
            deed: {**schemas.FLAG}
            for deed in ("enable", "disable", "publish", "discard")
        },
    },
}


def page(ask: Ask) -> list[logs.Shown]:
    return logs.page(ask.services, running(ask), ask.context.is_admin)


def act(ask: Ask) -> logs.Shown:
    said = dict(ask.body)
    name = said.pop("name")
    wanted = logs.Deeds(**{deed: bool(value) for deed, value in said.items()})
    return logs.act(
        ask.services, ask.context, running(ask), name, wanted, ask.object_store
    )


NOWHERE = dict.fromkeys(("container", "prefix", "metafile"), "None")
"""In these words: clients compare with this text."""


def view(ask: Ask, shown: typing.Any) -> Plain:
    base = shown.base
    where = NOWHERE
    if base is not None:
        where = {
            "container": logs.CONTAINER,
            "prefix": f"{base}/",
            "metafile": f"{base}_metafile",
        }
    return {
        "name": shown.log.name,
        "type": "SYS" if shown.log.system else "USER",
        "status": shown.found.status,
        "published": shown.found.published,
        "pending": shown.found.pending,
        **where,
    }


RESOURCES = (
    Resource(
        "log",
        "logs",
        (
            Op(
                "GET",
                "",
                page,
                "instance:guest_log_list",
                view=view,
                many=True,
                said="List an instance's logs.",
            ),
            Op(
                "POST",
                "",
                act,
                "instance:guest_log_action",
                who=MEMBER,
                dry=True,
                body=ACT,
                root="",
                view=view,
                said="Show, enable, disable, publish or discard a log.",
            ),
        ),
        path="instances/{id}/log",
    ),
)
