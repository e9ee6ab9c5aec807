# SPDX-License-Identifier: Apache-2.0
"""Nova: actions on a server, its volumes, its metadata and its tags."""

import typing

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls, nova_boot, nova_servers, nova_views

Body = dict[str, typing.Any]
OFF = ("SHUTOFF",)
ON = ("ACTIVE",)


def act(call: calls.Call, id: str) -> calls.Answer:
    """POST /servers/{id}/action"""
    body = call.body()
    if len(body) != 1:
        raise calls.Fault(400, "There is no such action: one name is expected.")
    name, values = next(iter(body.items()))
    if name not in ACTIONS:
        raise calls.Fault(400, f"There is no such action: {name}")
    action, status = ACTIONS[name]
    said = action(call, id, values if isinstance(values, dict) else {})
    return calls.with_status(status, said)


def _begin(
    call: calls.Call,
    tx: stores.Transaction,
    id: str,
    action: str,
    states: tuple[str, ...],
    doing: str | None,
) -> things.Server:
    """The server, if it is in a state for this action."""
    server = nova_servers.get(call, tx, id)
    if server.doing is not None:
        task = nova_views.TASKS.get(server.doing)
        raise calls.Fault(
            409, f"Cannot '{action}' instance {id} while it is in task_state {task}"
        )
    if server.status not in states:
        state = nova_views.STATES.get(server.status)
        raise calls.Fault(
            409, f"Cannot '{action}' instance {id} while it is in vm_state {state}"
        )
    server.doing = doing
    return server


def _reboot(call: calls.Call, id: str, values: Body) -> None:
    kind = str(values.get("type", "")).upper()
    if kind not in ("SOFT", "HARD"):
        raise calls.Fault(400, "Invalid input for field/attribute type: SOFT or HARD.")
    hard = kind == "HARD"
    states = ("ACTIVE", "SHUTOFF", "ERROR") if hard else ON
    with call.cloud.store.transaction() as tx:
        doing = "rebooting_hard" if hard else "rebooting"
        server = _begin(call, tx, id, "reboot", states, doing)
        server.wanted = "running"
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)


def _start(call: calls.Call, id: str, values: Body) -> None:
    with call.cloud.store.transaction() as tx:
        server = _begin(call, tx, id, "start", OFF, "starting")
        server.wanted = "running"
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)


def _stop(call: calls.Call, id: str, values: Body) -> None:
    with call.cloud.store.transaction() as tx:
        server = _begin(call, tx, id, "stop", ("ACTIVE", "ERROR"), "stopping")
        server.wanted = "stopped"
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)


def _resize(call: calls.Call, id: str, values: Body) -> None:
    with call.cloud.store.transaction() as tx:
        flavor = tx.get(things.Flavor, str(values.get("flavorRef")))
        if flavor is None:
            raise calls.Fault(
                404, f"Flavor {values.get('flavorRef')} could not be found."
            )
        server = _begin(call, tx, id, "resize", ("ACTIVE", "SHUTOFF"), "resizing")
        if server.flavor == flavor.id:
            raise calls.Fault(400, "When resizing, instances must change flavor!")
        server.old_flavor, server.flavor = server.flavor, flavor.id
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)


def _migrate(call: calls.Call, id: str, values: Body) -> None:
    """There is one host: Nova's answer where no other takes the server."""
    with call.cloud.store.transaction() as tx:
        _begin(call, tx, id, "migrate", ("ACTIVE", "SHUTOFF"), None)
    raise calls.Fault(400, "No valid host was found. There are not enough hosts.")


def _confirm(call: calls.Call, id: str, values: Body) -> None:
    with call.cloud.store.transaction() as tx:
        server = _begin(call, tx, id, "confirmResize", ("VERIFY_RESIZE",), None)
        server.old_flavor = None
        server.status = "ACTIVE" if server.wanted == "running" else "SHUTOFF"
        tx.put(server)


