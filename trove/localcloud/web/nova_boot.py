# SPDX-License-Identifier: Apache-2.0
"""Nova: an order for a server, checked as a whole and written as rows."""

import base64
import binascii
import typing
import uuid

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls, neutron_ports

Body = dict[str, typing.Any]
MOST_USER_DATA = 65535
MOST_TAGS = 50
ROOT = "/dev/vda"
NODES = [f"/dev/vd{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"]


def order(call: calls.Call, tx: stores.Transaction, body: Body) -> things.Server:
    """The rows of a new server; nothing is written when anything is wrong."""
    flavor = _flavor(tx, body.get("flavorRef"))
    root, volumes = _mapping(body)
    chosen = image(tx, root.get("uuid") if root else body.get("imageRef"))
    now = tx.now()
    server = things.Server(
        id=str(uuid.uuid4()),
        project=call.project,
        name=checked_name(body.get("name")),
        created=now,
        updated=now,
        user=call.user,
        flavor=flavor.id,
        image=chosen.id,
        layers=list(chosen.layers),
        metadata=checked_metadata(body.get("metadata")),
        tags=_tags(call, body),
        zone=_zone(call, body.get("availability_zone")),
        user_data=user_data(body.get("user_data")),
        config_drive=bool(body.get("config_drive")),
    )
    if root:
        _rooted(tx, server, root, now)
    for devices in volumes:
        attach(tx, server, devices, now)
    _networks(call, tx, server, body)
    hints = call.body().get("os:scheduler_hints") or {}  # beside the server's order
    if group := hints.get("group"):
        if tx.get(things.ServerGroup, group) is None:
            raise calls.Fault(400, f"Instance group {group} could not be found.")
        server.group = group
    tx.put(server)
    return server


def checked_name(name: object) -> str:
    """A name of 1 to 255 characters."""
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 255:
        raise calls.Fault(
            400, "Invalid input for field/attribute name. It is 1 to 255 characters."
        )
    return name.strip()


def checked_metadata(given: object) -> dict[str, str]:
    """Keys and values of text, at most 255 characters each."""
    given = {} if given is None else given
    if not isinstance(given, dict) or not all(
        isinstance(value, str) and len(value) <= 255 and 0 < len(key) <= 255
        for key, value in given.items()
    ):
        raise calls.Fault(400, "Invalid input for field/attribute metadata.")
    return dict(given)


def checked_tags(tags: object) -> list[str]:
    """At most 50 tags of at most 60 characters, without comma or slash."""
    if not isinstance(tags, list) or not all(
        isinstance(tag, str) and 1 <= len(tag) <= 60 and not set(tag) & {",", "/"}
        for tag in tags
    ):
        raise calls.Fault(
            400, f"Invalid input for field/attribute tags. Value: {tags}."
        )
    if len(set(tags)) > MOST_TAGS:
        raise calls.Fault(400, f"The number of tags exceeded the limit of {MOST_TAGS}")
    return sorted(set(tags))


def _tags(call: calls.Call, body: Body) -> list[str]:
    if "tags" not in body:
        return []
    if call.version < (2, 52):
        raise calls.Fault(
            400,
            "Additional properties are not allowed ('tags' was unexpected)",
        )
    return checked_tags(body["tags"])


def _flavor(tx: stores.Transaction, reference: object) -> things.Flavor:
    found = tx.get(things.Flavor, _last(reference))
    if found is None:
        raise calls.Fault(400, f"Flavor {reference} could not be found.")
    return found


def image(tx: stores.Transaction, reference: object) -> things.Image:
    """The one of an id or a link."""
    found = tx.get(things.Image, _last(reference))
    if found is None:
        raise calls.Fault(400, f"Can not find requested image {reference}")
    return found


def _last(reference: object) -> str:
    """A reference is an id, or a link that ends in one."""
    return str(reference).rstrip("/").rpartition("/")[2]


def _zone(call: calls.Call, zone: object) -> str:
    known = call.cloud.settings.zone
    if zone is not None and str(zone).partition(":")[0] != known:
        raise calls.Fault(400, "The requested availability zone is not available")
    return known


def user_data(given: object) -> str | None:
    """What a guest is told, in base64."""
    if given is None:
        return None
    try:
        text = base64.b64decode(str(given), validate=True)
    except binascii.Error:
        raise calls.Fault(400, "Userdata content cannot be decoded") from None
    if len(str(given)) > MOST_USER_DATA or len(text) > MOST_USER_DATA:
        raise calls.Fault(
            400, "Invalid input for field/attribute user_data. It is too long."
        )
    return str(given)


