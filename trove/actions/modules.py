# SPDX-License-Identifier: Apache-2.0
"""Modules: kept by a project, or by an administrator for all (contract, 15).

The contents are sealed in the database, and no answer of these routes holds them.
"""

import base64
import binascii
import dataclasses
import hashlib
import json
import typing
import uuid

from sqlalchemy import orm

from trove import errors
from trove.actions.services import Services
from trove.context import Context
from trove.db import dialects
from trove.db.queries import datastores, modules
from trove.db.queries.instances import Seen
from trove.db.queries.modules import Count, Shown
from trove.db.session import now
from trove.db.tables import Module

LARGEST = 256 * 1024
"""Bytes of contents: they travel in one message."""

ADMINISTRATIVE = ("all_tenants", "auto_apply", "priority_apply")
"""What is an administrator's to ask for; so is to hide one."""

PLAIN = (
    "name",
    "description",
    "auto_apply",
    "visible",
    "live_update",
    "priority_apply",
    "apply_order",
)
"""What is a column under the same name."""

Asked = typing.Mapping[str, typing.Any]
Columns = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Which datastore, and which version of it: names or ids; None: each."""

    datastore: str | None = None
    version: str | None = None


# -- looking ------------------------------------------------------------------------


def page(
    services: Services,
    context: Context,
    owner: str,
    limit: int,
    marker: str | None,
    datastore: str | None,
) -> tuple[list[Shown], str | None]:
    """A page in the order of ids, shown newest first; and the next one's marker."""
    with services.database.reading() as tx:
        found = modules.page(
            tx,
            owner,
            limit + 1,
            marker,
            hidden=context.is_admin,
            datastore=datastore,
        )
    following = found[limit - 1].row.id if len(found) > limit else None
    newest = sorted(found[:limit], key=lambda seen: (-seen.row.created, seen.row.id))
    return newest, following


def show(services: Services, id: str, project: str | None) -> Shown:
    """One, with how many of the caller's instances have it."""
    with services.database.reading() as tx:
        return modules.seen(tx, id, project)


def having(
    services: Services, id: str, project: str | None, limit: int, marker: str | None
) -> tuple[list[Seen], str | None]:
    """A page of the caller's instances that have it; and the next one's marker."""
    with services.database.reading() as tx:
        modules.seen(tx, id, project)
        found = modules.instances_having(tx, id, project, limit + 1, marker)
    following = found[limit - 1].instance.id if len(found) > limit else None
    return found[:limit], following


def counts(
    services: Services, id: str, project: str | None
) -> tuple[Shown, list[Count]]:
    """How many of the caller's instances have which contents of it."""
    with services.database.reading() as tx:
        return modules.seen(tx, id, project), modules.counts(tx, id, project)


# -- keeping ------------------------------------------------------------------------


def create(
    services: Services, context: Context, owner: str, type: str, asked: Asked
) -> Shown:
    """A new one; ``asked`` by the contract's names, flags as booleans."""
    _check_type(services, type)
    given = _contents(asked["contents"])
    _check_rights(context, asked)

    def work(tx: orm.Session) -> str:
        moment = now(tx)
        row = Module(
            id=str(uuid.uuid4()),
            project=None if asked.get("all_tenants") else owner,
            name=asked["name"],
            type=type,
            description=asked.get("description"),
            auto_apply=asked.get("auto_apply", False),
            visible=asked.get("visible", True),
            live_update=asked.get("live_update", False),
            priority_apply=asked.get("priority_apply", False),
            apply_order=asked.get("apply_order", 5),
            is_admin=context.is_admin,
            created=moment,
            updated=moment,
            **given,
            **_target(tx, asked.get("target") or Target()),
        )
        row.is_admin = _still_administrative(row, asked)
        tx.add(row)
        _identify(tx, row)
        return row.id

    return show(services, services.database.run(work), None)


def change(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    owner: str,
    type: str | None,
    asked: Asked,
) -> Shown:
    """What is named in ``asked`` becomes so; the rest stays.

    What instances have changes only if it may (``live_update``): they have what they
    have until it is applied again.
    """
    if type is not None:
        _check_type(services, type)
    given = _contents(asked["contents"]) if "contents" in asked else {}
    _check_rights(context, asked)

    def work(tx: orm.Session) -> None:
        row = _held(tx, context, id, project)
        wanted = _wanted(tx, row, owner, asked)
        wanted |= {} if type is None else {"type": type}
        wanted |= given if given.get("md5") != row.md5 else {}
        _refuse_applied(tx, row, wanted)
        for column, value in wanted.items():
            setattr(row, column, value)
        row.is_admin = _still_administrative(row, asked)
        row.updated = now(tx)
        _identify(tx, row)

    services.database.run(work)
    return show(services, id, None)


def delete(services: Services, context: Context, id: str, project: str | None) -> None:
    """One that no instance has. Its contents go at once."""

    def work(tx: orm.Session) -> None:
        row = _held(tx, context, id, project)
        if modules.applied(tx, id):
            raise errors.ModuleApplied(name=row.name)
        row.deleted_at = now(tx)
        row.contents = row.identity = None

    services.database.run(work)