def _revert(call: calls.Call, id: str, values: Body) -> None:
    with call.cloud.store.transaction() as tx:
        server = _begin(call, tx, id, "revertResize", ("VERIFY_RESIZE",), "resizing")
        server.flavor, server.old_flavor = server.old_flavor or server.flavor, None
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)


def _rebuild(call: calls.Call, id: str, values: Body) -> Body:
    """The root anew; what is not said stays, but for the user data."""
    if "user_data" in values and call.version < (2, 57):
        raise calls.Fault(
            400, "Additional properties are not allowed ('user_data' was unexpected)"
        )
    states = ("ACTIVE", "SHUTOFF", "ERROR")
    with call.cloud.store.transaction() as tx:
        image = nova_boot.image(tx, values.get("imageRef"))
        server = _begin(call, tx, id, "rebuild", states, "rebuilding")
        if server.root and call.version < (2, 93) and image.id != server.image:
            raise calls.Fault(
                400,
                "Unable to rebuild with a different image for a volume-backed server.",
            )
        server.image, server.layers = image.id, list(image.layers)
        server.generation += 1
        server.wanted, server.fault = "running", None
        server.user_data = nova_boot.user_data(values.get("user_data"))
        if "metadata" in values:
            server.metadata = nova_boot.checked_metadata(values["metadata"])
        if "name" in values:
            server.name = nova_boot.checked_name(values["name"])
        tx.put(server)
    call.cloud.keeper.wake(things.Server, id)
    return {"server": nova_views.detail(call, server, nova_views.around(call))}


def _console(call: calls.Call, id: str, values: Body) -> Body:
    nova_servers.find(call, id)
    length = values.get("length")
    if length is not None and not str(length).lstrip("-").isdigit():
        raise calls.Fault(400, "Invalid input for field/attribute length.")
    lines = None if length in (None, -1, "-1") else int(str(length))
    return {"output": call.cloud.keeper.console(id, lines)}


ACTIONS: dict[str, tuple[typing.Callable[..., typing.Any], int]] = {
    "reboot": (_reboot, 202),
    "os-start": (_start, 202),
    "os-stop": (_stop, 202),
    "migrate": (_migrate, 202),
    "rebuild": (_rebuild, 202),
    "resize": (_resize, 202),
    "confirmResize": (_confirm, 204),
    "revertResize": (_revert, 202),
    "os-getConsoleOutput": (_console, 200),
}


# -- volumes ---------------------------------------------------------------------------


def _attachment_view(call: calls.Call, row: things.Attachment) -> Body:
    shown: Body = {"volumeId": row.id, "serverId": row.server, "device": row.node}
    if call.version < (2, 89):
        shown["id"] = row.id
    else:
        shown["attachment_id"] = row.id
        shown["bdm_uuid"] = row.id
    if call.version >= (2, 70):
        shown["tag"] = None
    if call.version >= (2, 79):
        shown["delete_on_termination"] = row.delete_with_server
    return shown


def attachments(call: calls.Call, id: str) -> calls.Answer:
    """GET /servers/{id}/os-volume_attachments"""
    nova_servers.find(call, id)
    with call.cloud.store.transaction() as tx:
        rows = [row for row in tx.all(things.Attachment) if row.server == id]
    return {"volumeAttachments": [_attachment_view(call, row) for row in rows]}


def _attached(tx: stores.Transaction, id: str, volume: str) -> things.Attachment:
    row = tx.get(things.Attachment, volume)
    if row is None or row.server != id:
        raise calls.Fault(404, f"volume_id not found: {volume}")
    return row


def show_attachment(call: calls.Call, id: str, volume: str) -> calls.Answer:
    """GET /servers/{id}/os-volume_attachments/{volume}"""
    nova_servers.find(call, id)
    with call.cloud.store.transaction() as tx:
        row = _attached(tx, id, volume)
    return {"volumeAttachment": _attachment_view(call, row)}


