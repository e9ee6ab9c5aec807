# SPDX-License-Identifier: Apache-2.0
"""Answers leave by the card that was asked, in a machine that is on several networks.

The kernel sends an answer where its main table leads, whatever address was asked. On a
cloud the other network's port refuses it there, for it is from an address that is not
its own (Neutron's port security): a public address of the user's network would never
answer. So each card has a table of its own, and what is from its addresses looks there.
"""

import ipaddress
import json
import logging
import pathlib
import typing

from trove.guestagent.addresses import CARDS
from trove.guestagent.host import Host, HostError
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

EVERY, SOON = 10.0, 2.0
"""Seconds between two looks; the second while something is missing."""

FIRST = 7700
"""The table of a card is this and the card's number; so is the place of its rules."""

Plain = dict[str, typing.Any]


class Routes(Looping):
    """A part that keeps tables and rules as the cards' addresses are.

    They stay when it ends: the database goes on without an agent.
    """

    name = "routes"

    def __init__(self, host: Host, *, cards: pathlib.Path = CARDS) -> None:
        super().__init__()
        self._host, self._cards = host, cards
        self._fault = ""

    def start(self) -> None:
        """The first look is at once: whoever asks already is answered."""
        self._pause = self.look()
        super().start()

    def look(self) -> float:
        """Mends what is missing; seconds until the next look."""
        try:
            several = self._ensure()
        except (HostError, OSError, ValueError) as error:
            why = f"the routes of several networks are not there: {error}"
            if why != self._fault:
                LOG.warning("%s", why)
            self._fault = why
            return SOON
        self._fault = ""
        return EVERY if several else SOON

    def _ensure(self) -> bool:
        """Whether all is there; one card needs nothing, and nothing is run for it."""
        if sum(1 for card in self._cards.iterdir() if card.name != "lo") < 2:
            return True
        cards = [card for card in self._said("address", "show") if _own(card)]
        if len(cards) < 2:
            return False  # a lease is not there yet
        ways = self._said("route", "show", "default")
        gateways = {way["dev"]: way["gateway"] for way in ways if "gateway" in way}
        rules = {
            (rule.get("src"), str(rule.get("table")))
            for rule in self._said("rule", "show")
        }
        for card in cards:
            self._card(card, gateways.get(card["ifname"]), rules)
        return True

    def _card(
        self, card: Plain, gateway: str | None, rules: set[tuple[str | None, str]]
    ) -> None:
        name, table = card["ifname"], str(FIRST + int(card["ifindex"]))
        for address in _own(card):
            if address.network.prefixlen < 32:  # not one that is another port's too
                near = str(address.network)
                self._do("route", "replace", near, "dev", name, "table", table)
        if gateway is not None:
            way = ("default", "via", gateway, "dev", name)
            self._do("route", "replace", *way, "table", table)
        for address in _own(card):
            source = str(address.ip)
            if (source, table) not in rules:
                how = ("from", source, "lookup", table, "priority", table)
                self._do("rule", "add", *how)
                LOG.info("what is from %s leaves by %s", source, name)

    def _said(self, *words: str) -> list[Plain]:
        ran = self._host.run(["ip", "-json", "-4", *words], timeout=10)
        return [row for row in json.loads(ran.stdout or "[]") if row]

    def _do(self, *words: str) -> None:
        self._host.run(["ip", "-4", *words], timeout=10)


def _own(card: Plain) -> list[ipaddress.IPv4Interface]:
    """A card's addresses that others reach it by."""
    return [
        ipaddress.IPv4Interface(f"{one['local']}/{one['prefixlen']}")
        for one in card.get("addr_info", ())
        if one.get("scope") == "global" and one.get("family") == "inet"
    ]
