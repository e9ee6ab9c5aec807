# SPDX-License-Identifier: Apache-2.0
"""The management of instances (contract, section 17)."""

import typing

from trove import errors
from trove.actions import changes, managed, upgrades
from trove.api import paging
from trove.api.dates import shown
from trove.api.queries import CLUSTERED, PAGING, TRUTH, WORD, Query
from trove.api.resource import ADMIN, EMPTY, Action, Ask, Op, Plain, Resource
from trove.api.resources.instances import DELETES, delete, reset_status, token
from trove.api.resources.instanceviews import GIGABYTE, detail
from trove.model import health
from trove.model.states import Task

TASKS = {
    Task.NONE: "No tasks for the instance.",
    Task.BUILDING: "The instance is building.",
    Task.REBOOTING: "Rebooting the instance.",
    Task.RESIZING: "Resizing the instance.",
    Task.UPGRADING: "Upgrading the instance.",
    Task.REBUILDING: "The instance is building.",
    Task.MIGRATING: "Migrating the instance.",
    Task.UPDATING: "Updating the instance.",
    Task.BACKING_UP: "Backing up the instance.",
    Task.PROMOTING: "Promoting the instance to replica source.",
    Task.EJECTING: "Ejecting the replica source.",
    Task.DETACHING: "Detaching the instance from replica source.",
    Task.LOGGING: "Transferring guest logs.",
    Task.DELETING: "Deleting the instance.",
    Task.FAILED: "Build error.",
}
"""The words of the contract, 7.3."""

DELETED = Query("deleted", "Those that are deleted, or those that are not.", TRUTH)
PROJECT = Query("project_id", "Only those of this project.", WORD)
REBUILD: Plain = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image_id"],
    "properties": {"image_id": {"type": "string", "maxLength": 64}},
}
UPGRADE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "instance_version": {"type": ["string", "null"], "maxLength": 255},
        "location": {"type": ["string", "null"], "maxLength": 2048},
        "metadata": {"type": ["object", "null"]},
    },
}
REFUSED = {
    "location": "An agent comes with the image of its datastore version; nothing is "
    "fetched from an address. Leave the location out.",
    "metadata": "Nothing would come of the metadata. Leave them out.",
}
"""Of an upgrade, what Trove hands to an agent, which then fetches and runs what it is
told to. A guest of ours takes no code from a message."""
MIGRATE: Plain = {
    "type": ["object", "null"],
    "properties": {"host": {"type": ["string", "null"], "maxLength": 255}},
}


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("instances"))
    found = managed.page(
        ask.services,
        deleted=ask.query.truth("deleted"),
        project=ask.query.get("project_id"),
        limit=wanted.limit,
        marker=wanted.marker,
    )
    return paging.Page(*found)


def show(ask: Ask) -> typing.Any:
    return managed.show(ask.services, ask.ids["id"], bool(ask.query.truth("deleted")))


def view(ask: Ask, seen: typing.Any) -> Plain:
    """An item of the list: nothing of it is asked of the cloud."""
    row = seen.instance
    expiry = ask.services.settings.heartbeat_expiry
    service = "NEW"  # until its guest has said something
    if seen.report:
        service = health.health(seen.report.service, seen.age, expiry)
    server = None
    if row.server_id:
        server = {"id": row.server_id, "name": row.name, "tenant_id": row.project}
    return detail(ask, seen) | {
        "server": server,
        "service_status": service,
        "tenant_id": row.project,
        "deleted": row.deleted_at is not None,
        "deleted_at": shown(row.deleted_at),
        "task_description": TASKS[Task(row.task)],
    }


def whole(ask: Ask, found: typing.Any) -> Plain:
    """With what the cloud says; a status that nobody told is UNKNOWN."""
    seen, server, volume = found.seen, found.server, found.volume
    said = view(ask, seen)
    if said["server"] is not None and (server is not None or not found.silent):
        said["server"] |= {
            "status": server.status if server else "DELETED",
            "deleted": server is None,
            "host": server.host if server else None,
            "addresses": {"private": [{"addr": a} for a in server.addresses]}
            if server
            else {},
        }
    elif said["server"] is not None:
        said["server"]["status"] = "UNKNOWN"
    if volume is not None:
        said["volume"] = {
            **said.get("volume", {}),
            "id": volume.id,
            "size": volume.size,
            "status": volume.status,
            "attachments": [{"server_id": each} for each in volume.servers],
            **_disk(seen.report),
        }
    said["root_enabled"] = shown(found.enabling.at) if found.root else None
    said["root_enabled_by"] = found.enabling.user if found.root else None
    said["guest_status"] = {"state_description": said["service_status"].lower()}
    return said


