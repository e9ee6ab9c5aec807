# SPDX-License-Identifier: Apache-2.0
"""Cinder: snapshots of volumes."""

import typing
import uuid

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls, nova_boot

View = dict[str, typing.Any]
STAMP = calls.MICROSECONDS


def any_of(tx: stores.Transaction, volume: str) -> bool:
    """Whether there is a snapshot of this volume."""
    return any(each.volume == volume for each in tx.all(things.Snapshot))


def check_source(call: calls.Call, tx: stores.Transaction, id: str, size: int) -> None:
    """Refuses to make a volume of this size of that snapshot, where it cannot be."""
    row = _get(call, tx, id)
    if row.status != "available":
        raise calls.Fault(
            400,
            "Invalid snapshot: Originating snapshot status must be one of 'available' "
            f"values. It is {row.status}.",
        )
    if size < row.size:
        raise calls.Fault(
            400,
            f"Invalid input received: Volume size '{size}'GB cannot be smaller than "
            f"the snapshot size {row.size}GB. They must be >= original snapshot size.",
        )


def _get(call: calls.Call, tx: stores.Transaction, id: str) -> things.Snapshot:
    row = tx.get(things.Snapshot, id)
    if row is None or not call.mine(row):
        raise calls.Fault(404, f"Snapshot {id} could not be found.")
    return row


def _view(call: calls.Call, row: things.Snapshot) -> View:
    shown: View = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "size": row.size,
        "status": row.status,
        "volume_id": row.volume,
        "created_at": calls.iso(row.created, STAMP),
        "updated_at": calls.iso(row.updated, STAMP),
        "metadata": dict(row.metadata),
        "user_id": row.user,
    }
    if call.admin:
        shown["os-extended-snapshot-attributes:project_id"] = row.project
    return shown


def _fits(row: things.Snapshot, key: str, value: str) -> bool:
    if key == "metadata":
        return calls.marks(value).items() <= row.metadata.items()
    if key in ("name", "status"):
        return str(getattr(row, key)) == value
    return row.volume == value if key == "volume_id" else True


def index(call: calls.Call) -> calls.Answer:
    """GET /snapshots and /snapshots/detail, newest first"""
    asked = call.request.GET
    with call.cloud.store.transaction() as tx:
        rows = tx.all(things.Snapshot)
    if not call.all_projects():
        rows = [row for row in rows if row.project == call.project]
    for key, value in asked.items():
        rows = [row for row in rows if _fits(row, key, value)]
    rows.reverse()
    rows, more = calls.page(rows, asked.get("limit", "1000"), asked.get("marker"))
    said: View = {"snapshots": [_view(call, row) for row in rows]}
    if more:
        where = call.url("v3", call.project, "snapshots/detail")
        href = f"{where}?marker={rows[-1].id}"
        said["snapshots_links"] = [{"rel": "next", "href": href}]
    return said


def show(call: calls.Call, id: str) -> calls.Answer:
    """GET /snapshots/{id}"""
    with call.cloud.store.transaction() as tx:
        return {"snapshot": _view(call, _get(call, tx, id))}


def create(call: calls.Call) -> calls.Answer:
    """POST /snapshots: of a volume that a server has only by ``force``."""
    body = call.body("snapshot")
    volume_id = str(body.get("volume_id"))
    with call.cloud.store.transaction() as tx:
        volume = tx.get(things.Volume, volume_id)
        if volume is None or not call.mine(volume):
            raise calls.Fault(404, f"Volume {volume_id} could not be found.")
        states = ("available", "in-use") if body.get("force") else ("available",)
        if volume.status not in states:
            raise calls.Fault(
                400,
                f"Invalid volume: Volume {volume_id} status must be "
                f"{' or '.join(states)}, but current status is: {volume.status}.",
            )
        now = tx.now()
        row = things.Snapshot(
            id=str(uuid.uuid4()),
            project=call.project,
            name=str(body.get("name") or ""),
            created=now,
            updated=now,
            volume=volume_id,
            size=volume.size,
            status="creating",
            description=str(body.get("description") or ""),
            user=call.user,
            metadata=nova_boot.checked_metadata(body.get("metadata")),
        )
        tx.put(row)
    call.cloud.keeper.wake(things.Snapshot, row.id)
    return {"snapshot": _view(call, row)}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /snapshots/{id}: not while it, or a volume of it, is made."""
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        if row.status == "deleting":
            return None
        made = any(
            each.snapshot == id and each.status == "creating"
            for each in tx.all(things.Volume)
        )
        if made or row.status not in ("available", "error", "error_deleting"):
            raise calls.Fault(
                400,
                "Invalid snapshot: Snapshot status must be available or error or "
                "error_deleting.",
            )
        row.status = "deleting"
        tx.put(row)
    call.cloud.keeper.wake(things.Snapshot, id)
    return None


_top = "v3/{project_id}/snapshots"
ROUTES = (
    calls.route("GET", _top, index),
    calls.route("GET", f"{_top}/detail", index),
    calls.route("POST", _top, create, 202),
    calls.route("GET", f"{_top}/{{id}}", show),
    calls.route("DELETE", f"{_top}/{{id}}", delete, 202),
)
