# SPDX-License-Identifier: Apache-2.0
"""Addresses: which are free on a network, and what may pass each port."""

import ipaddress
import typing

from trove import errors
from trove.localcloud import firewall, store, things


class NoAddressLeft(errors.Conflict):
    sentence = "No more IP addresses available on network {network}."


class AddressTaken(errors.Clash):
    sentence = "IP address {address} already allocated in subnet {subnet}"


class AddressOutside(errors.Invalid):
    sentence = "IP address {address} is not a valid IP for the specified subnet."


def choose(
    subnet: things.Subnet,
    held: typing.Iterable[things.Port | things.FloatingIP],
    wanted: str | None,
) -> str:
    """An address of the subnet that nobody holds: the one wanted, or the first free."""
    taken = {holder.address for holder in held}
    first = ipaddress.IPv4Address(subnet.first)
    last = ipaddress.IPv4Address(subnet.last)
    if wanted is not None:
        try:
            inside = first <= ipaddress.IPv4Address(wanted) <= last
        except ValueError:
            inside = False
        if not inside:
            raise AddressOutside(address=wanted)
        if wanted in taken:
            raise AddressTaken(address=wanted, subnet=subnet.id)
        return wanted
    for number in range(int(first), int(last) + 1):
        address = str(ipaddress.IPv4Address(number))
        if address not in taken:
            return address
    raise NoAddressLeft(network=subnet.network)


def held(transaction: store.Transaction) -> list[things.Port | things.FloatingIP]:
    """Everything that has an address."""
    return [*transaction.all(things.Port), *transaction.all(things.FloatingIP)]


def mac(address: str) -> str:
    """The hardware address that goes with an IP address.

    The same for whoever has the address next: no neighbour's table is ever stale.
    """
    low = ipaddress.IPv4Address(address).packed[1:]
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in low)


def wires(transaction: store.Transaction, tag: str) -> list[firewall.Wire]:
    """Every port of a server, and what may pass it."""
    ports = transaction.all(things.Port)
    rules: dict[str, list[things.Rule]] = {}
    for rule in transaction.all(things.Rule):
        rules.setdefault(rule.group, []).append(rule)
    members: dict[str, list[str]] = {}
    for port in ports:
        for group in port.groups:
            members.setdefault(group, []).append(f"{port.address}/32")
            members[group] += port.pairs
    return [
        firewall.Wire(
            interface=firewall.interface(tag, port.id),
            mac=port.mac,
            address=port.address,
            others=tuple(port.pairs),
            openings=tuple(
                opening
                for group in port.groups
                for rule in rules.get(group, [])
                if (opening := _opening(rule, members)) is not None
            ),
        )
        for port in ports
        if port.server and port.admin_up
    ]


def doors(transaction: store.Transaction) -> dict[str, str]:
    """Each public address that leads to a server, and that of the server.

    A port that no server has may lead to one all the same: by a pair of another port.
    """
    ports = {port.id: port for port in transaction.all(things.Port)}
    spoken = {
        (port.network, pair)
        for port in ports.values()
        if port.server
        for pair in port.pairs
    }
    found = {}
    for floating in transaction.all(things.FloatingIP):
        port = ports.get(floating.port)
        if port and (port.server or (port.network, port.address) in spoken):
            found[floating.address] = port.address
    return found


def _opening(
    rule: things.Rule, members: dict[str, list[str]]
) -> firewall.Opening | None:
    if rule.ethertype != "IPv4":
        return None
    if rule.remote_group is not None:
        remotes = tuple(members.get(rule.remote_group, ()))
    else:
        remotes = (rule.remote_cidr or firewall.ANYWHERE,)
    ranged = rule.protocol in ("tcp", "udp")
    return firewall.Opening(
        direction=rule.direction,
        protocol=rule.protocol,
        low=rule.low if ranged else None,
        high=rule.high if ranged else None,
        remotes=remotes,
    )
