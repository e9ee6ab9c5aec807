# SPDX-License-Identifier: Apache-2.0
"""The firewall: security groups as one nftables table, written whole each time.

It stands in the bridge family, on every frame that leaves a server (``prerouting``) and
every frame that enters one (``postrouting``), so that two servers on the bridge, and a
server and the host, are held apart alike. Both ways default to drop.

Not every kernel can follow connections there, so replies are known by what they are. A
TCP segment that does not open a connection may pass against a rule's direction; without
its opening segment there is no connection for it to belong to. For UDP and pings the
table remembers for three minutes who asked whom.
"""

import dataclasses
import ipaddress

ANYWHERE = "0.0.0.0/0"
NOT_YET = "0.0.0.0"  # noqa: S104 - who asks by ARP whether an address is free
REMEMBERED = "3m"
MOST_REMEMBERED = 65536
PRIORITY = -200
"""Before 0: there bridged frames may be handed to iptables and skip what is equal."""


@dataclasses.dataclass(frozen=True, slots=True)
class Opening:
    """One allowance: ``low`` None is every port; ``remotes`` are the other end's."""

    direction: str
    protocol: str | None = None
    low: int | None = None
    high: int | None = None
    remotes: tuple[str, ...] = (ANYWHERE,)


@dataclasses.dataclass(frozen=True, slots=True)
class Wire:
    """A server's interface on the host, and what may pass it.

    ``others`` are addresses and ranges beside its own that it may have.
    """

    interface: str
    mac: str
    address: str
    openings: tuple[Opening, ...] = ()
    others: tuple[str, ...] = ()

    def own(self, *more: str) -> str:
        """What a source or a destination must be among."""
        if not self.others and not more:
            return self.address
        return _set((self.address, *self.others, *more))


def interface(tag: str, port: str) -> str:
    """The name of a port's interface on the host: at most 15 characters."""
    return f"{tag}-{port.replace('-', '')[:10]}"


def table(tag: str) -> str:
    """The name of the deployment's table."""
    return f"{tag}_guests"


def table_of_doors(tag: str) -> str:
    """The name of the table that public addresses are in."""
    return f"{tag}_public"


def render_doors(tag: str, doors: dict[str, str]) -> str:
    """The same for public addresses, as what this host opens meets them.

    What comes to one goes on to its server, whose guard sees who it comes from.
    """
    name = table_of_doors(tag)
    lines = [f"table ip {name}", f"delete table ip {name}"]
    if doors:
        lines.append(f"table ip {name} {{")
        for hook in ("prerouting", "output"):
            lines.append(f"  chain {hook} {{")
            lines.append(f"    type nat hook {hook} priority -100; policy accept;")
            lines += [
                f"    ip daddr {public} dnat to {own}"
                for public, own in sorted(doors.items())
            ]
            lines.append("  }")
        lines.append("}")
    return "\n".join([*lines, ""])


def render(tag: str, wires: list[Wire]) -> str:
    """The text for ``nft -f``: the old table goes and the new one comes in one step."""
    name = table(tag)
    lines = [f"table bridge {name}", f"delete table bridge {name}"]
    lines += [f"table bridge {name} {{", *_memory()]
    for number, wire in enumerate(wires):
        lines += _from_guest(number, wire) + _to_guest(number, wire)
    lines += _hook(tag, "leaving", "prerouting", "iifname", wires)
    lines += _hook(tag, "entering", "postrouting", "oifname", wires)
    return "\n".join([*lines, "}", ""])


def _memory() -> list[str]:
    sets = []
    for name, key in (
        ("asked_udp", "ipv4_addr . inet_service . ipv4_addr . inet_service"),
        ("asked_icmp", "ipv4_addr . ipv4_addr"),
    ):
        sets += [
            f"  set {name} {{",
            f"    type {key}",
            "    flags dynamic, timeout",
            f"    timeout {REMEMBERED}",
            f"    size {MOST_REMEMBERED}",
            "  }",
        ]
    return sets


