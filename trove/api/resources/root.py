# SPDX-License-Identifier: Apache-2.0
"""The user root of an instance's database: enabled, disabled, and who had it."""

import typing

from trove.actions import root
from trove.api import dates, schemas
from trove.api.resource import ADMIN, MEMBER, Ask, Op, Plain, Resource
from trove.api.resources.databases import running

ENABLE: Plain = {
    "type": ["object", "null"],
    "properties": {"password": {"anyOf": [schemas.PASSWORD, {"type": "null"}]}},
}


def show(ask: Ask) -> bool:
    return root.enabled(ask.services, running(ask))


def enable(ask: Ask) -> str:
    password = (ask.body or {}).get("password")
    return root.enable(ask.services, ask.context, running(ask), password)


def disable(ask: Ask) -> None:
    root.disable(ask.services, ask.context, running(ask))


def history(ask: Ask) -> typing.Any:
    return root.history(ask.services, ask.ids["id"], ask.project)


def whether(ask: Ask, enabled: bool) -> Plain:
    return {"rootEnabled": enabled}


def user(ask: Ask, password: str) -> Plain:
    """Told this once."""
    return {"name": root.NAME, "password": password}


def enabling(ask: Ask, found: typing.Any) -> Plain:
    id, deed = found
    return {
        "id": id,
        "enabled": "Never" if deed is None else dates.shown(deed.at),
        "user": "Nobody" if deed is None else deed.user,
    }


RESOURCES = (
    Resource(
        "root",
        "root",
        (
            Op(
                "GET",
                "",
                show,
                "instance:extension:root:index",
                view=whether,
                wrap="",
                said="Tell whether root was enabled, and not disabled since.",
            ),
            Op(
                "POST",
                "",
                enable,
                "instance:extension:root:create",
                who=MEMBER,
                dry=True,
                body=ENABLE,
                root="",
                optional=True,
                view=user,
                wrap="user",
                said="Enable root; its password is told this once.",
            ),
            Op(
                "DELETE",
                "",
                disable,
                "instance:extension:root:delete",
                who=MEMBER,
                dry=True,
                status=204,
                said="Disable root, and send away who is logged in as root.",
            ),
        ),
        path="instances/{id}/root",
    ),
    Resource(
        "root_history",
        "root_history",
        (
            Op(
                "GET",
                "",
                history,
                "mgmt_instance:root",
                who=ADMIN,
                view=enabling,
                said="Tell when root was last enabled, and by whom.",
            ),
        ),
        path="mgmt/instances/{id}/root",
    ),
)
