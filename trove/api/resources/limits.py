# SPDX-License-Identifier: Apache-2.0
"""Limits: a project's quotas, and what is left of its request rates."""

import typing

from trove.actions import quotas
from trove.api.resource import Ask, Op, Plain, Resource


def page(ask: Ask) -> list[Plain]:
    """The absolute ones come first: clients take them off the front."""
    most = quotas.limits(ask.services, ask.owner)
    absolute = {f"max_{resource}": limit for resource, limit in most.items()}
    return [{"verb": "ABSOLUTE", **absolute}, *ask.rates()]


def view(ask: Ask, limit: typing.Any) -> Plain:
    return dict(limit)


RESOURCES = (
    Resource(
        "limit",
        "limits",
        (
            Op(
                "GET",
                "",
                page,
                "limits:index",
                view=view,
                many=True,
                said="List the project's quotas and request rates.",
            ),
        ),
    ),
)
