# SPDX-License-Identifier: Apache-2.0
"""Ports and groups of the memory cloud: addresses, and a group made in two calls."""

import pytest

from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud

RULES = (protocol.Rule("ingress", port=3306, cidr="10.0.0.0/8"),)


def test_addresses_are_not_given_twice_and_come_back(cloud):
    one = cloud.network.create_port("a.port", "net-1", ())
    two = cloud.network.create_port("b.port", "net-1", ())
    assert (one.addresses, two.addresses) == (("10.9.0.2",), ("10.9.0.3",))
    cloud.network.delete_port(one.id)
    assert cloud.network.create_port("c.port", "net-1", ()).addresses == one.addresses


def test_a_network_that_is_full_is_a_conflict():
    small = protocol.Network("net-s", "small", ("10.8.0.0/30",))
    cloud = MemoryCloud(networks=(small,))
    cloud.network.create_port("a.port", "net-s", ())
    with pytest.raises(protocol.CloudConflict):
        cloud.network.create_port("b.port", "net-s", ())


def test_an_address_of_elsewhere_is_refused(cloud):
    with pytest.raises(protocol.Refused):
        cloud.network.create_port("a.port", "net-1", (), address="192.0.2.1")


def test_a_group_left_half_made_is_completed(cloud):
    def crash(name, said):
        if name == "network.set_rules":
            raise KeyboardInterrupt

    cloud.before = crash
    with pytest.raises(KeyboardInterrupt):
        cloud.network.create_group("a.group", RULES)
    assert cloud.network.find_groups("a.group")[0].rules != RULES
    cloud.before = lambda name, said: None
    group = cloud.network.create_group("a.group", RULES)
    assert [g.id for g in cloud.network.find_groups("a.group")] == [group.id]
    assert group.rules == RULES


def test_a_users_port_is_seen_and_not_owned(cloud):
    lent = cloud.lend("demo", "net-1", "10.9.0.2")
    port = cloud.network.show_port(lent)
    assert (port.project, port.addresses, port.bound) == ("demo", ("10.9.0.2",), False)
    assert cloud.network.owned_ports() == []
    own = cloud.network.create_port("a.port", "net-1", (), pairs=port.addresses)
    assert (own.addresses, own.pairs) == (("10.9.0.3",), ("10.9.0.2",))
    assert own.project != port.project and own.mac != port.mac
    bound = cloud.lend("demo", "net-1", "10.9.0.9", server="s")
    assert cloud.network.show_port(bound).bound
