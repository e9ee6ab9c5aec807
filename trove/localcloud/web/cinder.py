# SPDX-License-Identifier: Apache-2.0
"""Cinder: volumes and their metadata."""

import typing
import uuid

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import (
    calls,
    cinder_attachments,
    cinder_snapshots,
    nova_boot,
)

View = dict[str, typing.Any]
TYPE = "local"
LARGEST = 16384
"""GiB: more than a file system below may hold is not sparse, it is a mistake."""
IN_USE_SINCE = (3, 42)
STAMP = calls.MICROSECONDS


def _get(call: calls.Call, tx: stores.Transaction, id: str) -> things.Volume:
    volume = tx.get(things.Volume, id)
    if volume is None or not call.mine(volume):
        raise calls.Fault(404, f"Volume {id} could not be found.")
    return volume


def _find(call: calls.Call, id: str) -> things.Volume:
    with call.cloud.store.transaction() as tx:
        return _get(call, tx, id)


def _links(call: calls.Call, id: str) -> list[View]:
    return [
        {"rel": "self", "href": call.url("v3", call.project, "volumes", id)},
        {"rel": "bookmark", "href": call.url(call.project, "volumes", id)},
    ]


def _view(
    call: calls.Call, row: things.Volume, held: dict[str, things.Attachment]
) -> View:
    attachment = held.get(row.id)
    if attachment and attachment.state == cinder_attachments.RESERVED:
        attachment = None
    shown: View = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "size": row.size,
        "status": row.status,
        "created_at": calls.iso(row.created, STAMP),
        "updated_at": calls.iso(row.updated, STAMP),
        "volume_type": row.type,
        "availability_zone": row.zone,
        "metadata": dict(row.metadata),
        "attachments": [_attached(row, attachment)] if attachment else [],
        "bootable": "true" if row.image else "false",
        "encrypted": False,
        "multiattach": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "snapshot_id": row.snapshot,
        "source_volid": None,
        "user_id": row.user,
        "links": _links(call, row.id),
    }
    if call.admin:
        shown["os-vol-tenant-attr:tenant_id"] = row.project
        shown["os-vol-host-attr:host"] = call.cloud.settings.hostname
        shown["migration_status"] = None
    return shown


def _attached(row: things.Volume, attachment: things.Attachment) -> View:
    return {
        "id": row.id,
        "volume_id": row.id,
        "attachment_id": row.id,
        "server_id": attachment.server,
        "device": attachment.node,
        "host_name": None,
        "attached_at": calls.iso(attachment.created, STAMP),
    }


def _held(call: calls.Call) -> dict[str, things.Attachment]:
    with call.cloud.store.transaction() as tx:
        return {row.id: row for row in tx.all(things.Attachment)}


def _fits(row: things.Volume, key: str, value: str) -> bool:
    if key == "metadata":
        return calls.marks(value).items() <= row.metadata.items()
    if key in ("name", "display_name"):
        return row.name == value
    if key in ("status", "id"):
        return str(getattr(row, key)) == value
    if key in ("volume_type", "availability_zone"):
        return value in (row.type, row.zone)
    return True


def _listed(call: calls.Call) -> tuple[list[things.Volume], bool]:
    asked = call.request.GET
    with call.cloud.store.transaction() as tx:
        rows = tx.all(things.Volume)
    if not call.all_projects():
        rows = [row for row in rows if row.project == call.project]
    for key, value in asked.items():
        rows = [row for row in rows if _fits(row, key, value)]
    rows.reverse()
    return calls.page(rows, asked.get("limit", "1000"), asked.get("marker"))


def _list(call: calls.Call, kind: str, view: typing.Callable[..., View]) -> View:
    rows, more = _listed(call)
    said: View = {"volumes": [view(row) for row in rows]}
    if more:
        href = f"{call.url('v3', call.project, kind)}?marker={rows[-1].id}"
        said["volumes_links"] = [{"rel": "next", "href": href}]
    return said


