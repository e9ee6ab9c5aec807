# SPDX-License-Identifier: Apache-2.0
"""Nova: the table of its calls, and the small resources beside servers."""

import typing
import uuid

from trove.localcloud import things
from trove.localcloud.web import calls, nova_actions, nova_servers, nova_views

View = dict[str, typing.Any]
POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")


def _flavor(call: calls.Call, id: str) -> things.Flavor:
    with call.cloud.store.transaction() as tx:
        row = tx.get(things.Flavor, id)
    if row is None:
        raise calls.Fault(404, f"Flavor {id} could not be found.")
    return row


def _flavors(call: calls.Call) -> list[things.Flavor]:
    with call.cloud.store.transaction() as tx:
        rows = tx.all(things.Flavor)
    rows.sort(key=lambda row: row.id)
    asked = call.request.GET
    return calls.page(rows, asked.get("limit"), asked.get("marker"))[0]


def flavors(call: calls.Call) -> calls.Answer:
    """GET /flavors"""
    shown = []
    for row in _flavors(call):
        entry: View = {"id": row.id, "name": row.name}
        if call.version >= (2, 55):
            entry["description"] = None
        entry["links"] = nova_views.links(call, "flavors", row.id)
        shown.append(entry)
    return {"flavors": shown}


def flavor_details(call: calls.Call) -> calls.Answer:
    """GET /flavors/detail"""
    return {"flavors": [nova_views.flavor(call, row) for row in _flavors(call)]}


def flavor(call: calls.Call, id: str) -> calls.Answer:
    """GET /flavors/{id}"""
    return {"flavor": nova_views.flavor(call, _flavor(call, id))}


def extra_specs(call: calls.Call, id: str) -> calls.Answer:
    """GET /flavors/{id}/os-extra_specs"""
    _flavor(call, id)
    return {"extra_specs": {}}


def zones(call: calls.Call) -> calls.Answer:
    """GET /os-availability-zone"""
    zone = {
        "zoneName": call.cloud.settings.zone,
        "zoneState": {"available": True},
        "hosts": None,
    }
    return {"availabilityZoneInfo": [zone]}


def limits(call: calls.Call) -> calls.Answer:
    """GET /limits"""
    absolute = {"maxTotalInstances": -1, "maxTotalCores": -1, "maxTotalRAMSize": -1}
    return {"limits": {"rate": [], "absolute": absolute}}


# -- server groups ---------------------------------------------------------------------


def _group_view(call: calls.Call, row: things.ServerGroup) -> View:
    with call.cloud.store.transaction() as tx:
        members = [
            server.id
            for server in tx.all(things.Server)
            if server.group == row.id and server.deleted is None
        ]
    shown: View = {"id": row.id, "name": row.name, "members": members}
    if call.version >= (2, 13):
        shown["project_id"], shown["user_id"] = row.project, row.user
    if call.version >= (2, 64):
        shown["policy"], shown["rules"] = row.policy, {}
    else:
        shown["policies"], shown["metadata"] = [row.policy], {}
    return shown


def groups(call: calls.Call) -> calls.Answer:
    """GET /os-server-groups"""
    with call.cloud.store.transaction() as tx:
        rows = tx.all(things.ServerGroup)
    if not call.all_projects():
        rows = [row for row in rows if row.project == call.project]
    return {"server_groups": [_group_view(call, row) for row in rows]}


def _group(call: calls.Call, id: str) -> things.ServerGroup:
    with call.cloud.store.transaction() as tx:
        row = tx.get(things.ServerGroup, id)
    if row is None or not call.mine(row):
        raise calls.Fault(404, f"Instance group {id} could not be found.")
    return row


def group(call: calls.Call, id: str) -> calls.Answer:
    """GET /os-server-groups/{id}"""
    return {"server_group": _group_view(call, _group(call, id))}


def create_group(call: calls.Call) -> calls.Answer:
    """POST /os-server-groups"""
    body = call.body("server_group")
    policies = body.get("policies")
    policy = body.get("policy") or (policies[0] if policies else None)
    if policy not in POLICIES:
        raise calls.Fault(400, f"Invalid input for field/attribute policy: {policy}")
    with call.cloud.store.transaction() as tx:
        now = tx.now()
        row = things.ServerGroup(
            id=str(uuid.uuid4()),
            project=call.project,
            name=str(body.get("name", "")),
            created=now,
            updated=now,
            policy=policy,
            user=call.user,
        )
        tx.put(row)
    return {"server_group": _group_view(call, row)}


def delete_group(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /os-server-groups/{id}"""
    row = _group(call, id)
    with call.cloud.store.transaction() as tx:
        tx.drop(row)


_server = "v2.1/servers/{id}"
_volume = f"{_server}/os-volume_attachments/{{volume}}"
ROUTES = (
    calls.route("GET", "v2.1/servers", nova_servers.index),
    calls.route("GET", "v2.1/servers/detail", nova_servers.details),
    calls.route("POST", "v2.1/servers", nova_servers.create, 202),
    calls.route("GET", _server, nova_servers.show),
    calls.route("PUT", _server, nova_servers.update),
    calls.route("DELETE", _server, nova_servers.delete, 204),
    calls.route("POST", f"{_server}/action", nova_actions.act),
    calls.route("GET", f"{_server}/os-volume_attachments", nova_actions.attachments),
    calls.route("POST", f"{_server}/os-volume_attachments", nova_actions.attach),
    calls.route("GET", _volume, nova_actions.show_attachment),
    calls.route("DELETE", _volume, nova_actions.detach, 202),
    calls.route("GET", f"{_server}/metadata", nova_actions.metadata),
    calls.route("POST", f"{_server}/metadata", nova_actions.set_metadata),
    calls.route("PUT", f"{_server}/metadata", nova_actions.set_metadata),
    calls.route(
        "DELETE", f"{_server}/metadata/{{key}}", nova_actions.delete_metadata, 204
    ),
    calls.route("GET", f"{_server}/tags", nova_actions.tags),
    calls.route("PUT", f"{_server}/tags", nova_actions.set_tags),
    calls.route("DELETE", f"{_server}/tags", nova_actions.delete_tags, 204),
    calls.route("GET", f"{_server}/tags/{{tag}}", nova_actions.has_tag, 204),
    calls.route("PUT", f"{_server}/tags/{{tag}}", nova_actions.add_tag, 201),
    calls.route("DELETE", f"{_server}/tags/{{tag}}", nova_actions.delete_tag, 204),
    calls.route("GET", "v2.1/flavors", flavors),
    calls.route("GET", "v2.1/flavors/detail", flavor_details),
    calls.route("GET", "v2.1/flavors/{id}", flavor),
    calls.route("GET", "v2.1/flavors/{id}/os-extra_specs", extra_specs),
    calls.route("GET", "v2.1/os-availability-zone", zones),
    calls.route("GET", "v2.1/limits", limits),
    calls.route("GET", "v2.1/os-server-groups", groups),
    calls.route("POST", "v2.1/os-server-groups", create_group),
    calls.route("GET", "v2.1/os-server-groups/{id}", group),
    calls.route("DELETE", "v2.1/os-server-groups/{id}", delete_group, 204),
)
