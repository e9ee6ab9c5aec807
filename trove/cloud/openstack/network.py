# SPDX-License-Identifier: Apache-2.0
"""Networks, ports, security groups and floating IPs, through openstacksdk.

The name of a thing is its key, and its description names the deployment: both are given
when it is made, while Neutron's tags are a second request that may be lost. A floating
IP has no name there: its description says both.
"""

import dataclasses
import ipaddress
import typing

from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access, Clients
from trove.model import naming

ODD = -1
"""The port of a rule that is none of ours: of several ports, or for another group."""

_Filter = tuple[str, str | None, int | None, int | None, str | None, str]
"""Direction, protocol, first port, last port, range, and kind of address."""


class Network:
    """Neutron, as the protocol wants it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._mark = naming.DEPLOYMENT_TAG + access.settings.deployment

    def network(self, id: str) -> protocol.Network | None:
        """A network that the service may see, or None."""
        with faults.UnlessAbsent(), self._access.using("network.network") as clients:
            network = clients.sdk.network.get_network(faults.plain(id))
            subnets = clients.sdk.network.subnets(network_id=id)
            return _network(network, [s for s in subnets if s.network_id == id])
        return None

    def networks(self) -> list[protocol.Network]:
        """Every network that the service may see."""
        with self._access.using("network.networks") as clients:
            ranges: dict[str, list[typing.Any]] = {}
            for subnet in clients.sdk.network.subnets():
                ranges.setdefault(subnet.network_id, []).append(subnet)
            return [
                _network(network, ranges.get(network.id, []))
                for network in clients.sdk.network.networks()
            ]

    def find_ports(self, key: str) -> list[protocol.Port]:
        """Ports of this deployment with this key, oldest first."""
        return self._ports(name=key)

    def owned_ports(self) -> list[protocol.Port]:
        """Every port of this deployment."""
        return self._ports()

    def create_port(
        self,
        key: str,
        network: str,
        groups: tuple[str, ...],
        address: str | None = None,
        subnet: str | None = None,
        pairs: tuple[str, ...] = (),
    ) -> protocol.Port:
        """Makes a port in exactly these groups, that may speak for ``pairs`` too."""
        order: dict[str, typing.Any] = {
            "name": key,
            "description": self._mark,
            "network_id": network,
            "security_group_ids": list(groups),
        }
        place = {"ip_address": address, "subnet_id": subnet}
        if fixed := {name: value for name, value in place.items() if value}:
            order["fixed_ips"] = [fixed]
        if pairs:
            order["allowed_address_pairs"] = [{"ip_address": one} for one in pairs]
        with self._access.using("network.create_port", making=True) as clients:
            return _port(clients.sdk.network.create_port(**order))

    def show_port(self, id: str) -> protocol.Port | None:
        """A port, or None."""
        with faults.UnlessAbsent(), self._access.using("network.show_port") as clients:
            return _port(clients.sdk.network.get_port(faults.plain(id)))
        return None

    def delete_port(self, id: str) -> None:
        """Ends a port."""
        with (
            faults.UnlessAbsent(),
            self._access.using("network.delete_port") as clients,
        ):
            clients.sdk.network.delete_port(faults.plain(id), ignore_missing=False)

    def set_pairs(self, id: str, pairs: tuple[str, ...]) -> None:
        """What a port may speak with beside its own addresses."""
        order = [{"ip_address": one} for one in pairs]
        with faults.UnlessAbsent(), self._access.using("network.set_pairs") as clients:
            clients.sdk.network.update_port(
                faults.plain(id), allowed_address_pairs=order
            )

    def find_groups(self, key: str) -> list[protocol.Group]:
        """Groups of this deployment with this key, oldest first."""
        return self._groups(name=key)

    def owned_groups(self) -> list[protocol.Group]:
        """Every group of this deployment."""
        return self._groups()

    def create_group(
        self, key: str, rules: tuple[protocol.Rule, ...]
    ) -> protocol.Group:
        """A group with exactly ``rules``, also when an earlier call was cut short.

        Neutron makes a group with rules of its own, and ours one by one. So a group of
        this key that is there is taken, what is not wanted is removed from it (first,
        for too little is safer than too much), and what is missing is added.
        """
        there = self.find_groups(key)
        if there:
            id = there[0].id
        else:
            with self._access.using("network.create_group", making=True) as clients:
                made = clients.sdk.network.create_security_group(
                    name=key, description=self._mark
                )
                id = _told(made)
        wanted = {filter for rule in rules for filter in _filters(rule)}
        with self._access.using("network.set_rules") as clients:
            present = set()
            for rule in clients.sdk.network.security_group_rules(security_group_id=id):
                if rule.security_group_id != id:
                    continue
                filter = _filter(rule)
                if filter in wanted:
                    present.add(filter)
                else:
                    clients.sdk.network.delete_security_group_rule(rule.id)
        for filter in sorted(wanted - present, key=str):
            self._add(id, filter)
        return protocol.Group(id, key, rules)

    def delete_group(self, id: str) -> None:
        """Ends a group that no port is in."""
        with (
            faults.UnlessAbsent(),
            self._access.using("network.delete_group") as clients,
        ):
            clients.sdk.network.delete_security_group(
                faults.plain(id), ignore_missing=False
            )

    def find_floating_ips(self, key: str) -> list[protocol.FloatingIP]:
        """Those of this deployment with this key, oldest first."""
        return [found for found in self._floating(self._said(key)) if found.key == key]

    def owned_floating_ips(self) -> list[protocol.FloatingIP]:
        """Every floating IP of this deployment."""
        return self._floating(None)

    def create_floating_ip(
        self, key: str, network: str, port: str
    ) -> protocol.FloatingIP:
        """Makes one that leads to the port."""
        with self._access.using("network.create_floating_ip", making=True) as clients:
            made = clients.sdk.network.create_ip(
                description=self._said(key),
                floating_network_id=network,
                port_id=faults.plain(port),
            )
            return self._floating_ip(made)

    def show_floating_ip(self, id: str) -> protocol.FloatingIP | None:
        """A floating IP, or None."""
        with (
            faults.UnlessAbsent(),
            self._access.using("network.show_floating_ip") as clients,
        ):
            return self._floating_ip(clients.sdk.network.get_ip(faults.plain(id)))
        return None

    def delete_floating_ip(self, id: str) -> None:
        """Gives an address back."""
        with (
            faults.UnlessAbsent(),
            self._access.using("network.delete_floating_ip") as clients,
        ):
            clients.sdk.network.delete_ip(faults.plain(id), ignore_missing=False)

    def _said(self, key: str) -> str:
        return f"{self._mark} {key}"

    def _floating(self, said: str | None) -> list[protocol.FloatingIP]:
        """Those whose description is this, or begins as all of ours do."""

        def listing(clients: Clients) -> list[protocol.FloatingIP]:
            query = {"description": said} if said else {}
            ours = clients.session.get_project_id()
            found = [
                each
                for each in clients.sdk.network.ips(**query)
                if (each.description or "").startswith(self._said(""))
                and each.project_id == ours
            ]
            found.sort(key=lambda each: (each.created_at or "", each.id))
            return [self._floating_ip(each) for each in found]

        return self._access.listed("network.list_floating_ips", listing)

    def _floating_ip(self, found: typing.Any) -> protocol.FloatingIP:
        if not found.id or not found.floating_ip_address:
            raise ValueError("the reply tells of nothing")
        prefix, said = self._said(""), str(found.description or "")
        key = said.removeprefix(prefix) if said.startswith(prefix) else None
        address = str(found.floating_ip_address)
        return protocol.FloatingIP(str(found.id), key, address, found.port_id or None)

    def _add(self, group: str, filter: _Filter) -> None:
        direction, kind, first, last, range, ether_type = filter
        order = {
            "security_group_id": group,
            "direction": direction,
            "protocol": kind,
            "port_range_min": first,
            "port_range_max": last,
            "remote_ip_prefix": range,
            "ether_type": ether_type,
        }
        given = {name: value for name, value in order.items() if value is not None}
        try:
            with self._access.using("network.add_rule", making=True) as clients:
                clients.sdk.network.create_security_group_rule(**given)
        except protocol.CloudConflict:
            # It is there: the reply to an earlier attempt was lost. Neutron knows one
            # rule of a kind only; the next look at the group would tell.
            return

    def _ports(self, **query: str) -> list[protocol.Port]:
        def listing(clients: Clients) -> list[protocol.Port]:
            found = clients.sdk.network.ports(description=self._mark, **query)
            return [_port(port) for port in self._mine(clients, found, query)]

        return self._access.listed("network.list_ports", listing)

    def _groups(self, **query: str) -> list[protocol.Group]:
        def listing(clients: Clients) -> list[protocol.Group]:
            found = clients.sdk.network.security_groups(description=self._mark, **query)
            return [_group(group) for group in self._mine(clients, found, query)]

        return self._access.listed("network.list_groups", listing)

    def _mine(
        self,
        clients: Clients,
        found: typing.Iterable[typing.Any],
        query: dict[str, str],
    ) -> list[typing.Any]:
        # To adopt another's thing would be worse than to find none; and whoever knows
        # our words can write them on a port of his own, which we may be able to see.
        ours = clients.session.get_project_id()
        mine = [
            thing
            for thing in found
            if thing.description == self._mark
            and thing.name == query.get("name", thing.name)
            and thing.project_id == ours
        ]
        return sorted(mine, key=lambda thing: (thing.created_at or "", thing.id))


def _told(thing: typing.Any) -> str:
    """The id that a reply tells of.

    openstacksdk takes an empty reply for an answer, and then shows the id it was asked
    for; but everything in Neutron has a name, if only an empty one.
    """
    if not thing.id or thing.name is None:
        raise ValueError("the reply tells of nothing")
    return str(thing.id)


def _network(network: typing.Any, subnets: list[typing.Any]) -> protocol.Network:
    ranges = tuple(subnet.cidr for subnet in subnets)
    public = bool(network.is_router_external)
    return protocol.Network(_told(network), network.name or "", ranges, public)


def _port(port: typing.Any) -> protocol.Port:
    fixed, pairs = port.fixed_ips or (), port.allowed_address_pairs or ()
    return protocol.Port(
        _told(port),
        port.name or None,
        port.network_id,
        addresses=tuple(one["ip_address"] for one in fixed),
        server=port.device_id or None,
        groups=tuple(port.security_group_ids or ()),
        project=port.project_id or None,
        subnets=tuple(one["subnet_id"] for one in fixed),
        mac=port.mac_address or "",
        pairs=tuple(one["ip_address"].removesuffix("/32") for one in pairs),
        # its host is told to administrators alone, what it is of to everybody
        bound=bool(port.device_id or port.device_owner or port.binding_host_id),
    )


def _group(group: typing.Any) -> protocol.Group:
    rules: dict[protocol.Rule, None] = {}
    for rule in group.security_group_rules or ():
        first, last = rule["port_range_min"], rule["port_range_max"]
        told = protocol.Rule(
            rule["direction"],
            rule["protocol"],
            first if first == last else ODD,
            rule["remote_ip_prefix"],
        )
        if rule.get("remote_group_id"):
            told = dataclasses.replace(told, port=ODD)
        # "From everywhere" is two rules in Neutron, and one here.
        rules[told] = None
    return protocol.Group(_told(group), group.name or None, tuple(rules))


def _filters(rule: protocol.Rule) -> list[_Filter]:
    kinds = ["IPv4", "IPv6"]
    if rule.cidr is not None:
        kinds = [f"IPv{ipaddress.ip_network(rule.cidr).version}"]
    return [
        (rule.direction, rule.protocol, rule.port, rule.port, rule.cidr, kind)
        for kind in kinds
    ]


def _filter(rule: typing.Any) -> _Filter | None:
    if rule.remote_group_id:
        return None
    range = rule.remote_ip_prefix
    return (
        rule.direction,
        rule.protocol,
        rule.port_range_min,
        rule.port_range_max,
        range and str(ipaddress.ip_network(range, strict=False)),
        rule.ether_type,
    )