def index(call: calls.Call) -> calls.Answer:
    """GET /volumes"""
    return _list(
        call,
        "volumes",
        lambda row: {"id": row.id, "name": row.name, "links": _links(call, row.id)},
    )


def details(call: calls.Call) -> calls.Answer:
    """GET /volumes/detail"""
    held = _held(call)
    return _list(call, "volumes/detail", lambda row: _view(call, row, held))


def show(call: calls.Call, id: str) -> calls.Answer:
    """GET /volumes/{id}"""
    return {"volume": _view(call, _find(call, id), _held(call))}


def _size(value: object) -> int:
    try:
        size = int(str(value))
    except ValueError:
        size = 0
    if not 1 <= size <= LARGEST:
        raise calls.Fault(
            400,
            f"Invalid input received: Volume size '{value}' must be an integer "
            f"and between 1 and {LARGEST}",
        )
    return size


def create(call: calls.Call) -> calls.Answer:
    """POST /volumes"""
    body = call.body("volume")
    if body.get("volume_type") not in (None, TYPE):
        raise calls.Fault(404, f"Volume type {body['volume_type']} could not be found.")
    zone = body.get("availability_zone") or call.cloud.settings.zone
    if zone != call.cloud.settings.zone:
        raise calls.Fault(400, f"Availability zone '{zone}' is invalid.")
    size, snapshot = _size(body.get("size")), body.get("snapshot_id")
    with call.cloud.store.transaction() as tx:
        if snapshot is not None:
            cinder_snapshots.check_source(call, tx, str(snapshot), size)
        now = tx.now()
        row = things.Volume(
            id=str(uuid.uuid4()),
            project=call.project,
            name=str(body.get("name") or ""),
            created=now,
            updated=now,
            size=size,
            status="creating",
            description=str(body.get("description") or ""),
            zone=zone,
            user=call.user,
            metadata=nova_boot.checked_metadata(body.get("metadata")),
            snapshot=None if snapshot is None else str(snapshot),
        )
        tx.put(row)
    call.cloud.keeper.wake(things.Volume, row.id)
    return {"volume": _view(call, row, {})}


