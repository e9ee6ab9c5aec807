# SPDX-License-Identifier: Apache-2.0
"""What every cloud's networks, ports, groups and floating IPs must do."""

import ipaddress

import pytest

from trove.cloud import protocol

NOBODY = "8f3a7a52-0f0e-4d2c-9d0b-5a3c1e7f6b90"
RULES = (
    protocol.Rule("ingress", "tcp", 3306, "10.0.0.0/8"),
    protocol.Rule("ingress", "tcp", 3306, "192.0.2.0/24"),
    protocol.Rule("egress", "tcp", 5671, "192.0.2.1/32"),
)


def test_networks_tell_their_ranges(bench, cloud):
    network = cloud.network.network(bench.network)
    assert network in cloud.network.networks()
    assert network.cidrs


@pytest.mark.parametrize("id", [NOBODY, "../ports", "", "a b"])
def test_a_network_that_is_not_there_is_none(cloud, id):
    assert cloud.network.network(id) is None


def test_a_port_is_found_by_key_and_by_id(bench, cloud, group, port):
    assert (port.key, port.network, port.server) == ("p.port", bench.network, None)
    assert port.groups == (group.id,)
    ranges = cloud.network.network(bench.network).cidrs
    address = ipaddress.ip_address(port.addresses[0])
    assert any(address in ipaddress.ip_network(range) for range in ranges)
    assert cloud.network.find_ports("p.port") == [port]
    assert cloud.network.owned_ports() == [port]
    assert cloud.network.show_port(port.id) == port


def test_what_nobody_made_is_not_there(cloud):
    assert cloud.network.find_ports("x.port") == []
    assert cloud.network.owned_ports() == []
    assert cloud.network.show_port(NOBODY) is None
    cloud.network.delete_port(NOBODY)
    cloud.network.set_pairs(NOBODY, ("10.9.0.9",))
    assert cloud.network.find_groups("x.group") == []
    assert cloud.network.owned_groups() == []
    cloud.network.delete_group(NOBODY)


def test_a_port_that_was_deleted_is_gone(cloud, port):
    cloud.network.delete_port(port.id)
    cloud.network.delete_port(port.id)
    assert cloud.network.show_port(port.id) is None
    assert cloud.network.find_ports("p.port") == []


def test_an_address_may_be_chosen_and_is_given_once(bench, cloud):
    chosen = cloud.network.create_port(
        "p.port", bench.network, (), address=bench.chosen
    )
    assert chosen.addresses == (bench.chosen,)
    with pytest.raises(protocol.CloudConflict):
        cloud.network.create_port("q.port", bench.network, (), address=bench.chosen)
    assert cloud.network.find_ports("q.port") == []


def test_a_port_on_what_is_not_there_is_refused(bench, cloud):
    with pytest.raises(protocol.Refused):
        cloud.network.create_port("p.port", NOBODY, ())
    with pytest.raises(protocol.Refused):
        cloud.network.create_port("p.port", bench.network, (NOBODY,))
    assert cloud.network.owned_ports() == []


def test_a_port_made_and_not_told_is_found_by_key(bench, cloud):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        cloud.network.create_port("p.port", bench.network, ())
    assert len(cloud.network.find_ports("p.port")) == 1


def test_a_group_has_exactly_its_rules(cloud):
    group = cloud.network.create_group("g.group", RULES)
    found = cloud.network.find_groups("g.group")
    assert [g.id for g in found] == [group.id]
    assert found[0].key == "g.group"
    assert set(found[0].rules) == set(RULES)
    assert [g.id for g in cloud.network.owned_groups()] == [group.id]


def test_a_group_made_again_is_the_same_with_the_new_rules(cloud):
    one = cloud.network.create_group("g.group", RULES)
    two = cloud.network.create_group("g.group", RULES[1:])
    assert one.id == two.id
    assert set(cloud.network.find_groups("g.group")[0].rules) == set(RULES[1:])


def test_a_group_made_and_not_told_is_completed(bench, cloud):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        cloud.network.create_group("g.group", RULES)
    group = cloud.network.create_group("g.group", RULES)
    found = cloud.network.find_groups("g.group")
    assert [g.id for g in found] == [group.id]
    assert set(found[0].rules) == set(RULES)


def test_a_group_in_use_stays(cloud, group, port):
    with pytest.raises(protocol.CloudConflict):
        cloud.network.delete_group(group.id)
    cloud.network.delete_port(port.id)
    cloud.network.delete_group(group.id)
    cloud.network.delete_group(group.id)
    assert cloud.network.find_groups("g.group") == []