def _hook(tag: str, chain: str, hook: str, which: str, wires: list[Wire]) -> list[str]:
    prefix = "out" if chain == "leaving" else "in"
    lines = [f"  chain {chain} {{"]
    lines.append(f"    type filter hook {hook} priority {PRIORITY}; policy accept;")
    if wires:
        ways = ", ".join(
            f'"{wire.interface}" : goto {prefix}_{number}'
            for number, wire in enumerate(wires)
        )
        lines.append(f"    {which} vmap {{ {ways} }}")
    # An interface of ours that no port belongs to.
    lines += [f'    {which} "{tag}-*" drop', "  }"]
    return lines


def _from_guest(number: int, wire: Wire) -> list[str]:
    mac = wire.mac
    lines = [
        f"  chain out_{number} {{",
        f"    ether saddr != {mac} drop",
        # An IP address in an ARP answer that is not its own would take another's place.
        f"    ether type arp arp saddr ether {mac} "
        f"arp saddr ip {wire.own(NOT_YET)} accept",
        "    ether type != ip drop",
        f"    ip saddr != {wire.own()} drop",
    ]
    return [*lines, *_passes(wire, "egress"), "    drop", "  }"]


def _to_guest(number: int, wire: Wire) -> list[str]:
    lines = [
        f"  chain in_{number} {{",
        "    ether type arp accept",
        "    ether type != ip drop",
        f"    ip daddr != {wire.own()} drop",
    ]
    return [*lines, *_passes(wire, "ingress"), "    drop", "  }"]


def _passes(wire: Wire, direction: str) -> list[str]:
    """What may go this way: by a rule, or as the answer to what went the other."""
    lines = []
    for opening in wire.openings:
        if opening.direction == direction:
            lines += _asking(opening, direction)
        else:
            lines += _answering(opening, direction)
    return [f"    {line}" for line in lines]


def _remote(opening: Opening, direction: str) -> str | None:
    """A match on the other end; empty for everybody, None when there is nobody."""
    if not opening.remotes:
        return None
    if ANYWHERE in opening.remotes:
        return ""
    end = "daddr" if direction == "egress" else "saddr"
    return f"ip {end} {_set(opening.remotes)} "


def _set(ranges: tuple[str, ...]) -> str:
    # nft refuses a set with overlapping ranges.
    whole = ipaddress.collapse_addresses(
        ipaddress.IPv4Network(range, strict=False) for range in ranges
    )
    return f"{{ {', '.join(str(range) for range in whole)} }}"


def _ports(opening: Opening, end: str) -> str:
    if opening.low is None:
        return ""
    high = opening.high if opening.high is not None else opening.low
    span = f"{opening.low}" if high == opening.low else f"{opening.low}-{high}"
    return f"th {end} {span} "


def _protocols(opening: Opening) -> tuple[str, ...]:
    return (opening.protocol,) if opening.protocol else ("tcp", "udp", "icmp", "other")


def _asking(opening: Opening, direction: str) -> list[str]:
    remote = _remote(opening, direction)
    if remote is None:
        return []
    lines = []
    for protocol in _protocols(opening):
        if protocol == "tcp":
            lines.append(f"{remote}ip protocol tcp {_ports(opening, 'dport')}accept")
        elif protocol == "udp":
            lines.append(
                f"{remote}ip protocol udp {_ports(opening, 'dport')}update @asked_udp "
                f"{{ ip saddr . udp sport . ip daddr . udp dport }} accept"
            )
        elif protocol == "icmp":
            lines.append(
                f"{remote}ip protocol icmp update @asked_icmp "
                f"{{ ip saddr . ip daddr }} accept"
            )
        elif protocol == "other":
            lines.append(f"{remote}ip protocol != {{ tcp, udp, icmp }} accept")
        else:
            lines.append(f"{remote}ip protocol {protocol} accept")
    return lines


def _answering(opening: Opening, direction: str) -> list[str]:
    remote = _remote(opening, direction)
    if remote is None:
        return []
    lines = []
    for protocol in _protocols(opening):
        if protocol == "tcp":
            lines.append(
                f"{remote}ip protocol tcp {_ports(opening, 'sport')}"
                f"tcp flags & (syn | ack) != syn accept"
            )
        elif protocol == "udp":
            lines.append(
                f"{remote}ip protocol udp "
                f"ip daddr . udp dport . ip saddr . udp sport @asked_udp accept"
            )
        elif protocol == "icmp":
            lines.append(
                f"{remote}ip protocol icmp ip daddr . ip saddr @asked_icmp accept"
            )
    return lines
