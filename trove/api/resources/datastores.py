# SPDX-License-Identifier: Apache-2.0
"""Datastores and their versions; an admin sees the inactive ones, and more of each."""

import typing

from trove.actions import datastores, offers
from trove.actions import versions as keeping
from trove.api.resource import ADMIN, ANYONE, Ask, Op, Plain, Resource
from trove.api.resources import flavors


def page(ask: Ask) -> typing.Any:
    return datastores.page(ask.services, ask.context.is_admin)


def show(ask: Ask) -> typing.Any:
    return datastores.show(ask.services, ask.ids["id"], ask.context.is_admin)


def versions(ask: Ask) -> typing.Any:
    return datastores.versions(ask.services, ask.ids["id"], ask.context.is_admin)


def version(ask: Ask) -> typing.Any:
    return datastores.version(
        ask.services, ask.ids["id"], ask.ids["version"], ask.context.is_admin
    )


def version_by_id(ask: Ask) -> typing.Any:
    return datastores.version_by_id(
        ask.services, ask.ids["version"], ask.context.is_admin
    )


def version_flavors(ask: Ask) -> typing.Any:
    return offers.flavors(
        ask.services, ask.ids["id"], ask.ids["version"], ask.context.is_admin
    )


def version_volume_types(ask: Ask) -> typing.Any:
    return offers.volume_types(
        ask.services, ask.ids["id"], ask.ids["version"], ask.context.is_admin
    )


def volume_type(ask: Ask, each: typing.Any) -> Plain:
    return {
        "id": each.id,
        "name": each.name,
        "is_public": each.is_public,
        "description": each.description,
    }


def delete(ask: Ask) -> None:
    keeping.delete_datastore(ask.services, ask.context, ask.ids["id"])


def view(ask: Ask, offer: typing.Any) -> Plain:
    """``default_version`` is absent unless it is among the versions shown."""
    seen = {
        "id": offer.datastore.id,
        "name": offer.datastore.name,
        "links": ask.links.of("datastores", offer.datastore.id),
        "versions": [_version(ask, row) for row in offer.versions],
    }
    if offer.default_version is not None:
        seen["default_version"] = offer.default_version
    return seen


def version_view(ask: Ask, found: typing.Any) -> Plain:
    """``incremental_backups``, which is ours alone: whether there are such."""
    datastore, row = found
    return {
        **_version(ask, row),
        "datastore": datastore.id,
        "incremental_backups": datastores.chained(row),
    }


def _version(ask: Ask, row: typing.Any) -> Plain:
    seen = {
        "id": row.id,
        "name": row.name,
        "version": row.number,
        "links": ask.links.of("datastores/versions", row.id),
    }
    if ask.context.is_admin:
        seen |= {
            "active": row.active,
            "packages": ",".join(row.packages or ()),
            "image": row.image_id,
            "image_tags": list(row.image_tags or ()),
            "registry_ext": row.registry_ext,
            "repl_strategy": row.repl_strategy,
        }
    return seen


def _get(path: str, do: typing.Any, rule: str, said: str, **about: typing.Any) -> Op:
    return Op("GET", path, do, f"datastore:{rule}", who=ANYONE, said=said, **about)


_VERSION = {"view": version_view, "wrap": "version"}

RESOURCES = (
    Resource(
        "datastore",
        "datastores",
        (
            _get("", page, "index", "List the datastores.", view=view, many=True),
            _get("{id}", show, "show", "Show a datastore.", view=view),
            Op(
                "DELETE",
                "{id}",
                delete,
                "datastore:delete",
                who=ADMIN,
                status=202,
                said="Delete a datastore that has no versions.",
            ),
            _get(
                "{id}/versions",
                versions,
                "version_index",
                "List the versions of a datastore.",
                view=version_view,
                many=True,
                wrap="versions",
            ),
            _get(
                "{id}/versions/{version}",
                version,
                "version_show",
                "Show a version of a datastore.",
                **_VERSION,
            ),
            _get(
                "versions/{version}",
                version_by_id,
                "version_show_by_uuid",
                "Show a version by its id.",
                **_VERSION,
            ),
            _get(
                "{id}/versions/{version}/flavors",
                version_flavors,
                "list_associated_flavors",
                "List the flavors that a version may have.",
                view=flavors.view,
                many=True,
                wrap="flavors",
            ),
            _get(
                "{id}/versions/{version}/volume-types",
                version_volume_types,
                "list_associated_volume_types",
                "List the volume types that a version may have.",
                view=volume_type,
                many=True,
                wrap="volume_types",
            ),
        ),
    ),
)