def _mapping(body: Body) -> tuple[Body | None, list[Body]]:
    """Of a block device mapping: a root that becomes a volume, and the volumes."""
    mapping = body.get("block_device_mapping_v2")
    if mapping is None:
        return None, []
    if not isinstance(mapping, list):
        raise calls.Fault(400, "Invalid input for block_device_mapping_v2.")
    if not any(str(entry.get("boot_index")) == "0" for entry in mapping):
        raise calls.Fault(
            400,
            "Block Device Mapping is Invalid: Boot sequence for the instance and image/"
            "block device mapping combination is not valid.",
        )
    root, volumes = None, []
    for entry in mapping:
        kind = (entry.get("source_type"), entry.get("destination_type"))
        boots = str(entry.get("boot_index")) == "0"
        if kind == ("image", "volume") and boots and not body.get("imageRef"):
            root = entry
        elif kind == ("volume", "volume") and not boots:
            volumes.append(entry)
        elif kind != ("image", "local"):
            raise calls.Fault(
                400, f"Block Device Mapping is Invalid: {kind} is not had."
            )
    return root, volumes


def _rooted(
    tx: stores.Transaction, server: things.Server, entry: Body, now: float
) -> None:
    """The rows of a volume that is made with its server, as its root."""
    size = entry.get("volume_size")
    if not isinstance(size, int) or size < 1:
        raise calls.Fault(
            400,
            "Images with destination_type 'volume' need to have a non-zero size "
            "specified",
        )
    about = (str(uuid.uuid4()), server.project, "", now, now)
    volume = things.Volume(*about, size, "attaching", zone=server.zone)
    volume.user, volume.image = server.user, str(entry["uuid"])
    if (kind := entry.get("volume_type")) not in (None, volume.type):
        raise calls.Fault(400, f"Volume type {kind} could not be found.")
    server.root = volume.id
    tx.put(volume)
    held = things.Attachment(*about, server.id, ROOT, "attaching")
    held.delete_with_server = bool(entry.get("delete_on_termination"))
    tx.put(held)


def attach(
    tx: stores.Transaction, server: things.Server, entry: Body, now: float
) -> things.Attachment:
    """The row that says that a volume belongs into a server."""
    id = str(entry.get("uuid"))
    volume = tx.get(things.Volume, id)
    if volume is None:
        raise calls.Fault(
            400, f"Block Device Mapping is Invalid: failed to get volume {id}."
        )
    if volume.status != "available":
        raise calls.Fault(
            400,
            f"Invalid volume: volume {id} status must be 'available'. Currently in "
            f"'{volume.status}'",
        )
    every = tx.all(things.Attachment)
    taken = {each.node for each in every if each.server == server.id}
    row = things.Attachment(
        id=id,
        project=server.project,
        name="",
        created=now,
        updated=now,
        server=server.id,
        node=next(node for node in NODES if node not in taken),
        state="attaching",
        delete_with_server=bool(entry.get("delete_on_termination")),
    )
    volume.status = "attaching"
    tx.put(volume)
    tx.put(row)
    return row


def _networks(
    call: calls.Call, tx: stores.Transaction, server: things.Server, body: Body
) -> None:
    networks = body.get("networks", "auto")
    if networks == "none":
        return
    if networks == "auto":
        shared = [row for row in tx.all(things.Network) if row.shared]
        networks = [{"uuid": shared[0].id}] if shared else []
    if not isinstance(networks, list):
        raise calls.Fault(400, "Invalid input for field/attribute networks.")
    for entry in networks:
        if "port" in entry:
            port = tx.get(things.Port, str(entry["port"]))
            if port is None or not call.mine(port):
                raise calls.Fault(400, f"Port {entry['port']} could not be found.")
            if port.server:
                raise calls.Fault(409, f"Port {port.id} is still in use.")
        else:
            wanted = {"network_id": entry.get("uuid")}
            if fixed := entry.get("fixed_ip"):
                wanted["fixed_ips"] = [{"ip_address": fixed}]
            port = neutron_ports.new(call, tx, wanted)
            port.made_by_server = True
        port.server, port.owner = server.id, f"compute:{server.zone}"
        tx.put(port)
