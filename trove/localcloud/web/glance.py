# SPDX-License-Identifier: Apache-2.0
"""Glance: images listed and shown."""

import typing

from trove.localcloud import things
from trove.localcloud.web import calls

View = dict[str, typing.Any]


def _view(row: things.Image) -> View:
    return {
        "id": row.id,
        "name": row.name,
        "status": "active",
        "visibility": "public",
        "protected": True,
        "os_hidden": False,
        "owner": row.project,
        "tags": list(row.tags),
        "container_format": "bare",
        "disk_format": "raw",
        "size": 0,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "min_disk": 0,
        "min_ram": 0,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
        "self": f"/v2/images/{row.id}",
        "file": f"/v2/images/{row.id}/file",
        "schema": "/v2/schemas/image",
    }


def _sorted(call: calls.Call, rows: list[things.Image]) -> list[things.Image]:
    """Newest first, unless the request says otherwise."""
    asked = call.request.GET
    key, _, direction = asked.get("sort", "").partition(",")[0].partition(":")
    key = key or asked.get("sort_key", "created_at")
    direction = direction or asked.get("sort_dir", "desc")
    keys: dict[str, typing.Callable[[things.Image], typing.Any]] = {
        "created_at": lambda row: (row.created, row.id),
        "updated_at": lambda row: (row.updated, row.id),
        "name": lambda row: row.name,
        "id": lambda row: row.id,
    }
    chosen = keys.get(key, keys["created_at"])
    return sorted(rows, key=chosen, reverse=direction != "asc")


def index(call: calls.Call) -> calls.Answer:
    """GET /v2/images"""
    asked = call.request.GET
    with call.cloud.store.transaction() as tx:
        rows = tx.all(things.Image)
    wanted = set(asked.getall("tag"))
    rows = [row for row in rows if wanted <= set(row.tags)]
    for key, value in asked.items():
        if key in ("name", "id", "status", "visibility", "owner", "disk_format"):
            rows = [row for row in rows if _view(row)[key] == value]
    rows, more = calls.page(
        _sorted(call, rows), asked.get("limit", "1000"), asked.get("marker")
    )
    said: View = {
        "images": [_view(row) for row in rows],
        "schema": "/v2/schemas/images",
        "first": "/v2/images",
    }
    if more:
        said["next"] = f"/v2/images?marker={rows[-1].id}"
    return said


def show(call: calls.Call, id: str) -> calls.Answer:
    """GET /v2/images/{id}"""
    with call.cloud.store.transaction() as tx:
        row = tx.get(things.Image, id)
    if row is None:
        raise calls.Fault(404, f"No image found with ID {id}")
    return _view(row)


ROUTES = (
    calls.route("GET", "v2/images", index),
    calls.route("GET", "v2/images/{id}", show),
)