# -- for an instance ----------------------------------------------------------------


def chosen(
    tx: orm.Session, project: str | None, version_id: str, ids: typing.Sequence[str]
) -> list[Module]:
    """These modules, for an instance of this version; they are held.

    Raises ``ModuleNotFound``, ``Invalid`` for one that is of another datastore.
    """
    if len(set(ids)) < len(ids):
        raise errors.Invalid("A module is there twice.")
    if not ids:
        return []
    owner, version = datastores.version_by_id(tx, version_id, inactive=True)
    found = modules.hold(tx, ids, project, change=False)
    for row in found.values():
        if project is not None and not row.visible:
            raise errors.ModuleNotFound(id=row.id)
        if not modules.fits(row, owner.id, version.id):
            raise errors.Invalid(
                f"The module {row.name} is not for {owner.name} {version.name}."
            )
    return list(found.values())


# -- the rules ----------------------------------------------------------------------


def _held(tx: orm.Session, context: Context, id: str, project: str | None) -> Module:
    """One that the caller may change; it is his alone until the transaction ends."""
    row = modules.hold(tx, [id], project, change=True)[id]
    if not context.is_admin and (row.is_admin or row.project != project):
        raise errors.Forbidden(what=f"change the module {row.name}")
    if not context.is_admin and not row.visible:
        raise errors.ModuleNotFound(id=id)
    return row


def _check_type(services: Services, type: str) -> None:
    if type not in services.settings.module_types:
        raise errors.NotFound(what="Module type", id=type[:64])


def _check_rights(context: Context, asked: Asked) -> None:
    """``errors.Forbidden`` for what is an administrator's."""
    wanted = [name for name in ADMINISTRATIVE if asked.get(name)]
    if asked.get("visible") is False:
        wanted.append("visible")
    if wanted and not context.is_admin:
        raise errors.Forbidden(what=f"use {', '.join(wanted)} of a module")
    if "full_access" in asked and not context.is_admin:
        raise errors.Forbidden(what="use full_access of a module")


def _still_administrative(row: Module, asked: Asked) -> bool:
    """Whether it is, after a change; ``errors.Invalid`` for one that must be."""
    must = row.project is None or row.auto_apply or row.priority_apply
    must = must or not row.visible
    if must and asked.get("full_access"):
        raise errors.Invalid(
            "A module for all projects, or one that is hidden, applied by itself or "
            "with priority, is an administrator's."
        )
    if "full_access" in asked:
        return not asked["full_access"]
    return row.is_admin or must


def _contents(text: str) -> Columns:
    """The columns of contents that came in base64; ``errors.Invalid``."""
    plain = "".join(text.split())
    try:
        data = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise errors.Invalid("The contents of a module must be base64.") from None
    if not data:
        raise errors.Invalid("The contents of a module must not be empty.")
    if len(data) > LARGEST:
        raise errors.Invalid(
            f"The contents of a module must not be more than {LARGEST} bytes."
        )
    return {
        "contents": plain,
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }


def _target(tx: orm.Session, target: Target) -> Columns:
    """The ids; ``errors.Invalid`` for a version without its datastore."""
    if target.datastore is None:
        if target.version is not None:
            raise errors.Invalid("A datastore version needs its datastore's type.")
        return {"datastore_id": None, "version_id": None}
    if target.version is None:
        found = datastores.find(tx, target.datastore)
        return {"datastore_id": found.datastore.id, "version_id": None}
    owner, version = datastores.version(tx, target.datastore, target.version)
    datastores.hold(tx, version.id)
    return {"datastore_id": owner.id, "version_id": version.id}


def _wanted(tx: orm.Session, row: Module, owner: str, asked: Asked) -> Columns:
    """The columns that become others, but for the contents."""
    wanted: Columns = {name: asked[name] for name in PLAIN if name in asked}
    if "all_tenants" in asked:
        wanted["project"] = None if asked["all_tenants"] else row.project or owner
    if asked.get("target") is not None:
        wanted |= _target(tx, asked["target"])
    if asked.get("all_datastores"):
        wanted |= {"datastore_id": None, "version_id": None}
    if asked.get("all_datastore_versions"):
        wanted["version_id"] = None
    return wanted


def _refuse_applied(tx: orm.Session, row: Module, wanted: Columns) -> None:
    """What an instance has is not changed under it, unless that was agreed upon."""
    fixed = ("type", "datastore_id", "version_id", "project")
    changed = [n for n in fixed if n in wanted and wanted[n] != getattr(row, n)]
    if "contents" in wanted and not wanted.get("live_update", row.live_update):
        changed.append("contents")
    if changed and modules.applied(tx, row.id):
        raise errors.ModuleApplied(name=row.name)


def _identify(tx: orm.Session, row: Module) -> None:
    """No two of a name for the same project, datastore and version; case counts."""
    name = row.name  # the row cannot be asked when the flush has failed
    same = [row.project, row.datastore_id, row.version_id, name]
    row.identity = hashlib.sha256(json.dumps(same).encode()).hexdigest()
    try:
        tx.flush()
    except dialects.Violated:
        raise errors.Invalid(
            f"A module {name} exists already for this project and datastore."
        ) from None
