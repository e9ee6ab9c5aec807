# SPDX-License-Identifier: Apache-2.0
"""Neutron: floating IPs."""

import typing
import uuid

from trove.localcloud import addressing, things
from trove.localcloud import store as stores
from trove.localcloud.web import calls, neutron_groups, neutron_ports

View = dict[str, typing.Any]


def views(call: calls.Call, tx: stores.Transaction) -> list[View]:
    """All that the caller may see."""
    ports = {port.id: port for port in tx.all(things.Port)}
    rows = [row for row in tx.all(things.FloatingIP) if call.mine(row)]
    return [_view(row, ports.get(row.port)) for row in rows]


def _view(row: things.FloatingIP, port: things.Port | None) -> View:
    return {
        "id": row.id,
        "floating_ip_address": row.address,
        "floating_network_id": row.network,
        "port_id": port.id if port else None,
        "fixed_ip_address": port.address if port else None,
        "router_id": None,
        "status": "ACTIVE" if port else "DOWN",
        "description": row.description,
        "tenant_id": row.project,
        "project_id": row.project,
        "tags": list(row.tags),
        "port_forwardings": [],
        "port_details": None,
        "revision_number": 1,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
    }


def create(call: calls.Call) -> calls.Answer:
    """POST /floatingips"""
    body = call.body("floatingip")
    with call.cloud.store.transaction() as tx:
        network = tx.get(things.Network, str(body.get("floating_network_id")))
        if network is None:
            what = f"Network {body.get('floating_network_id')} could not be found."
            raise calls.Fault(404, what, "NetworkNotFound")
        if not network.external:
            what = f"Network {network.id} is not a valid external network"
            raise calls.Fault(400, f"Bad floatingip request: {what}.", "BadRequest")
        port = _port(call, tx, body.get("port_id"), "")
        now = tx.now()
        row = things.FloatingIP(
            id=str(uuid.uuid4()),
            project=call.project,
            name="",
            created=now,
            updated=now,
            network=network.id,
            address=_address(tx, network, body.get("floating_ip_address")),
            port=port.id if port else "",
            description=str(body.get("description", "")),
            tags=neutron_groups.checked_tags(body.get("tags", [])),
        )
        tx.put(row)
        shown = _view(row, port)
    call.cloud.keeper.guard()
    return {"floatingip": shown}


def _address(
    tx: stores.Transaction, network: things.Network, wanted: str | None
) -> str:
    subnet = next(row for row in tx.all(things.Subnet) if row.network == network.id)
    try:
        return addressing.choose(subnet, addressing.held(tx), wanted)
    except addressing.NoAddressLeft as error:
        raise calls.Fault(409, error.message, "IpAddressGenerationFailure") from None
    except addressing.AddressTaken as error:
        raise calls.Fault(409, error.message, "IpAddressAlreadyAllocated") from None
    except addressing.AddressOutside as error:
        raise calls.Fault(400, error.message, "InvalidIpForNetwork") from None


def _port(
    call: calls.Call, tx: stores.Transaction, id: typing.Any, own: str
) -> things.Port | None:
    """The port to lead to, which no other floating IP than ``own`` leads to."""
    if not id:
        return None
    port = neutron_ports.get(call, tx, str(id))
    for other in tx.all(things.FloatingIP):
        if other.port == port.id and other.id != own:
            what = (
                f"Cannot associate floating IP with port {port.id}: its fixed IP "
                f"{port.address} already has the floating IP {other.address}."
            )
            raise calls.Fault(409, what, "FloatingIPPortAlreadyAssociated")
    return port


def update(call: calls.Call, id: str) -> calls.Answer:
    """PUT /floatingips/{id}: where it leads to, and its description."""
    body = call.body("floatingip")
    with call.cloud.store.transaction() as tx:
        row = _get(call, tx, id)
        if "port_id" in body:
            port = _port(call, tx, body["port_id"], row.id)
            row.port = port.id if port else ""
        row.description = str(body.get("description", row.description))
        tx.put(row)
        shown = _view(row, tx.get(things.Port, row.port))
    call.cloud.keeper.guard()
    return {"floatingip": shown}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /floatingips/{id}: nothing comes in by it any more."""
    with call.cloud.store.transaction() as tx:
        tx.drop(_get(call, tx, id))
    call.cloud.keeper.guard()


def _get(call: calls.Call, tx: stores.Transaction, id: str) -> things.FloatingIP:
    row = tx.get(things.FloatingIP, id)
    if row is None or not call.mine(row):
        what = f"Floating IP {id} could not be found."
        raise calls.Fault(404, what, "FloatingIPNotFound")
    return row
