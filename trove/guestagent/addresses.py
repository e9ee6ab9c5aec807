# SPDX-License-Identifier: Apache-2.0
"""The machine's virtual addresses: those of a user's port, beside its card's own.

They are put on the card of the instance's port at each start of the agent, and again
whenever something took them off (a network service that was restarted does). Who
reached the address before at another machine is told by ARP where it is now.
"""

import logging
import pathlib
import socket
import struct
import typing

from trove.guestagent.host import Host, HostError
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

CARDS = pathlib.Path("/sys/class/net")
EVERY = 10.0
"""Seconds between two looks."""

ANNOUNCED, APART = 3, 1.0
"""How often an address is announced, and the seconds between: a frame may be lost."""

ALL = b"\xff" * 6
ARP = 0x0806


def card_of(mac: str, cards: pathlib.Path = CARDS) -> str | None:
    """The name of the network card with this hardware address."""
    for card in sorted(cards.iterdir()):
        try:
            if (card / "address").read_text().strip().lower() == mac:
                return card.name
        except OSError:  # no card, or one that has just gone
            continue
    return None


def claim(mac: str, address: str) -> bytes:
    """The frame that tells everybody on the network where an address is."""
    own, ip = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    head = struct.pack("!6s6sH", ALL, own, ARP)
    about = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)  # Ethernet, IPv4, a question
    return head + about + own + ip + b"\0" * 6 + ip


def announce(card: str, mac: str, address: str) -> None:
    """Says it, once."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind((card, 0))
        line.send(claim(mac, address))


class Addresses(Looping):
    """A part that keeps ``wanted`` on the card with the hardware address ``mac``.

    They stay when it ends: the database goes on without an agent.
    """

    name = "addresses"

    def __init__(
        self,
        host: Host,
        mac: str,
        wanted: typing.Sequence[str],
        *,
        cards: pathlib.Path = CARDS,
        say: typing.Callable[[str, str, str], None] = announce,
    ) -> None:
        super().__init__()
        self._host, self._mac, self._wanted = host, mac.lower(), tuple(wanted)
        self._cards, self._say = cards, say
        self._left = ANNOUNCED
        self._fault = ""

    @property
    def fault(self) -> str:
        """What is wrong with them; empty: nothing."""
        return self._fault

    def start(self) -> None:
        """They are there, or are tried again: the database starts all the same."""
        self._pause = self.look()
        super().start()

    def look(self) -> float:
        """Puts on what is missing; seconds until the next look."""
        try:
            self._ensure()
        except (HostError, OSError) as error:
            why = f"the addresses {', '.join(self._wanted)} are not on: {error}"
            if why != self._fault:
                LOG.warning("%s", why)
            self._fault = why
            return APART
        self._fault = ""
        return APART if self._left else EVERY

    def _ensure(self) -> None:
        card = card_of(self._mac, self._cards)
        if card is None:
            raise OSError(f"no card has the hardware address {self._mac}")
        words = ["ip", "-o", "-4", "addr", "show", "dev", card]
        lines = self._host.run(words, timeout=10).stdout.splitlines()
        there = {line.split()[3].partition("/")[0] for line in lines}
        for address in self._wanted:
            if address not in there:
                one = f"{address}/32"
                self._host.run(["ip", "addr", "replace", one, "dev", card], timeout=10)
                LOG.info("address %s is on %s", address, card)
                self._left = ANNOUNCED
        if self._left:
            self._left -= 1
            for address in self._wanted:
                self._say(card, self._mac, address)
