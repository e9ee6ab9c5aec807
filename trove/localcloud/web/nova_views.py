# SPDX-License-Identifier: Apache-2.0
"""Servers and flavors as Nova shows them, by microversion."""

import hashlib
import typing

from trove.localcloud import things
from trove.localcloud.web import calls

View = dict[str, typing.Any]

STATUSES = {
    "building": "BUILD",
    "rebuilding": "REBUILD",
    "rebooting": "REBOOT",
    "rebooting_hard": "HARD_REBOOT",
}
TASKS = {
    "building": "spawning",
    "rebuilding": "rebuild_spawning",
    "rebooting": "rebooting",
    "rebooting_hard": "rebooting_hard",
    "resizing": "resize_finish",
    "stopping": "powering-off",
    "starting": "powering-on",
    "deleting": "deleting",
}
STATES = {
    "ACTIVE": "active",
    "BUILD": "building",
    "DELETED": "deleted",
    "ERROR": "error",
    "SHUTOFF": "stopped",
    "VERIFY_RESIZE": "resized",
}


def status(server: things.Server) -> str:
    """Nova's word for what the server is."""
    if server.doing == "resizing":
        return "RESIZE" if server.old_flavor else server.status
    return STATUSES.get(server.doing or "", server.status)


def links(call: calls.Call, kind: str, id: str) -> list[View]:
    """The two links of everything in Nova."""
    return [
        {"rel": "self", "href": call.url("v2.1", kind, id)},
        {"rel": "bookmark", "href": call.url(kind, id)},
    ]


def summary(call: calls.Call, server: things.Server) -> View:
    """A server in a short list."""
    return {
        "id": server.id,
        "name": server.name,
        "links": links(call, "servers", server.id),
    }


def flavor(call: calls.Call, row: things.Flavor) -> View:
    """A flavor in full."""
    shown: View = {
        "id": row.id,
        "name": row.name,
        "ram": row.ram,
        "vcpus": row.vcpus,
        "disk": row.disk,
        "swap": 0 if call.version >= (2, 75) else "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": links(call, "flavors", row.id),
    }
    if call.version >= (2, 55):
        shown["description"] = None
    if call.version >= (2, 61):
        shown["extra_specs"] = {}
    return shown


class Around(typing.NamedTuple):
    """The rows that a server's view is made of besides its own."""

    flavors: dict[str, things.Flavor]
    ports: list[things.Port]
    floating: dict[str, things.FloatingIP]
    """By the port that each leads to."""
    networks: dict[str, things.Network]
    attachments: list[things.Attachment]
    groups: dict[str, things.Group]


def around(call: calls.Call) -> Around:
    """Read once for a whole list."""
    with call.cloud.store.transaction() as tx:
        return Around(
            flavors={row.id: row for row in tx.all(things.Flavor)},
            ports=tx.all(things.Port),
            floating={row.port: row for row in tx.all(things.FloatingIP)},
            networks={row.id: row for row in tx.all(things.Network)},
            attachments=tx.all(things.Attachment),
            groups={row.id: row for row in tx.all(things.Group)},
        )