def update(call: calls.Call, id: str) -> calls.Answer:
    """PUT /volumes/{id}: name, description, metadata."""
    body = call.body("volume")
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        row.name = str(body.get("name", body.get("display_name", row.name)) or "")
        row.description = str(body.get("description", row.description) or "")
        if "metadata" in body:
            row.metadata = nova_boot.checked_metadata(body["metadata"])
        tx.put(row)
    return {"volume": _view(call, row, _held(call))}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /volumes/{id}: not while a server has it."""
    _delete(call, id, ("available", "error", "error_extending", "error_deleting"))


def _delete(call: calls.Call, id: str, states: tuple[str, ...]) -> None:
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        if row.status == "deleting":
            return
        held = tx.get(things.Attachment, id) or cinder_snapshots.any_of(tx, id)
        if row.status not in states or held:
            raise calls.Fault(
                400,
                "Invalid volume: Volume status must be available or error or "
                "error_restoring or error_extending or error_managing and must not be "
                "migrating, attached, belong to a group, have snapshots.",
            )
        row.status = "deleting"
        tx.put(row)
    call.cloud.keeper.wake(things.Volume, id)


def _extend(call: calls.Call, id: str, values: View) -> None:
    size = _size(values.get("new_size"))
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        allowed = ["available"]
        if call.version >= IN_USE_SINCE:
            allowed.append("in-use")
        if row.status not in allowed:
            raise calls.Fault(
                400,
                f"Invalid volume: Volume {id} status must be {' or '.join(allowed)} to "
                f"extend, currently {row.status}.",
            )
        if size <= row.size:
            raise calls.Fault(
                400,
                f"Invalid input received: New size for extend must be greater than "
                f"current size. (current: {row.size}, extended: {size}).",
            )
        row.size, row.status = size, "extending"
        tx.put(row)
    call.cloud.keeper.wake(things.Volume, id)


def _force(call: calls.Call, id: str, values: View) -> None:
    _administrator(call)
    states = ("available", "error", "error_extending", "error_deleting", "in-use")
    _delete(call, id, states)


def _reset(call: calls.Call, id: str, values: View) -> None:
    _administrator(call)
    status = str(values.get("status"))
    if status not in ("available", "error", "in-use"):
        raise calls.Fault(400, f"Invalid status: {status}")
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        row.status = status
        tx.put(row)


def _administrator(call: calls.Call) -> None:
    if not call.admin:
        raise calls.Fault(403, "Policy doesn't allow this to be performed.")


ACTIONS = {"os-extend": _extend, "os-force_delete": _force, "os-reset_status": _reset}


def act(call: calls.Call, id: str) -> calls.Answer:
    """POST /volumes/{id}/action"""
    body = call.body()
    name = next(iter(body), "")
    if name not in ACTIONS:
        raise calls.Fault(400, f"There is no such action: {name}")
    ACTIONS[name](call, id, body[name] if isinstance(body[name], dict) else {})


def metadata(call: calls.Call, id: str) -> calls.Answer:
    """GET /volumes/{id}/metadata"""
    return {"metadata": _find(call, id).metadata}


def set_metadata(call: calls.Call, id: str) -> calls.Answer:
    """POST adds to the metadata, PUT replaces it."""
    given = nova_boot.checked_metadata(call.body("metadata"))
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        row.metadata = given if call.request.method == "PUT" else row.metadata | given
        tx.put(row)
    return {"metadata": row.metadata}


def delete_metadata(call: calls.Call, id: str, key: str) -> calls.Answer:
    """DELETE /volumes/{id}/metadata/{key}"""
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        if row.metadata.pop(key, None) is None:
            raise calls.Fault(404, "Metadata item was not found")
        tx.put(row)


def _type(call: calls.Call) -> View:
    return {
        "id": TYPE,
        "name": TYPE,
        "description": "Sparse files on this host",
        "is_public": True,
        "os-volume-type-access:is_public": True,
        "extra_specs": {},
        "qos_specs_id": None,
    }


def types(call: calls.Call) -> calls.Answer:
    """GET /types"""
    return {"volume_types": [_type(call)]}


def type_(call: calls.Call, id: str) -> calls.Answer:
    """GET /types/{id}"""
    if id not in (TYPE, "default"):
        raise calls.Fault(404, f"Volume type {id} could not be found.")
    return {"volume_type": _type(call)}


def limits(call: calls.Call) -> calls.Answer:
    """GET /limits"""
    absolute = {"maxTotalVolumes": -1, "maxTotalVolumeGigabytes": -1}
    return {"limits": {"rate": [], "absolute": absolute}}


def zones(call: calls.Call) -> calls.Answer:
    """GET /os-availability-zone"""
    zone = {"zoneName": call.cloud.settings.zone, "zoneState": {"available": True}}
    return {"availabilityZoneInfo": [zone]}


_top = "v3/{project_id}"
_volume = f"{_top}/volumes/{{id}}"
ROUTES = (
    calls.route("GET", f"{_top}/volumes", index),
    calls.route("GET", f"{_top}/volumes/detail", details),
    calls.route("POST", f"{_top}/volumes", create, 202),
    calls.route("GET", _volume, show),
    calls.route("PUT", _volume, update),
    calls.route("DELETE", _volume, delete, 202),
    calls.route("POST", f"{_volume}/action", act, 202),
    calls.route("GET", f"{_volume}/metadata", metadata),
    calls.route("POST", f"{_volume}/metadata", set_metadata),
    calls.route("PUT", f"{_volume}/metadata", set_metadata),
    calls.route("DELETE", f"{_volume}/metadata/{{key}}", delete_metadata),
    calls.route("GET", f"{_top}/types", types),
    calls.route("GET", f"{_top}/types/{{id}}", type_),
    calls.route("GET", f"{_top}/limits", limits),
    calls.route("GET", f"{_top}/os-availability-zone", zones),
    *cinder_attachments.ROUTES,
    *cinder_snapshots.ROUTES,
)
