# SPDX-License-Identifier: Apache-2.0
"""Clusters, of which no datastore has any: the routes, and truthful answers.

A list is empty, a create says which datastore has none, whatever is done with one is
done with one that is not there (contract, section 16).
"""

import typing

from trove.actions import clusters
from trove.api import schemas
from trove.api.resource import ADMIN, EMPTY, MEMBER, Action, Ask, Op, Plain, Resource
from trove.api.resources.creation import CREATE as INSTANCE
from trove.api.resources.instances import as_it_is

_OF_INSTANCE = INSTANCE["properties"]
MEMBERS: Plain = {
    "type": "array",
    "minItems": 1,
    "maxItems": 100,
    "items": {
        "type": "object",
        "required": ["flavorRef"],
        "properties": {
            "name": schemas.NAME,
            "flavorRef": schemas.FLAVOR,
            **{
                key: _OF_INSTANCE[key]
                for key in (
                    "volume",
                    "nics",
                    "availability_zone",
                    "modules",
                    "region_name",
                )
            },
        },
    },
}
CREATE: Plain = {
    "type": "object",
    "required": ["name", "datastore", "instances"],
    "properties": {
        "name": schemas.NAME,
        "datastore": {
            "type": "object",
            "required": ["type"],
            "properties": _OF_INSTANCE["datastore"]["properties"],
        },
        "instances": MEMBERS,
        "locality": _OF_INSTANCE["locality"],
        "configuration": _OF_INSTANCE["configuration"],
        "extended_properties": {"type": ["object", "null"]},
    },
}
SHRINK: Plain = {
    "type": "array",
    "minItems": 1,
    "maxItems": 100,
    "items": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": schemas.UUID},
    },
}
UPGRADE: Plain = {
    "type": "object",
    "required": ["datastore_version"],
    "properties": {"datastore_version": {"type": "string", "maxLength": 255}},
}
ATTACH: Plain = {
    "type": "object",
    "required": ["configuration_id"],
    "properties": {"configuration_id": schemas.UUID},
}
RESET: Plain = {
    "type": ["object", "null"],
    "properties": {"force_delete": schemas.FLAG},
}


def page(ask: Ask) -> list[Plain]:
    return []


def create(ask: Ask) -> None:
    clusters.create(ask.services, ask.body["cluster"]["datastore"])


def one(ask: Ask) -> None:
    clusters.show(ask.ids["id"])


def _act(rule: str = "action", body: Plain = EMPTY, **about: typing.Any) -> Action:
    return Action(one, f"cluster:{rule}", body, **about)


ACTIONS: dict[str, Action | tuple[Action, ...]] = {
    "add_shard": _act(),
    "configuration_attach": _act(body=ATTACH),
    "configuration_detach": _act(),
    "grow": _act(body=MEMBERS),
    "reset-status": (
        _act("force_delete", RESET, when="force_delete"),
        _act("reset-status", RESET, who=ADMIN),
    ),
    "restart": _act(),
    "shrink": _act(body=SHRINK),
    "upgrade": _act(body=UPGRADE),
}


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    about = {"view": as_it_is, **about}
    return Op(method, path, do, rule, said=said, **about)


def _root(method: str, rule: str, said: str, **about: typing.Any) -> Op:
    return _op(
        method, "{id}/root", one, f"cluster:extension:root:{rule}", said, **about
    )


RESOURCES = (
    Resource(
        "cluster",
        "clusters",
        (
            _op("GET", "", page, "cluster:index", "List clusters: none.", many=True),
            _op(
                "POST",
                "",
                create,
                "cluster:create",
                "Make a cluster: 501, no datastore has any yet.",
                who=MEMBER,
                body=CREATE,
            ),
            _op("GET", "{id}", one, "cluster:show", "Show a cluster: 404."),
            _op(
                "GET",
                "{id}/instances/{instance}",
                one,
                "cluster:show_instance",
                "Show an instance of a cluster: 404.",
                wrap="instance",
            ),
            _op(
                "DELETE",
                "{id}",
                one,
                "cluster:delete",
                "Delete a cluster: 404.",
                who=MEMBER,
                status=202,
                view=None,
            ),
            _root("GET", "index", "Tell whether a cluster's root is enabled: 404."),
            _root(
                "POST",
                "create",
                "Enable a cluster's root: 404.",
                who=MEMBER,
                wrap="user",
            ),
            *Op.actions("{id}", ACTIONS, said="Change a cluster: 404."),
        ),
    ),
    Resource(
        "cluster",
        "clusters",
        (
            _op(
                "GET",
                "",
                page,
                "mgmt_cluster:index",
                "List the clusters of every project: none.",
                who=ADMIN,
                many=True,
            ),
            _op(
                "GET",
                "{id}",
                one,
                "mgmt_cluster:show",
                "Show any project's cluster: 404.",
                who=ADMIN,
            ),
            *Op.actions(
                "{id}/action",
                {"reset-task": Action(one, "mgmt_cluster:reset_task", who=ADMIN)},
                who=ADMIN,
                said="Reset a cluster's task: 404.",
            ),
        ),
        path="mgmt/clusters",
    ),
)
