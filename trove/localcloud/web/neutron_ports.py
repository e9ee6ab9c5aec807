# SPDX-License-Identifier: Apache-2.0
"""Neutron: ports."""

import ipaddress
import typing
import uuid

from trove.localcloud import addressing, things
from trove.localcloud import store as stores
from trove.localcloud.web import calls, neutron_groups

View = dict[str, typing.Any]


def view(call: calls.Call, row: things.Port, up: set[str]) -> View:
    """A port as Neutron shows it; ``up`` are the servers that run."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "network_id": row.network,
        "tenant_id": row.project,
        "project_id": row.project,
        "admin_state_up": row.admin_up,
        "mac_address": row.mac,
        "fixed_ips": [{"subnet_id": row.subnet, "ip_address": row.address}],
        "security_groups": list(row.groups),
        "device_id": row.server,
        "device_owner": row.owner,
        "status": "ACTIVE" if row.server in up else "DOWN",
        "allowed_address_pairs": [
            {"ip_address": pair, "mac_address": row.mac} for pair in row.pairs
        ],
        "extra_dhcp_opts": [],
        "port_security_enabled": True,
        "binding:vnic_type": "normal",
        "binding:host_id": call.cloud.settings.hostname if row.server else "",
        "tags": list(row.tags),
        "revision_number": 1,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
    }


def up(tx: stores.Transaction) -> set[str]:
    """The servers that run."""
    return {server.id for server in tx.all(things.Server) if server.status == "ACTIVE"}


def get(call: calls.Call, tx: stores.Transaction, id: str) -> things.Port:
    """A port that is there and the caller may see."""
    row = tx.get(things.Port, id)
    if row is None or not call.mine(row):
        raise calls.Fault(404, f"Port {id} could not be found.", "PortNotFound")
    return row


def new(call: calls.Call, tx: stores.Transaction, body: View) -> things.Port:
    """A port's row, written."""
    network = tx.get(things.Network, str(body.get("network_id")))
    if network is None:
        raise calls.Fault(
            404,
            f"Network {body.get('network_id')} could not be found.",
            "NetworkNotFound",
        )
    if network.external and not call.admin:
        what = "rule:create_port on an external network is disallowed by policy"
        raise calls.Fault(403, what, "PolicyNotAuthorized")
    pairs = _pairs(call, body)
    subnet, wanted = _place(tx, network, body.get("fixed_ips"))
    try:
        address = addressing.choose(subnet, addressing.held(tx), wanted)
    except addressing.NoAddressLeft as error:
        raise calls.Fault(409, error.message, "IpAddressGenerationFailure") from None
    except addressing.AddressTaken as error:
        raise calls.Fault(409, error.message, "IpAddressAlreadyAllocated") from None
    except addressing.AddressOutside as error:
        raise calls.Fault(400, error.message, "InvalidIpForSubnet") from None
    now = tx.now()
    row = things.Port(
        id=str(uuid.uuid4()),
        project=str(body.get("project_id", call.project))
        if call.admin
        else call.project,
        name=str(body.get("name", "")),
        created=now,
        updated=now,
        network=network.id,
        subnet=subnet.id,
        mac=addressing.mac(address),
        address=address,
        groups=_groups(call, tx, body),
        server=str(body.get("device_id", "")),
        owner=str(body.get("device_owner", "")),
        description=str(body.get("description", "")),
        admin_up=bool(body.get("admin_state_up", True)),
        tags=neutron_groups.checked_tags(body.get("tags", [])),
        pairs=pairs,
    )
    tx.put(row)
    return row


def _pairs(call: calls.Call, body: View) -> list[str]:
    """Addresses and ranges that are spoken with from the port's own hardware address;
    from others they are not had here."""
    given = body.get("allowed_address_pairs") or []
    if given and not (call.admin or call.serving):
        what = "rule:create_port:allowed_address_pairs is disallowed by policy"
        raise calls.Fault(403, what, "PolicyNotAuthorized")
    try:
        if any(set(pair) != {"ip_address"} for pair in given):
            raise ValueError
        return [str(_range(str(pair["ip_address"]))) for pair in given]
    except (TypeError, ValueError):
        what = "Invalid input for allowed_address_pairs."
        raise calls.Fault(400, what, "InvalidInput") from None


def _range(text: str) -> ipaddress.IPv4Address | ipaddress.IPv4Network:
    if "/" in text:
        return ipaddress.IPv4Network(text)
    return ipaddress.IPv4Address(text)


def _place(
    tx: stores.Transaction, network: things.Network, fixed: typing.Any
) -> tuple[things.Subnet, str | None]:
    subnets = [row for row in tx.all(things.Subnet) if row.network == network.id]
    entry = fixed[0] if isinstance(fixed, list) and fixed else {}
    if asked := entry.get("subnet_id"):
        subnets = [row for row in subnets if row.id == asked]
    if not subnets:
        raise calls.Fault(
            400,
            f"Invalid input for operation: Network {network.id} has no such subnet.",
            "InvalidInput",
        )
    return subnets[0], entry.get("ip_address")


def _groups(call: calls.Call, tx: stores.Transaction, body: View) -> list[str]:
    given = body.get("security_groups")
    if given is None:
        return [neutron_groups.default(call, tx).id]
    for id in given:
        neutron_groups.get(call, tx, str(id))
    return list(dict.fromkeys(given))


def create(call: calls.Call) -> calls.Answer:
    """POST /ports"""
    body = call.body("port")
    with call.cloud.store.transaction() as tx:
        row = new(call, tx, body)
        shown = view(call, row, up(tx))
    return {"port": shown}


def update(call: calls.Call, id: str) -> calls.Answer:
    """PUT /ports/{id}: name, description, groups, pairs, state; never its server."""
    body = call.body("port")
    with call.cloud.store.transaction() as tx:
        row = get(call, tx, id)
        row.name = str(body.get("name", row.name))
        row.description = str(body.get("description", row.description))
        row.admin_up = bool(body.get("admin_state_up", row.admin_up))
        if "security_groups" in body:
            row.groups = _groups(call, tx, body)
        if "allowed_address_pairs" in body:
            row.pairs = _pairs(call, body)
        tx.put(row)
        shown = view(call, row, up(tx))
    call.cloud.keeper.guard()
    return {"port": shown}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /ports/{id}: what passes it stops passing at once."""
    with call.cloud.store.transaction() as tx:
        tx.drop(get(call, tx, id))
    call.cloud.keeper.guard()
