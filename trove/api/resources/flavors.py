# SPDX-License-Identifier: Apache-2.0
"""Flavors: the sizes that a server may have."""

import re
import typing

from trove.api.resource import ANYONE, Ask, Op, Plain, Resource


def page(ask: Ask) -> typing.Any:
    return ask.services.flavors.all()


def show(ask: Ask) -> typing.Any:
    return ask.services.flavors.find(ask.ids["id"])


def view(ask: Ask, flavor: typing.Any) -> Plain:
    """``id`` is a number where it can be one: clients in Go decode it so."""
    plain = re.fullmatch(r"0|[1-9][0-9]{0,17}", flavor.id)
    return {
        "id": int(flavor.id) if plain else None,
        "str_id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram,
        "vcpus": flavor.vcpus,
        "disk": flavor.disk,
        "ephemeral": flavor.ephemeral,
        "links": ask.links.of("flavors", flavor.id),
    }


RESOURCES = (
    Resource(
        "flavor",
        "flavors",
        (
            Op(
                "GET",
                "",
                page,
                "flavor:index",
                who=ANYONE,
                view=view,
                many=True,
                said="List the flavors.",
            ),
            Op(
                "GET",
                "{id}",
                show,
                "flavor:show",
                who=ANYONE,
                view=view,
                said="Show a flavor.",
            ),
        ),
    ),
)
