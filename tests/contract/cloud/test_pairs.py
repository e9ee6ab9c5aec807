# SPDX-License-Identifier: Apache-2.0
"""Address pairs on a wire: one address of one port, and nothing else of anybody."""

import socket

import pytest

from trove.cloud import protocol
from trove.localcloud import programs

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PORT = 3306
RULES = (protocol.Rule("ingress", "tcp", PORT, "0.0.0.0/0"),)
USER_DATA = '#cloud-config\n{"write_files": []}'


def reached(address, within=3.0):
    """Whether a packet goes there and back: nobody listens, and that is an answer."""
    with socket.socket() as line:
        line.settimeout(within)
        try:
            line.connect((address, PORT))
        except ConnectionRefusedError:
            return True
        except OSError:  # silence, or no answer to ARP
            return False
    return True


class Guest:
    """A server on one port, and a hand inside it."""

    def __init__(self, bench, group, name, pairs=()):
        network, compute = bench.cloud.network, bench.cloud.compute
        self._bench = bench
        self.port = network.create_port(
            f"{name}.port", bench.network, (group.id,), pairs=pairs
        )
        about = (name, bench.image, bench.flavor, (self.port.id,), None, USER_DATA)
        self.id = compute.boot(f"{name}.server", protocol.Boot(*about)).id
        bench.until(lambda: compute.show(self.id).status == "ACTIVE")
        bench.until(lambda: reached(self.port.addresses[0]))

    def has(self, address, yes=True):
        """It says so, whatever it may."""
        word = "replace" if yes else "del"
        words = ("ip", "addr", word, f"{address}/32", "dev", "eth0")
        self._bench.inside(self.id, *words)
        # the host is not to go by what it knew before
        bridge = self._bench.place.bridge
        programs.Host().run("ip", "neigh", "flush", "dev", bridge, "to", address)


def test_a_pair_opens_one_address_of_one_port(local):
    network = local.cloud.network
    group = network.create_group("g.group", RULES)
    (mine,), (other,) = (network.show_port(local.lend()).addresses for _ in range(2))
    one, two = Guest(local, group, "one", (mine,)), Guest(local, group, "two")
    assert not reached(mine), "nobody has it yet"
    one.has(mine)
    assert reached(mine)
    assert reached(one.port.addresses[0]), "its own is as before"
    one.has(other)
    assert not reached(other), "no pair names it"
    one.has(mine, False)
    two.has(mine)
    assert not reached(mine), "the pair is another port's"
    two.has(mine, False)
    one.has(mine)
    assert reached(mine)
    network.set_pairs(one.port.id, ())
    assert not reached(mine), "the pair was taken away"
    network.set_pairs(one.port.id, (mine,))
    assert reached(mine)


def test_a_users_public_address_leads_to_who_speaks_for_his_port(local):
    network = local.cloud.network
    group = network.create_group("g.group", RULES)
    lent = network.show_port(local.lend())
    made = local.user.network.create_floating_ip("of.user", local.public, lent.id)
    try:
        assert not reached(made.address)
        guest = Guest(local, group, "one", lent.addresses)
        guest.has(lent.addresses[0])
        assert reached(made.address)
    finally:
        local.user.network.delete_floating_ip(made.id)
