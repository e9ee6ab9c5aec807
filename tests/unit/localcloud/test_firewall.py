# SPDX-License-Identifier: Apache-2.0
import dataclasses

from trove.localcloud import firewall
from trove.localcloud.firewall import Opening, Wire


def chain(text, name):
    """The rules of one chain."""
    lines = text.splitlines()
    start = lines.index(f"  chain {name} {{")
    return [line.strip() for line in lines[start + 1 : lines.index("  }", start)]]


def wire(*openings):
    mac, address = "fa:16:3e:00:00:01", "10.9.0.5"
    return Wire("tst-0123456789", mac, address, openings)


def test_an_interface_has_a_name_the_kernel_takes():
    name = firewall.interface("trov", "0b2e4c6a-1111-2222-3333-444455556666")
    assert name == "trov-0b2e4c6a11"
    assert len(name) == 15


def test_the_table_is_replaced_in_one_step():
    lines = firewall.render("tst", []).splitlines()
    assert lines[:2] == ["table bridge tst_guests", "delete table bridge tst_guests"]


def test_without_rules_nothing_but_true_arp_passes():
    text = firewall.render("tst", [wire()])
    leaving, entering = chain(text, "out_0"), chain(text, "in_0")
    assert [line for line in leaving if "accept" in line] == [
        "ether type arp arp saddr ether fa:16:3e:00:00:01 "
        "arp saddr ip { 0.0.0.0/32, 10.9.0.5/32 } accept"
    ]
    assert leaving[0] == "ether saddr != fa:16:3e:00:00:01 drop"
    assert "ip saddr != 10.9.0.5 drop" in leaving
    assert leaving[-1] == entering[-1] == "drop"


def test_addresses_beside_its_own_are_of_this_port_alone():
    pair = dataclasses.replace(wire(), others=("10.9.0.8", "10.9.1.0/24"))
    text = firewall.render("tst", [pair, wire()])
    own = "{ 10.9.0.5/32, 10.9.0.8/32, 10.9.1.0/24 }"
    leaving = chain(text, "out_0")
    assert f"ip saddr != {own} drop" in leaving
    assert any("arp saddr ip { 0.0.0.0/32, 10.9.0.5/32, 10.9.0.8" in r for r in leaving)
    assert f"ip daddr != {own} drop" in chain(text, "in_0")
    assert "ip saddr != 10.9.0.5 drop" in chain(text, "out_1")
    assert "ip daddr != 10.9.0.5 drop" in chain(text, "in_1")


def test_an_interface_that_no_port_has_is_shut():
    text = firewall.render("tst", [wire()])
    assert chain(text, "leaving")[-1] == 'iifname "tst-*" drop'
    assert chain(text, "entering")[-1] == 'oifname "tst-*" drop'


def test_a_way_in_lets_answers_out_and_no_question():
    text = firewall.render("tst", [wire(Opening("ingress", "tcp", 3306, 3306))])
    assert "ip protocol tcp th dport 3306 accept" in chain(text, "in_0")
    assert (
        "ip protocol tcp th sport 3306 tcp flags & (syn | ack) != syn accept"
        in chain(text, "out_0")
    )


def test_a_way_out_is_to_the_other_end_only():
    opening = Opening("egress", "tcp", 5671, 5671, ("10.9.0.1/32",))
    text = firewall.render("tst", [wire(opening)])
    out, back = chain(text, "out_0"), chain(text, "in_0")
    assert "ip daddr { 10.9.0.1/32 } ip protocol tcp th dport 5671 accept" in out
    assert any("ip saddr { 10.9.0.1/32 } ip protocol tcp th sport" in r for r in back)


def test_an_answer_by_udp_needs_a_question():
    opening = Opening("egress", "udp", 53, 53, ("0.0.0.0/0",))
    text = firewall.render("tst", [wire(opening)])
    asked = "{ ip saddr . udp sport . ip daddr . udp dport }"
    line = f"ip protocol udp th dport 53 update @asked_udp {asked} accept"
    assert line in chain(text, "out_0")
    answered = "ip daddr . udp dport . ip saddr . udp sport @asked_udp"
    assert f"ip protocol udp {answered} accept" in chain(text, "in_0")


def test_overlapping_ranges_are_one():
    opening = Opening("ingress", "tcp", 1, 2, ("10.9.0.0/24", "10.9.0.7/32"))
    text = firewall.render("tst", [wire(opening)])
    assert "ip saddr { 10.9.0.0/24 } ip protocol tcp th dport 1-2 accept" in text


def test_a_group_without_members_lets_nobody_in():
    text = firewall.render("tst", [wire(Opening("ingress", "tcp", 1, 1, ()))])
    assert len([r for r in chain(text, "in_0") if "accept" in r]) == 1
    assert firewall.render("tst", [wire()]) == text