def _disk(report: typing.Any) -> Plain:
    if report is None or report.disk_used is None or not report.disk_total:
        return {}
    return {
        "used": round(report.disk_used / GIGABYTE, 2),
        "total": round(report.disk_total / GIGABYTE, 2),
    }


def ping(ask: Ask) -> None:
    managed.ping(ask.services, ask.context, ask.ids["id"])


def machine(ask: Ask) -> Plain:
    return managed.machine(ask.services, ask.context, ask.ids["id"])


def hardware(ask: Ask, found: Plain) -> Plain:
    """``mem_total`` in MiB."""
    return {"mem_total": found["memory"] // 1024, "num_cpus": found["cpus"]}


def diagnostics(ask: Ask, found: Plain) -> Plain:
    """Of the agent's process; sizes in kB, under the names that clients know."""
    own = found["process"]
    return {
        "version": found["version"],
        "threads": own.get("Threads"),
        "fdSize": own.get("FDSize"),
        "vmSize": own.get("VmSize"),
        "vmPeak": own.get("VmPeak"),
        "vmRss": own.get("VmRSS"),
        "vmHwm": own.get("VmHWM"),
    }


def rebuild(ask: Ask) -> None:
    image = ask.body["rebuild"]["image_id"]
    upgrades.rebuild(ask.services, ask.context, ask.ids["id"], image, token(ask))


def migrate(ask: Ask) -> None:
    host = (ask.body["migrate"] or {}).get("host") or None
    changes.migrate(ask.services, ask.context, ask.ids["id"], host, token(ask))


def upgrade(ask: Ask) -> None:
    asked: Plain = ask.body["upgrade"]
    for name, sentence in REFUSED.items():
        if asked.get(name) is not None:
            raise errors.Invalid(sentence)
    wanted = asked.get("instance_version")
    upgrades.refresh(ask.services, ask.context, ask.ids["id"], wanted, token(ask))


def _deed(do: typing.Any) -> typing.Callable[[Ask], None]:
    def act(ask: Ask) -> None:
        do(ask.services, ask.context, ask.ids["id"], token(ask))

    return act


def _action(do: typing.Any, rule: str, body: Plain = EMPTY) -> Action:
    return Action(do, f"mgmt_instance:{rule}", body, who=ADMIN)


ACTIONS: dict[str, Action | tuple[Action, ...]] = {
    "reset-task-status": _action(reset_status, "reset_task_status"),
    "stop": _action(_deed(changes.stop), "stop"),
    "reboot": _action(_deed(changes.reboot), "reboot"),
    "migrate": _action(migrate, "migrate", MIGRATE),
    "rebuild": _action(rebuild, "rebuild", REBUILD),
}


def _asked(noun: str, do: typing.Any, said: str, **about: typing.Any) -> Resource:
    """What a guest is asked, at a path of its own."""
    op = Op("GET", "", do, f"mgmt_instance:{noun}", who=ADMIN, said=said, **about)
    return Resource(noun, noun, (op,), path=f"mgmt/instances/{{id}}/{noun}")


RESOURCES = (
    Resource(
        "instance",
        "instances",
        (
            Op(
                "GET",
                "",
                page,
                "mgmt_instance:index",
                who=ADMIN,
                view=view,
                many=True,
                queries=(*PAGING, CLUSTERED, DELETED, PROJECT),
                said="List the instances of every project, deleted ones too.",
            ),
            Op(
                "GET",
                "{id}",
                show,
                "mgmt_instance:show",
                who=ADMIN,
                view=whole,
                queries=(DELETED,),
                said="Show an instance, with what the cloud says of it.",
            ),
            Op(
                "DELETE",
                "{id}",
                delete,
                "mgmt_instance:delete",
                who=ADMIN,
                dry=True,
                status=202,
                queries=DELETES,
                said="Delete an instance, whoever's it is.",
            ),
            *Op.actions(
                "{id}/action",
                ACTIONS,
                who=ADMIN,
                dry=True,
                said="Reset, stop, reboot, migrate or rebuild an instance.",
            ),
            Op(
                "POST",
                "{id}/upgrade",
                upgrade,
                "mgmt_instance:upgrade",
                who=ADMIN,
                body=UPGRADE,
                root="upgrade",
                status=202,
                dry=True,
                said="Build an instance anew on the newest image of its version, for "
                "the agent that comes with it.",
            ),
        ),
        path="mgmt/instances",
    ),
    _asked("hwinfo", machine, "Ask a guest for its machine's size.", view=hardware),
    _asked(
        "diagnostics", machine, "Ask a guest for its agent's process.", view=diagnostics
    ),
    _asked("rpc_ping", ping, "Ask a guest whether it hears.", status=204),
)
