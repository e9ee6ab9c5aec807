# SPDX-License-Identifier: Apache-2.0
"""Backups and where they go, of which there are none yet: truthful answers.

The lists are empty, so that a client's form can be filled in; what would make one is
refused with a sentence (contract, section 9).
"""

import typing

from trove import errors
from trove.actions import instances
from trove.api import schemas
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.api.resources.instances import as_it_is

TEXT: Plain = {"type": ["string", "null"], "maxLength": 255}
CREATE: Plain = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": schemas.NAME,
        "instance": {**schemas.UUID_OR_URL, "type": ["string", "null"]},
        "description": TEXT,
        "parent_id": {**schemas.UUID, "type": ["string", "null"]},
        "incremental": schemas.FLAG,
        "swift_container": TEXT,
        "storage_driver": TEXT,
        "restore_from": {"type": ["object", "null"]},
    },
}
STRATEGY: Plain = {
    "type": "object",
    "required": ["swift_container"],
    "properties": {"swift_container": TEXT, "instance_id": TEXT},
}


def page(ask: Ask) -> list[Plain]:
    return []


def of_instance(ask: Ask) -> list[Plain]:
    """Raises ``NotFound`` for an instance that is not the caller's."""
    instances.known(ask.services, ask.ids["id"], ask.project)
    return []


def create(ask: Ask) -> typing.NoReturn:
    raise errors.Unsupported("Backups are not supported yet.")


def one(ask: Ask) -> typing.NoReturn:
    raise errors.BackupNotFound(id=ask.ids["id"])


def forget(ask: Ask) -> None:
    """There is none to be taken away: that is what was asked for."""


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    return Op(method, path, do, rule, said=said, **about)


_LIST: Plain = {"view": as_it_is, "many": True}
_MAKE: Plain = {"view": as_it_is, "who": MEMBER, "status": 202}

RESOURCES = (
    Resource(
        "backup",
        "backups",
        (
            _op("GET", "", page, "backup:index", "List backups: none.", **_LIST),
            _op(
                "POST",
                "",
                create,
                "backup:create",
                "Make a backup: 501, there are none yet.",
                body=CREATE,
                **_MAKE,
            ),
            _op(
                "GET",
                "{id}",
                one,
                "backup:show",
                "Show a backup: 404.",
                view=as_it_is,
            ),
            _op(
                "DELETE",
                "{id}",
                one,
                "backup:delete",
                "Delete a backup: 404.",
                who=MEMBER,
                status=202,
            ),
        ),
    ),
    Resource(
        "backup",
        "backups",
        (
            _op(
                "GET",
                "",
                of_instance,
                "instance:backups",
                "List an instance's backups: none.",
                **_LIST,
            ),
        ),
        path="instances/{id}/backups",
    ),
    Resource(
        "backup_strategy",
        "backup_strategies",
        (
            _op(
                "GET",
                "",
                page,
                "backup_strategy:index",
                "List where backups go: nowhere.",
                **_LIST,
            ),
            _op(
                "POST",
                "",
                create,
                "backup_strategy:create",
                "Say where backups go: 501, there are none yet.",
                body=STRATEGY,
                **_MAKE,
            ),
            _op(
                "DELETE",
                "",
                forget,
                "backup_strategy:delete",
                "Forget where backups go; there is nothing to forget.",
                who=MEMBER,
                status=202,
            ),
        ),
    ),
)
