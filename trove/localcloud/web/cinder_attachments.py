# SPDX-License-Identifier: Apache-2.0
"""Cinder: reservations of volumes for servers, as Nova makes and ends them."""

import typing

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls

View = dict[str, typing.Any]
RESERVED = "reserved"


def _view(row: things.Attachment) -> View:
    status = row.state if row.state != "detaching" else "attached"
    return {
        "id": row.id,
        "instance": row.server,
        "volume_id": row.id,
        "status": status,
    }


def _get(call: calls.Call, tx: stores.Transaction, id: str) -> things.Attachment:
    row = tx.get(things.Attachment, id)
    if row is None or not call.mine(row):
        raise calls.Fault(404, f"Volume attachment could not be found with id {id}.")
    return row


def index(call: calls.Call) -> calls.Answer:
    """GET /attachments"""
    wanted = call.request.GET.get("volume_id")
    with call.cloud.store.transaction() as tx:
        rows = [row for row in tx.all(things.Attachment) if call.mine(row)]
    shown = [_view(row) for row in rows if wanted in (None, row.id)]
    return {"attachments": shown}


def create(call: calls.Call) -> calls.Answer:
    """POST /attachments: without a connector, a reservation."""
    body = call.body("attachment")
    id, server = str(body.get("volume_uuid")), str(body.get("instance_uuid"))
    with call.cloud.store.transaction() as tx:
        volume = tx.get(things.Volume, id)
        if volume is None or not call.mine(volume):
            raise calls.Fault(404, f"Volume {id} could not be found.")
        if volume.status != "available":
            raise calls.Fault(
                400, f"Invalid volume: status must be available: {volume.status}"
            )
        now = tx.now()
        row = things.Attachment(
            id, volume.project, "", now, now, server, node="", state=RESERVED
        )
        volume.status = RESERVED
        tx.put(volume)
        tx.put(row)
    return {"attachment": _view(row)}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /attachments/{id}: what a server has is its own to give back."""
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        if row.state != RESERVED:
            raise calls.Fault(409, f"Volume {id} is in use by a server.")
        volume = tx.get(things.Volume, row.id)
        if volume is not None:
            volume.status = "available"
            tx.put(volume)
        tx.drop(row)
    return {"attachments": []}


_top = "v3/{project_id}/attachments"
ROUTES = (
    calls.route("GET", _top, index),
    calls.route("GET", f"{_top}/detail", index),
    calls.route("POST", _top, create),
    calls.route("DELETE", f"{_top}/{{id}}", delete),
)
