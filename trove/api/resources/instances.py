# SPDX-License-Identifier: Apache-2.0
"""Instances: what can be asked of them, by whom, and how."""

import dataclasses
import typing
from collections.abc import Callable

from trove import errors
from trove.actions import (
    accounts,
    changes,
    configurations,
    deletion,
    dumps,
    instances,
    nics,
    upgrades,
)
from trove.actions.begin import Token
from trove.actions.flavors import id_of
from trove.api import paging, schemas
from trove.api.queries import CLUSTERED, PAGING, TRUTH, Query
from trove.api.resource import ADMIN, EMPTY, MEMBER, Action, Ask, Op, Plain, Resource
from trove.api.resources import creation
from trove.api.resources.creation import CREATE, TEXT
from trove.api.resources.instanceviews import detail, summary, whole

CONFIGURATION = {**schemas.UUID_OR_URL, "type": ["string", "null"]}
ANYTHING: Plain = {"type": ["string", "null"], "maxLength": 255}

EDIT: Plain = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": schemas.NAME,
        "configuration": CONFIGURATION,
        "replica_of": ANYTHING,
        "slave_of": ANYTHING,
        "datastore_version": {**TEXT, "type": "string", "minLength": 1},
        "deletion_protection": schemas.FLAG,
    },
}

UPDATE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **{k: v for k, v in EDIT["properties"].items() if k != "slave_of"},
        "access": {**schemas.ACCESS, "additionalProperties": False},
    },
}

RESIZE: Plain = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        # openstacksdk sends the bare number
        "volume": {
            **schemas.VOLUME_SIZE,
            "type": ["object", "integer", "string"],
            "required": ["size"],
            "properties": {"size": schemas.VOLUME_SIZE},
        },
        "flavorRef": schemas.FLAVOR,
    },
}

EXPORT: Plain = {
    "type": "object",
    "required": ["container", "name"],
    "additionalProperties": False,
    "properties": {
        "container": {"type": "string", "minLength": 1, "maxLength": 255},
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "databases": {**schemas.REFERENCES, "minItems": 1},
    },
}

IMPORT: Plain = {
    "type": "object",
    "required": ["container", "name", "database"],
    "additionalProperties": False,
    "properties": {
        "container": {"type": "string", "minLength": 1, "maxLength": 255},
        "name": {"type": "string", "minLength": 1, "maxLength": 1024},
        "database": schemas.ACCOUNT_NAME,
    },
}

RESET: Plain = {
    "type": ["object", "null"],
    "properties": {"force_delete": {"enum": [1, True]}},
}


def token(ask: Ask) -> Token | None:
    return None if ask.key is None else Token(ask.key, ask.said)


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("instances"))
    found = instances.page(ask.services, ask.owner, wanted.limit, wanted.marker)
    return paging.Page(*found)


def create(ask: Ask) -> typing.Any:
    order = creation.order(ask.body["instance"])
    # by what is meant: XML has no numbers, so its body says "1" where JSON says 1
    meant = dataclasses.asdict(order)
    for late in ("deletion_protection", "restore", "backup_policy"):
        if meant[late] in (False, None):
            del meant[late]  # as keys of before there was such a thing had it
    said = [ask.links.path, meant]
    token = None if ask.key is None else Token(ask.key, said)
    order = dataclasses.replace(order, nic=nics.allowed(ask.networks, order.nic))
    return instances.create(ask.services, ask.context, ask.owner, order, token)


def show(ask: Ask) -> typing.Any:
    return instances.show(ask.services, ask.ids["id"], ask.project, ask.owner)


def change(ask: Ask) -> None:
    """One attribute, and perhaps the name; an empty PUT takes the group away."""
    body: Plain = ask.body["instance"]
    others = sorted(set(body) - {"name"})
    if len(others) > 1:
        raise errors.Invalid(
            f"Only one of these can be changed at a time: {', '.join(others)}."
        )
    id = _known(ask)
    if "replica_of" in body or "slave_of" in body:
        raise errors.Invalid(f"Instance {id} is not a replica.")
    if "name" in body:
        instances.rename(ask.services, ask.context, id, ask.project, body["name"])
    if "access" in body:
        access = typing.cast(Plain, creation.access(body["access"]))
        changes.change_access(ask.services, ask.context, id, ask.project, access)
    if "datastore_version" in body:
        wanted = body["datastore_version"]
        upgrades.upgrade(ask.services, ask.context, id, ask.project, wanted, token(ask))
    if "deletion_protection" in body:
        on = bool(body["deletion_protection"])
        instances.protect(ask.services, ask.context, id, ask.project, on)
    if "configuration" in body or not body:
        reference = body.get("configuration")
        configurations.attach(
            ask.services,
            ask.context,
            id,
            ask.project,
            id_of(reference) if reference else None,
        )


def defaults(ask: Ask) -> Plain:
    """Asked of the guest: what the engine has when no group says otherwise."""
    running = accounts.Running(ask.services, ask.context, ask.ids["id"], ask.project)
    return {"configuration": running.defaults()}


def as_it_is(ask: Ask, found: Plain) -> Plain:
    return found


