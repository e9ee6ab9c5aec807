# SPDX-License-Identifier: Apache-2.0
"""Copies of an instance's data that an upgrade left on its volume. Ours alone."""

import typing

from trove.actions import copies
from trove.api.dates import shown
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.api.resources.databases import running
from trove.api.resources.instances import token


def page(ask: Ask) -> list[copies.Copy]:
    return copies.page(running(ask))


def discard(ask: Ask) -> None:
    copies.discard(
        ask.services,
        ask.context,
        running(ask),
        ask.ids["copy"],
        ask.project,
        token(ask),
    )


def view(ask: Ask, copy: typing.Any) -> Plain:
    """``size`` in bytes; absent when it was not counted in time."""
    said = {"name": copy.name, "created": shown(copy.made)}
    return said if copy.size is None else {**said, "size": copy.size}


RESOURCES = (
    Resource(
        "copy",
        "copies",
        (
            Op(
                "GET",
                "",
                page,
                "instance:copy_list",
                view=view,
                many=True,
                said="List the copies of its data that an upgrade left on its volume.",
            ),
            Op(
                "DELETE",
                "{copy}",
                discard,
                "instance:copy_discard",
                who=MEMBER,
                status=202,
                dry=True,
                said="Discard such a copy, for good.",
            ),
        ),
        path="instances/{id}/copies",
    ),
)
