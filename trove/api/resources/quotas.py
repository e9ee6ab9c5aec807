# SPDX-License-Identifier: Apache-2.0
"""Quotas: anybody may see the own project's; an admin sees and sets everybody's."""

import typing

from trove import errors
from trove.actions import quotas
from trove.api.resource import ADMIN, Ask, Op, Plain, Resource

LIMITS: Plain = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 64,
    "additionalProperties": {
        "type": "integer",
        "minimum": -1,
        "maximum": 2**31 - 1,
    },
}


def show(ask: Ask) -> list[Plain]:
    project = ask.ids["project"]
    if project != ask.owner and not ask.context.is_admin:
        raise errors.Forbidden(what="see another project's quotas")
    return quotas.usage(ask.services, project)


def update(ask: Ask) -> Plain:
    return quotas.set_limits(ask.services, ask.ids["project"], ask.body["quotas"])


def view(ask: Ask, row: typing.Any) -> Plain:
    return dict(row)


RESOURCES = (
    Resource(
        "quota",
        "quotas",
        (
            Op(
                "GET",
                "{project}",
                show,
                "quota:show",
                view=view,
                many=True,
                said="Show a project's quotas and their use.",
            ),
            Op(
                "PUT",
                "{project}",
                update,
                "quota:update",
                who=ADMIN,
                view=view,
                body=LIMITS,
                root="quotas",
                wrap="quotas",
                said="Set a project's quotas.",
            ),
        ),
        path="mgmt/quotas",
    ),
)