def delete(ask: Ask) -> None:
    said = deletion.Wish(ask.query.truth("final_backup"), ask.query.truth("keep"))
    deletion.delete(ask.services, ask.context, ask.ids["id"], ask.project, said)


def force_delete(ask: Ask) -> None:
    """Now, and everything, whatever the operator keeps."""
    deletion.delete(ask.services, ask.context, ask.ids["id"], ask.project, deletion.NOW)


def restart(ask: Ask) -> None:
    changes.restart(ask.services, ask.context, ask.ids["id"], ask.project, token(ask))


def resize_volume(ask: Ask) -> None:
    """To a number of GiB, bare or under ``size``."""
    asked = ask.body["resize"]["volume"]
    size = int(asked["size"] if isinstance(asked, dict) else asked)
    changes.resize_volume(
        ask.services, ask.context, ask.ids["id"], ask.project, size, token(ask)
    )


def resize_flavor(ask: Ask) -> None:
    """By an id, a number or a link."""
    flavor = id_of(str(ask.body["resize"]["flavorRef"]))
    changes.resize_flavor(
        ask.services, ask.context, ask.ids["id"], ask.project, flavor, token(ask)
    )


def reset_status(ask: Ask) -> None:
    instances.reset_status(ask.services, ask.context, ask.ids["id"], ask.project)


def export(ask: Ask) -> None:
    """Dumps of some of its databases, or of all, in the caller's own container."""
    said = ask.body["export"]
    named = said.get("databases")
    databases = None if named is None else tuple(each["name"] for each in named)
    dumps.export(
        ask.services,
        ask.context,
        ask.ids["id"],
        ask.project,
        dumps.Order(said["container"], said["name"], databases),
        ask.object_store,
        token(ask),
    )


def load(ask: Ask) -> None:
    """A dump in the caller's own container becomes a new database."""
    dumps.load(
        ask.services,
        ask.context,
        ask.ids["id"],
        ask.project,
        dumps.Loading(**ask.body["import"]),
        ask.object_store,
        token(ask),
    )


def _known(ask: Ask) -> str:
    return instances.known(ask.services, ask.ids["id"], ask.project)


def _later(what: str) -> Callable[[Ask], typing.Any]:
    def refuse(ask: Ask) -> typing.NoReturn:
        _known(ask)
        raise errors.Unsupported(f"{what} is not supported yet.")

    return refuse


DELETES = (
    Query("final_backup", "Whether it is backed up first.", TRUTH),
    Query("keep", "Whether its volume is kept in the recycle bin.", TRUTH),
)
"""Without one of them it is as the operator says."""

ACTIONS: dict[str, Action | tuple[Action, ...]] = {
    "restart": Action(restart, "instance:restart", EMPTY),
    "resize": (
        Action(resize_volume, "instance:resize_volume", RESIZE, when="volume"),
        Action(resize_flavor, "instance:resize_flavor", RESIZE, when="flavorRef"),
    ),
    "export": Action(export, "instance:export", EXPORT),
    "import": Action(load, "instance:import", IMPORT),
    "promote_to_replica_source": Action(
        _later("Promoting a replica"), "instance:promote_to_replica_source", EMPTY
    ),
    "eject_replica_source": Action(
        _later("Ejecting a replica source"), "instance:eject_replica_source", EMPTY
    ),
    "reset_status": (
        Action(force_delete, "instance:force_delete", RESET, when="force_delete"),
        Action(reset_status, "instance:reset_status", RESET, who=ADMIN),
    ),
}


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    return Op(method, path, do, f"instance:{rule}", said=said, **about)


_WRITE: Plain = {"who": MEMBER, "status": 202, "dry": True}

RESOURCES = (
    Resource(
        "instance",
        "instances",
        (
            _op(
                "GET",
                "",
                page,
                "index",
                "List instances.",
                view=summary,
                many=True,
                queries=(*PAGING, CLUSTERED),
            ),
            _op(
                "GET",
                "detail",
                page,
                "detail",
                "List instances in detail.",
                view=detail,
                many=True,
                queries=(*PAGING, CLUSTERED),
            ),
            _op(
                "POST",
                "",
                create,
                "create",
                "Create an instance.",
                who=MEMBER,
                dry=True,
                body=CREATE,
                view=detail,
            ),
            _op(
                "GET",
                "{id}",
                show,
                "show",
                "Show an instance, by id or unique name.",
                view=whole,
            ),
            _op(
                "GET",
                "{id}/configuration",
                defaults,
                "configuration",
                "Show what a database has where no configuration group says otherwise.",
                view=as_it_is,
            ),
            _op(
                "PUT",
                "{id}",
                change,
                "update",
                "Change one attribute, and perhaps the name.",
                body=UPDATE,
                **_WRITE,
            ),
            _op(
                "PATCH",
                "{id}",
                change,
                "edit",
                "Change one attribute, and perhaps the name.",
                body=EDIT,
                **_WRITE,
            ),
            _op(
                "DELETE",
                "{id}",
                delete,
                "delete",
                "Delete an instance, whatever its state.",
                queries=DELETES,
                **_WRITE,
            ),
            *Op.actions(
                "{id}/action",
                ACTIONS,
                dry=True,
                said="Restart, resize, export, import, promote, eject or reset one.",
            ),
        ),
    ),
)
