# SPDX-License-Identifier: Apache-2.0
"""Nova: servers made, listed, shown, renamed and deleted."""

import datetime
import re
import typing

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls, nova_boot, nova_views


def find(call: calls.Call, id: str) -> things.Server:
    """A server that is there and the caller may see."""
    with call.cloud.store.transaction() as tx:
        return get(call, tx, id)


def get(call: calls.Call, tx: stores.Transaction, id: str) -> things.Server:
    """The same, within a transaction."""
    server = tx.get(things.Server, id)
    if server is None or server.deleted is not None or not call.mine(server):
        raise calls.Fault(404, f"Instance {id} could not be found.")
    return server


def _moment(text: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise calls.Fault(
            400, f"Invalid filter value for changes-since: {text}"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp()


def _words(text: str) -> set[str]:
    return {word for word in text.split(",") if word}


def _fits(call: calls.Call, server: things.Server, key: str, value: str) -> bool:
    tags = set(server.tags)
    if key in ("tags", "tags-any", "not-tags", "not-tags-any"):
        if call.version < (2, 26):
            return True
        asked = _words(value)
        found = asked <= tags if key in ("tags", "not-tags") else bool(asked & tags)
        return found is not key.startswith("not-")
    if key == "name":
        try:
            return re.search(value, server.name) is not None
        except re.error:
            raise calls.Fault(400, f"Invalid filter: name {value}") from None
    if key == "status":
        return nova_views.status(server) == value.upper()
    if key in ("flavor", "image"):
        return str(getattr(server, key)) == value
    if key == "uuid":
        return server.id == value
    if key in ("project_id", "tenant_id") and call.all_projects():
        return server.project == value
    return True


def _listed(call: calls.Call) -> tuple[list[things.Server], bool]:
    asked = call.request.GET
    with call.cloud.store.transaction() as tx:
        rows = tx.all(things.Server)
    if not call.all_projects():
        rows = [row for row in rows if row.project == call.project]
    if since := asked.get("changes-since", asked.get("changes_since")):
        after = _moment(since)
        # Deleted servers are in this list: it says what changed.
        rows = [row for row in rows if row.updated >= after]
    else:
        rows = [row for row in rows if row.deleted is None]
    for key in asked:
        for value in asked.getall(key):
            rows = [row for row in rows if _fits(call, row, key, value)]
    rows.reverse()
    return calls.page(rows, asked.get("limit", "1000"), asked.get("marker"))


def _list(
    call: calls.Call, view: typing.Callable[[things.Server], nova_views.View], kind: str
) -> nova_views.View:
    rows, more = _listed(call)
    said: nova_views.View = {"servers": [view(row) for row in rows]}
    if more:
        href = f"{call.url('v2.1', kind)}?marker={rows[-1].id}"
        said["servers_links"] = [{"rel": "next", "href": href}]
    return said


def index(call: calls.Call) -> calls.Answer:
    """GET /servers"""
    return _list(call, lambda row: nova_views.summary(call, row), "servers")


def details(call: calls.Call) -> calls.Answer:
    """GET /servers/detail"""
    rows = nova_views.around(call)
    return _list(call, lambda row: nova_views.detail(call, row, rows), "servers/detail")


def show(call: calls.Call, id: str) -> calls.Answer:
    """GET /servers/{id}"""
    server = find(call, id)
    return {"server": nova_views.detail(call, server, nova_views.around(call))}


def create(call: calls.Call) -> calls.Answer:
    """POST /servers"""
    body = call.body("server")
    with call.cloud.store.transaction() as tx:
        server = nova_boot.order(call, tx, body)
    call.cloud.keeper.wake(things.Server, server.id)
    return {
        "server": {
            "id": server.id,
            "links": nova_views.links(call, "servers", server.id),
            "OS-DCF:diskConfig": "MANUAL",
            "security_groups": [{"name": "default"}],
            "adminPass": stores.random_word(12),
        }
    }


def update(call: calls.Call, id: str) -> calls.Answer:
    """PUT /servers/{id}: the name."""
    body = call.body("server")
    with call.cloud.store.transaction() as tx:
        server = get(call, tx, id)
        server.name = nova_boot.checked_name(body.get("name", server.name))
        tx.put(server)
    return {"server": nova_views.detail(call, server, nova_views.around(call))}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /servers/{id}: in any state."""
    with call.cloud.store.transaction() as tx:
        server = get(call, tx, id)
        server.doing = "deleting"
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)
    return None
