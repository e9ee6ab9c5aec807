# SPDX-License-Identifier: Apache-2.0
"""Modules: what drivers in the guests apply (contract, section 15)."""

import typing

from trove.actions import instancemodules, modules
from trove.actions.modules import Target
from trove.api import paging, schemas
from trove.api.dates import shown
from trove.api.queries import CLUSTERED, PAGING, TRUTH, WORD, Query
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.api.resources.instanceviews import summary
from trove.model.operations import ReapplyModule

TEXT: Plain = {"type": ["string", "null"], "maxLength": 255}
TYPE: Plain = {"type": "string", "minLength": 1, "maxLength": 255}
CONTENTS: Plain = {"type": "string", "minLength": 1, "maxLength": 400_000}
FLAGS = (
    "all_tenants",
    "auto_apply",
    "visible",
    "live_update",
    "priority_apply",
    "full_access",
)
WIDENED = ("all_datastores", "all_datastore_versions")

COMMON: Plain = {
    "name": schemas.NAME,
    "module_type": TYPE,
    "type": TYPE,
    "contents": CONTENTS,
    "description": {"type": ["string", "null"], "maxLength": 2000},
    "datastore": {
        "type": ["object", "null"],
        "properties": {"type": TEXT, "version": TEXT},
    },
    "apply_order": {"type": "integer", "minimum": 0, "maximum": 9},
    **{flag: {**schemas.FLAG} for flag in FLAGS},
}
CREATE: Plain = {
    "type": "object",
    "required": ["name", "contents"],
    "anyOf": [{"required": ["module_type"]}, {"required": ["type"]}],
    "properties": COMMON,
}
CHANGE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {**COMMON, **{flag: {**schemas.FLAG} for flag in WIDENED}},
}
REAPPLY: Plain = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "md5": {"type": "string", "pattern": r"\A[0-9a-fA-F]{32}\Z"},
        "include_clustered": {**schemas.FLAG},
        "batch_size": {"type": "integer", "minimum": 1, "maximum": 1000},
        "batch_delay": {"type": "integer", "minimum": 0, "maximum": 86400},
        "force": {**schemas.FLAG},
    },
}

DATASTORE = Query("datastore", "Only those for this datastore, by name or id.", WORD)
COUNT = Query(
    "count_only", "How many instances have which contents, instead of them.", TRUTH
)

BATCH, PAUSE = 50, 2
"""Instances at once, and seconds between two such, where nobody says otherwise."""


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("modules"))
    found = modules.page(
        ask.services,
        ask.context,
        ask.owner,
        wanted.limit,
        wanted.marker,
        ask.query.get("datastore"),
    )
    return paging.Page(*found)


def show(ask: Ask) -> typing.Any:
    return modules.show(ask.services, ask.ids["id"], ask.project)


def create(ask: Ask) -> typing.Any:
    type, asked = _asked(ask.body["module"])
    return modules.create(
        ask.services, ask.context, ask.owner, typing.cast(str, type), asked
    )


def change(ask: Ask) -> typing.Any:
    type, asked = _asked(ask.body["module"])
    return modules.change(
        ask.services, ask.context, ask.ids["id"], ask.project, ask.owner, type, asked
    )


def delete(ask: Ask) -> None:
    modules.delete(ask.services, ask.context, ask.ids["id"], ask.project)


def having(ask: Ask) -> typing.Any:
    """The instances; or with ``count_only`` how many have which contents."""
    id = ask.ids["id"]
    if _truth(ask.query.get("count_only")):
        return paging.Page(
            [
                (module, count)
                for module, counts in [modules.counts(ask.services, id, ask.project)]
                for count in counts
            ]
        )
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("instances"))
    return paging.Page(
        *modules.having(ask.services, id, ask.project, wanted.limit, wanted.marker)
    )


def reapply(ask: Ask) -> None:
    asked: Plain = ask.body["reapply"] or {}
    md5 = asked.get("md5")
    instancemodules.reapply(
        ask.services,
        ask.context,
        ask.owner,
        ask.ids["id"],
        ask.project,
        ReapplyModule(asked.get("batch_size", BATCH), asked.get("batch_delay", PAUSE)),
        md5=md5.lower() if md5 else None,
        force=bool(asked.get("force")),
    )


def _asked(body: Plain) -> tuple[str | None, Plain]:
    """The type under either of its names, and the rest with flags that are booleans."""
    said = dict(body)
    types = [said.pop(name, None) for name in ("module_type", "type")]
    for flag in (*FLAGS, *WIDENED):
        if flag in said:
            said[flag] = bool(said[flag])
    target = said.pop("datastore", None)
    if target:
        said["target"] = Target(
            target.get("type") or None, target.get("version") or None
        )
    return types[0] or types[1], said


def _truth(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes")


def item(ask: Ask, found: typing.Any) -> Plain:
    """Of a list."""
    row = found.row
    return {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "description": row.description,
        "tenant_id": row.project,
        "tenant": row.project or "all",
        "datastore_id": row.datastore_id,
        "datastore": found.datastore or "all",
        "datastore_version_id": row.version_id,
        "datastore_version": found.version or "all",
        "auto_apply": row.auto_apply,
        "priority_apply": row.priority_apply,
        "apply_order": row.apply_order,
        "is_admin": row.is_admin,
        "md5": row.md5,
        "visible": row.visible,
        "created": shown(row.created),
        "updated": shown(row.updated),
    }


def changed(ask: Ask, found: typing.Any) -> Plain:
    """Of one that was made or changed."""
    return item(ask, found) | {"live_update": found.row.live_update}


def whole(ask: Ask, found: typing.Any) -> Plain:
    """Alone."""
    return changed(ask, found) | {"instance_count": found.instances}


def instance(ask: Ask, found: typing.Any) -> Plain:
    """An instance that has it; or a line of the counts."""
    if not isinstance(found, tuple):
        return summary(ask, found)
    module, count = found
    return {
        "module_id": module.row.id,
        "module_name": module.row.name,
        "module_md5": count.md5,
        "instance_count": count.instances,
        "current": count.md5 == module.row.md5,
        "min_updated_date": shown(count.first),
        "max_updated_date": shown(count.last),
    }


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    return Op(method, path, do, f"module:{rule}", said=said, **about)


RESOURCES = (
    Resource(
        "module",
        "modules",
        (
            _op(
                "GET",
                "",
                page,
                "index",
                "List modules.",
                view=item,
                many=True,
                queries=(*PAGING, DATASTORE),
            ),
            _op("GET", "{id}", show, "show", "Show a module.", view=whole),
            _op(
                "POST",
                "",
                create,
                "create",
                "Make a module.",
                who=MEMBER,
                body=CREATE,
                view=changed,
            ),
            _op(
                "PUT",
                "{id}",
                change,
                "update",
                "Change a module.",
                who=MEMBER,
                body=CHANGE,
                view=changed,
            ),
            _op(
                "DELETE",
                "{id}",
                delete,
                "delete",
                "Delete a module that no instance has.",
                who=MEMBER,
            ),
            _op(
                "GET",
                "{id}/instances",
                having,
                "instances",
                "List the instances that have a module; ``count_only`` counts them.",
                view=instance,
                many=True,
                queries=(*PAGING, CLUSTERED, COUNT),
                wrap="instances",
            ),
            _op(
                "PUT",
                "{id}/instances",
                reapply,
                "reapply",
                "Apply a module again on all instances that have it, in batches.",
                who=MEMBER,
                body=REAPPLY,
                root="reapply",
                status=202,
            ),
        ),
    ),
)