def attach(call: calls.Call, id: str) -> calls.Answer:
    """POST /servers/{id}/os-volume_attachments"""
    body = call.body("volumeAttachment")
    volume = str(body.get("volumeId"))
    states = ("ACTIVE", "SHUTOFF", "VERIFY_RESIZE")
    with call.cloud.store.transaction() as tx:
        server = _begin(call, tx, id, "attach_volume", states, None)
        if tx.get(things.Volume, volume) is None:
            raise calls.Fault(404, f"Volume {volume} could not be found.")
        row = nova_boot.attach(tx, server, {**body, "uuid": volume}, tx.now())
    call.cloud.keeper.wake(things.Attachment, volume)
    return {"volumeAttachment": _attachment_view(call, row)}


def detach(call: calls.Call, id: str, volume: str) -> calls.Answer:
    """DELETE /servers/{id}/os-volume_attachments/{volume}"""
    states = ("ACTIVE", "SHUTOFF", "VERIFY_RESIZE")
    with call.cloud.store.transaction() as tx:
        _begin(call, tx, id, "detach_volume", states, None)
        row = _attached(tx, id, volume)
        if row.node == nova_boot.ROOT:
            raise calls.Fault(403, "Cannot detach a root device volume")
        row.state = "detaching"
        tx.put(row)
        if held := tx.get(things.Volume, volume):
            held.status = "detaching"
            tx.put(held)
    call.cloud.keeper.wake(things.Attachment, volume)


# -- metadata and tags -----------------------------------------------------------------


def metadata(call: calls.Call, id: str) -> calls.Answer:
    """GET /servers/{id}/metadata"""
    return {"metadata": nova_servers.find(call, id).metadata}


def set_metadata(call: calls.Call, id: str) -> calls.Answer:
    """POST adds to the metadata, PUT replaces it."""
    given = nova_boot.checked_metadata(call.body("metadata"))
    with call.cloud.store.transaction() as tx:
        server = nova_servers.get(call, tx, id)
        kept = {} if call.request.method == "PUT" else server.metadata
        server.metadata = {**kept, **given}
        tx.put(server)
    return {"metadata": server.metadata}


def delete_metadata(call: calls.Call, id: str, key: str) -> calls.Answer:
    """DELETE /servers/{id}/metadata/{key}"""
    with call.cloud.store.transaction() as tx:
        server = nova_servers.get(call, tx, id)
        if server.metadata.pop(key, None) is None:
            raise calls.Fault(404, "Metadata item was not found")
        tx.put(server)


def tags(call: calls.Call, id: str) -> calls.Answer:
    """GET /servers/{id}/tags"""
    return {"tags": nova_servers.find(call, id).tags}


def set_tags(call: calls.Call, id: str) -> calls.Answer:
    """PUT /servers/{id}/tags: these and no others."""
    return {"tags": _tagged(call, id, lambda _: call.body().get("tags"))}


def delete_tags(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /servers/{id}/tags"""
    _tagged(call, id, lambda _: [])


def has_tag(call: calls.Call, id: str, tag: str) -> calls.Answer:
    """GET /servers/{id}/tags/{tag}"""
    if tag not in nova_servers.find(call, id).tags:
        raise calls.Fault(404, f"Instance {id} has no tag '{tag}'")


def add_tag(call: calls.Call, id: str, tag: str) -> calls.Answer:
    """PUT /servers/{id}/tags/{tag}"""
    _tagged(call, id, lambda tags: [*tags, tag])
    return calls.with_status(201, None)


def delete_tag(call: calls.Call, id: str, tag: str) -> calls.Answer:
    """DELETE /servers/{id}/tags/{tag}"""
    has_tag(call, id, tag)
    _tagged(call, id, lambda tags: [each for each in tags if each != tag])


def _tagged(
    call: calls.Call, id: str, change: typing.Callable[[list[str]], typing.Any]
) -> list[str]:
    with call.cloud.store.transaction() as tx:
        server = nova_servers.get(call, tx, id)
        server.tags = nova_boot.checked_tags(change(server.tags))
        tx.put(server)
    return server.tags
