# SPDX-License-Identifier: Apache-2.0
"""Wires: the bridge that servers and host share, and the table that guards it."""

import hashlib
import ipaddress
import json
import pathlib
import threading

from trove.localcloud import firewall, programs

INTERFACES = pathlib.Path("/sys/class/net")


class Wires:
    """The network of one deployment on this host."""

    def __init__(
        self, tag: str, bridge: str, cidr: str, address: str, host: programs.Runner
    ) -> None:
        self._tag = tag
        self._bridge = bridge
        self._width = ipaddress.ip_network(cidr).prefixlen
        self._address = address
        self._host = host
        self._loading = threading.Lock()
        self._loaded: str | None = None

    def up(self) -> None:
        """The bridge is there, with the host's address on it."""
        bridge = self._bridge
        if not self.present():
            words = ("type", "bridge", "stp_state", "0", "forward_delay", "0")
            # An address of its own: else the bridge takes the lowest of its ports', and
            # guests lose the host each time a server comes or goes.
            mac = mac_address(f"bridge {self._tag}")
            self._host.run("ip", "link", "add", bridge, "address", mac, *words)
        wanted = f"{self._address}/{self._width}"
        self._host.run("ip", "link", "set", bridge, "addrgenmode", "none", ok=(0, 1, 2))
        self._host.run("ip", "addr", "replace", wanted, "dev", bridge)
        self._host.run("ip", "link", "set", bridge, "up")

    def present(self) -> bool:
        """Whether the bridge is there."""
        return (INTERFACES / self._bridge).exists()

    def guard(
        self, wires: list[firewall.Wire], doors: dict[str, str] | None = None
    ) -> None:
        """Makes the tables say exactly this, in one step.

        ``doors``: each public address, and the server's own that it leads to.
        """
        text = firewall.render(self._tag, wires)
        text += firewall.render_doors(self._tag, doors or {})
        with self._loading:
            if text != self._loaded:
                self._host.run("nft", "-f", "-", given=text)
                self._loaded = text

    def down(self) -> None:
        """No table, no interface of a server, no bridge."""
        for family, table in self._tables():
            self._host.run("nft", "delete", "table", family, table, ok=(0, 1))
        self._loaded = None
        for interface in self.interfaces():
            self._host.run("ip", "link", "del", interface, ok=(0, 1))
        if self.present():
            self._host.run("ip", "link", "del", self._bridge)

    def interfaces(self) -> list[str]:
        """The servers' interfaces on the host."""
        return sorted(found.name for found in INTERFACES.glob(f"{self._tag}-*"))

    def tables(self) -> list[str]:
        """Our tables that are loaded."""
        return [name for _, name in self._tables()]

    def _tables(self) -> list[tuple[str, str]]:
        """Each with its family."""
        listed = json.loads(self._host.run("nft", "-j", "list", "tables") or "{}")
        there = {
            (entry["table"]["family"], entry["table"]["name"])
            for entry in listed.get("nftables", [])
            if "table" in entry
        }
        ours = {
            ("bridge", firewall.table(self._tag)),
            ("ip", firewall.table_of_doors(self._tag)),
        }
        return sorted(there & ours)


def mac_address(seed: str) -> str:
    """A locally administered address that is the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in digest[:3])