def test_a_deployment_does_not_see_anothers(bench, port, group):
    theirs = bench.other.network.create_group("g.group", ())
    bench.other.network.create_port("p.port", bench.network, (theirs.id,))
    assert bench.cloud.network.owned_ports() == [port]
    assert [g.id for g in bench.cloud.network.find_groups("g.group")] == [group.id]
    assert [g.id for g in bench.other.network.owned_groups()] == [theirs.id]


def test_a_floating_ip_leads_to_its_port_and_is_given_back(bench, cloud, port):
    network = cloud.network
    made = network.create_floating_ip("p.public", bench.public, port.id)
    assert (made.key, made.port) == ("p.public", port.id)
    ranges = network.network(bench.public).cidrs
    address = ipaddress.ip_address(made.address)
    assert any(address in ipaddress.ip_network(range) for range in ranges)
    assert made.address not in port.addresses
    assert network.show_floating_ip(made.id) == made
    assert network.find_floating_ips("p.public") == [made]
    assert network.find_floating_ips("p.publi") == []
    assert network.owned_floating_ips() == [made]
    for _ in range(2):
        network.delete_floating_ip(made.id)
    assert network.show_floating_ip(made.id) is None
    assert network.owned_floating_ips() == []


def test_a_floating_ip_outlives_its_port(bench, cloud, port):
    made = cloud.network.create_floating_ip("p.public", bench.public, port.id)
    cloud.network.delete_port(port.id)
    assert cloud.network.show_floating_ip(made.id).port is None


def test_a_floating_ip_that_cannot_be_is_refused(bench, cloud, port):
    network = cloud.network
    with pytest.raises(protocol.Refused):
        network.create_floating_ip("p.public", bench.network, port.id)
    with pytest.raises(protocol.Refused):
        network.create_floating_ip("p.public", NOBODY, port.id)
    with pytest.raises(protocol.Refused):
        network.create_floating_ip("p.public", bench.public, NOBODY)
    network.create_floating_ip("p.public", bench.public, port.id)
    with pytest.raises(protocol.CloudConflict):
        network.create_floating_ip("q.public", bench.public, port.id)
    assert [each.key for each in network.owned_floating_ips()] == ["p.public"]


def test_a_floating_ip_made_and_not_told_is_found_by_key(bench, cloud, port):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        cloud.network.create_floating_ip("p.public", bench.public, port.id)
    assert len(cloud.network.find_floating_ips("p.public")) == 1


def test_a_deployment_does_not_see_anothers_floating_ip(bench, cloud, port):
    cloud.network.create_floating_ip("p.public", bench.public, port.id)
    assert bench.other.network.find_floating_ips("p.public") == []
    assert bench.other.network.owned_floating_ips() == []


def test_what_no_floating_ip_is(cloud):
    assert cloud.network.find_floating_ips("x.public") == []
    assert cloud.network.show_floating_ip(NOBODY) is None
    cloud.network.delete_floating_ip(NOBODY)


def test_a_users_port_is_seen_and_is_not_ours(bench, cloud, port):
    lent = cloud.network.show_port(bench.lend(name="p.port"))
    assert lent.project and lent.project != port.project
    assert (lent.bound, lent.pairs, len(lent.addresses)) == (False, (), 1)
    assert (lent.network, lent.subnets) == (port.network, port.subnets)
    assert lent.mac != port.mac and not port.bound
    assert cloud.network.owned_ports() == [port]


def test_a_port_that_says_our_words_is_not_adopted(bench, cloud, port):
    """Whoever knows an instance's id can write its key on a port of his own."""
    bench.lend(name="p.port")
    bench.lend(name="q.port")
    assert cloud.network.find_ports("p.port") == [port]
    assert cloud.network.find_ports("q.port") == []


def test_a_port_may_speak_with_a_users_address(bench, cloud, group):
    lent = cloud.network.show_port(bench.lend())
    about = {"subnet": lent.subnets[0], "pairs": lent.addresses}
    made = cloud.network.create_port("p.port", bench.network, (group.id,), **about)
    assert made.pairs == lent.addresses
    assert set(made.addresses).isdisjoint(lent.addresses)
    assert cloud.network.find_ports("p.port") == [made]
    for pairs in ((), lent.addresses):
        cloud.network.set_pairs(made.id, pairs)
        assert cloud.network.show_port(made.id).pairs == pairs
    cloud.network.delete_port(made.id)
    assert cloud.network.show_port(lent.id) == lent, "the user's port is the user's"


def test_a_port_that_a_server_has_is_bound(bench, cloud, server, port):
    assert cloud.network.show_port(port.id).bound
