# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's networks, ports, security groups and floating IPs."""

import hashlib
import ipaddress

from trove.cloud import protocol
from trove.cloud.memory.world import Made, Part, call

OURS = "service"
"""The project that things of a deployment are of."""


def _port(port: Made) -> protocol.Port:
    # the same for whoever has the address next, as on the one-machine cloud
    digest = hashlib.sha256(repr(port.addresses).encode()).digest()
    return protocol.Port(
        port.id,
        port.key,
        port.network,
        addresses=port.addresses,
        server=port.server,
        groups=port.groups,
        project=port.project or OURS,
        subnets=tuple(f"subnet-of-{port.network}" for _ in port.addresses),
        mac="fa:16:3e:" + ":".join(f"{byte:02x}" for byte in digest[:3]),
        pairs=port.pairs,
        bound=port.server is not None,
    )


def _group(group: Made) -> protocol.Group:
    return protocol.Group(group.id, group.key, group.rules)


def _floating(address: Made) -> protocol.FloatingIP:
    return protocol.FloatingIP(
        address.id, address.key, address.addresses[0], address.port
    )


class Network(Part):
    noun = "network"

    @call
    def network(self, id: str) -> protocol.Network | None:
        return self.world.networks.get(id)

    @call
    def networks(self) -> list[protocol.Network]:
        return list(self.world.networks.values())

    @call
    def find_ports(self, key: str) -> list[protocol.Port]:
        return [_port(t) for t in self._keyed("port", key)]

    @call
    def owned_ports(self) -> list[protocol.Port]:
        return [_port(t) for t in self._mine("port")]

    @call
    def create_port(
        self,
        key: str,
        network: str,
        groups: tuple[str, ...],
        address: str | None = None,
        subnet: str | None = None,
        pairs: tuple[str, ...] = (),
    ) -> protocol.Port:
        if network not in self.world.networks:
            raise protocol.Refused(f"network {network} could not be found", 404)
        for group in groups:
            self.world.must("group", group)
        port = self._new("port", key)
        port.network, port.groups, port.pairs = network, groups, pairs
        port.addresses = (self._address(network, address),)
        return _port(self.world.add(port))

    @call
    def show_port(self, id: str) -> protocol.Port | None:
        port = self.world.get("port", id)
        return _port(port) if port else None

    @call
    def delete_port(self, id: str) -> None:
        if port := self.world.get("port", id):
            self.world.remove(port)

    @call
    def set_pairs(self, id: str, pairs: tuple[str, ...]) -> None:
        if port := self.world.get("port", id):
            port.pairs = pairs

    @call
    def find_groups(self, key: str) -> list[protocol.Group]:
        return [_group(t) for t in self._keyed("group", key)]

    @call
    def owned_groups(self) -> list[protocol.Group]:
        return [_group(t) for t in self._mine("group")]

    def create_group(
        self, key: str, rules: tuple[protocol.Rule, ...]
    ) -> protocol.Group:
        with self.world.lock:
            there = self._keyed("group", key)
        group = there[0].id if there else self.make_group(key).id
        return self.set_rules(group, rules)

    @call
    def make_group(self, key: str) -> protocol.Group:
        """A group as Neutron makes it: everything may go out."""
        group = self._new("group", key)
        group.rules = (protocol.Rule("egress", None),)
        return _group(self.world.add(group))

    @call
    def set_rules(self, id: str, rules: tuple[protocol.Rule, ...]) -> protocol.Group:
        """The second half of ``create_group``."""
        group = self.world.must("group", id)
        group.rules = rules
        return _group(group)

    @call
    def delete_group(self, id: str) -> None:
        group = self.world.get("group", id)
        if group is None:
            return
        if any(id in thing.groups for thing in self.world.made.values()):
            raise protocol.CloudConflict(f"group {id} is in use")
        self.world.remove(group)

    @call
    def find_floating_ips(self, key: str) -> list[protocol.FloatingIP]:
        return [_floating(t) for t in self._keyed("floating_ip", key)]

    @call
    def owned_floating_ips(self) -> list[protocol.FloatingIP]:
        return [_floating(t) for t in self._mine("floating_ip")]

    @call
    def create_floating_ip(
        self, key: str, network: str, port: str
    ) -> protocol.FloatingIP:
        where = self.world.networks.get(network)
        if where is None or not where.public:
            raise protocol.Refused(f"{network} is no public network", status=400)
        self.world.must("port", port)
        held = [t for t in self.world.made.values() if t.kind == "floating_ip"]
        if any(t.port == port for t in held):
            raise protocol.CloudConflict(f"port {port} has a floating IP")
        made = self._new("floating_ip", key)
        made.network, made.port = network, port
        made.addresses = (self._address(network, None),)
        return _floating(self.world.add(made))

    @call
    def show_floating_ip(self, id: str) -> protocol.FloatingIP | None:
        found = self.world.get("floating_ip", id)
        return _floating(found) if found else None

    @call
    def delete_floating_ip(self, id: str) -> None:
        if found := self.world.get("floating_ip", id):
            self.world.remove(found)

    def _address(self, network: str, wanted: str | None) -> str:
        ports = [t for t in self.world.made.values() if t.network == network]
        used = {address for port in ports for address in port.addresses}
        ranges = [ipaddress.ip_network(c) for c in self.world.networks[network].cidrs]
        if wanted is not None:
            if wanted in used:
                raise protocol.CloudConflict(f"address {wanted} is in use")
            if not any(ipaddress.ip_address(wanted) in range for range in ranges):
                raise protocol.Refused(f"{wanted} is not of {network}", status=400)
            return wanted
        for range in ranges:
            hosts = range.hosts()
            next(hosts)  # the first one is the gateway's
            for host in hosts:
                if str(host) not in used:
                    return str(host)
        raise protocol.CloudConflict(f"no address is left on {network}")