def detail(call: calls.Call, server: things.Server, rows: Around) -> View:
    """A server in full."""
    word = status(server)
    ports = [port for port in rows.ports if port.server == server.id]
    shown: View = {
        **summary(call, server),
        "status": word,
        "tenant_id": server.project,
        "user_id": server.user,
        "metadata": dict(server.metadata),
        "hostId": hashlib.sha256(server.project.encode()).hexdigest()[:56],
        "image": _image(call, server),
        "flavor": _embedded(call, server, rows),
        "created": calls.iso(server.created),
        "updated": calls.iso(server.updated),
        "addresses": _addresses(ports, rows),
        "accessIPv4": "",
        "accessIPv6": "",
        "OS-DCF:diskConfig": "MANUAL",
        "config_drive": "True" if server.config_drive else "",
        "key_name": None,
        "OS-EXT-AZ:availability_zone": server.zone,
        "OS-EXT-STS:task_state": TASKS.get(server.doing or ""),
        "OS-EXT-STS:vm_state": STATES.get(server.status, "active"),
        "OS-EXT-STS:power_state": _power(server),
        "OS-SRV-USG:launched_at": calls.iso(server.launched, calls.MICROSECONDS),
        "OS-SRV-USG:terminated_at": calls.iso(server.deleted, calls.MICROSECONDS),
        "os-extended-volumes:volumes_attached": _volumes(call, server, rows),
    }
    names = {
        rows.groups[group].name
        for port in ports
        for group in port.groups
        if group in rows.groups
    }
    if names:
        shown["security_groups"] = [{"name": name} for name in sorted(names)]
    if word in ("ACTIVE", "BUILD", "RESIZE", "VERIFY_RESIZE", "REBOOT"):
        shown["progress"] = 0 if word == "BUILD" else 100
    if server.fault is not None and word in ("ERROR", "DELETED"):
        created = server.fault["created"]
        assert isinstance(created, float)  # noqa: S101 - for the type checker
        shown["fault"] = {**server.fault, "created": calls.iso(created)}
    _later(call, server, shown)
    return shown


def _image(call: calls.Call, server: things.Server) -> View | str:
    """What its root was made of; of a root that is a volume, Nova does not say."""
    if server.root:
        return ""
    return {"id": server.image, "links": [links(call, "images", server.image)[1]]}


def _later(call: calls.Call, server: things.Server, shown: View) -> None:
    """What later microversions, and an administrator, see as well."""
    if call.admin:
        host = call.cloud.settings.hostname
        shown["OS-EXT-SRV-ATTR:host"] = host
        shown["OS-EXT-SRV-ATTR:hypervisor_hostname"] = host
        shown["OS-EXT-SRV-ATTR:instance_name"] = f"instance-{server.id[:8]}"
        if call.version >= (2, 3):
            shown["OS-EXT-SRV-ATTR:hostname"] = server.name
            shown["OS-EXT-SRV-ATTR:root_device_name"] = "/dev/vda"
    for since, key, value in (
        ((2, 9), "locked", False),
        ((2, 16), "host_status", "UP"),
        ((2, 19), "description", None),
        ((2, 26), "tags", list(server.tags)),
        ((2, 63), "trusted_image_certificates", None),
        ((2, 71), "server_groups", [server.group] if server.group else []),
        ((2, 73), "locked_reason", None),
    ):
        if call.version >= since and (key != "host_status" or call.admin):
            shown[key] = value


def _power(server: things.Server) -> int:
    if server.status in ("ACTIVE", "VERIFY_RESIZE"):
        return 1
    return 4 if server.status == "SHUTOFF" else 0


def _embedded(call: calls.Call, server: things.Server, rows: Around) -> View:
    """The flavor in a server: an id before 2.47, its sizes after, and never both."""
    if call.version < (2, 47):
        bookmark = links(call, "flavors", server.flavor)[1]
        return {"id": server.flavor, "links": [bookmark]}
    row = rows.flavors.get(server.flavor)
    if row is None:
        return {}
    return {
        "original_name": row.name,
        "vcpus": row.vcpus,
        "ram": row.ram,
        "disk": row.disk,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": {},
    }


def _addresses(ports: list[things.Port], rows: Around) -> View:
    shown: dict[str, list[View]] = {}
    for port in ports:
        network = rows.networks.get(port.network)
        entry = {
            "addr": port.address,
            "version": 4,
            "OS-EXT-IPS:type": "fixed",
            "OS-EXT-IPS-MAC:mac_addr": port.mac,
        }
        entries = shown.setdefault(network.name if network else port.network, [])
        entries.append(entry)
        if floating := rows.floating.get(port.id):
            public = {"addr": floating.address, "OS-EXT-IPS:type": "floating"}
            entries.append({**entry, **public})
    return shown


def _volumes(call: calls.Call, server: things.Server, rows: Around) -> list[View]:
    shown = []
    for attachment in rows.attachments:
        if attachment.server == server.id:
            entry: View = {"id": attachment.id}
            if call.version >= (2, 3):
                entry["delete_on_termination"] = attachment.delete_with_server
            shown.append(entry)
    return shown
