# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.localcloud import addressing, things

STAMPS = (0.0, 0.0)


def subnet():
    addresses = ("10.9.0.0/29", "10.9.0.1", "10.9.0.2", "10.9.0.4")
    return things.Subnet("s", "p", "net", *STAMPS, "n", *addresses)


def port(address, groups=(), server="guest", id="port-1"):
    place = ("n", "s", addressing.mac(address), address)
    return things.Port(id, "p", "", *STAMPS, *place, list(groups), server)


def test_the_first_free_address_is_given():
    assert addressing.choose(subnet(), [], None) == "10.9.0.2"
    assert addressing.choose(subnet(), [port("10.9.0.2")], None) == "10.9.0.3"


def test_a_full_network_says_so():
    ports = [port(f"10.9.0.{number}") for number in (2, 3, 4)]
    with pytest.raises(addressing.NoAddressLeft):
        addressing.choose(subnet(), ports, None)


@pytest.mark.parametrize("wanted", ["10.9.0.1", "10.9.0.5", "10.8.0.2", "what"])
def test_an_address_outside_is_refused(wanted):
    with pytest.raises(addressing.AddressOutside):
        addressing.choose(subnet(), [], wanted)


def test_an_address_is_given_once():
    assert addressing.choose(subnet(), [], "10.9.0.3") == "10.9.0.3"
    with pytest.raises(addressing.AddressTaken):
        addressing.choose(subnet(), [port("10.9.0.3")], "10.9.0.3")


def test_an_address_always_has_the_same_hardware_address():
    assert addressing.mac("10.9.1.2") == "fa:16:3e:09:01:02"


def rule(id, direction, **values):
    return things.Rule(id, "p", "", *STAMPS, "g", direction, **values)


def test_what_may_pass_comes_from_the_groups_of_the_port(rows):
    with rows.transaction() as tx:
        tx.put(rule("1", "ingress", protocol="tcp", low=5432, high=5432))
        tx.put(rule("2", "egress", protocol="tcp", remote_cidr="10.9.0.1/32"))
        tx.put(rule("3", "egress", ethertype="IPv6"))
        tx.put(port("10.9.0.2", ["g"]))
        tx.put(port("10.9.0.3", ["g"], server="", id="port-2"))
        [wire] = addressing.wires(tx, "tst")
    assert wire.interface == "tst-port1"
    said = [(o.direction, o.low, o.remotes) for o in wire.openings]
    assert said == [
        ("ingress", 5432, ("0.0.0.0/0",)),
        ("egress", None, ("10.9.0.1/32",)),
    ]


def test_a_group_as_the_other_end_is_its_members(rows):
    with rows.transaction() as tx:
        tx.put(rule("1", "ingress", protocol="tcp", remote_group="g"))
        tx.put(port("10.9.0.2", ["g"]))
        tx.put(port("10.9.0.3", ["g"], id="port-2"))
        wire = addressing.wires(tx, "tst")[0]
    assert wire.openings[0].remotes == ("10.9.0.2/32", "10.9.0.3/32")


def test_an_address_pair_passes_its_port_and_is_a_member_of_its_groups(rows):
    with rows.transaction() as tx:
        tx.put(rule("1", "ingress", protocol="tcp", remote_group="g"))
        one = port("10.9.0.2", ["g"])
        one.pairs = ["10.9.0.4"]
        tx.put(one)
        tx.put(port("10.9.0.3", ["g"], id="port-2"))
        first, second = addressing.wires(tx, "tst")
    assert (first.others, second.others) == (("10.9.0.4",), ())
    assert second.openings[0].remotes == ("10.9.0.2/32", "10.9.0.4", "10.9.0.3/32")


def floating(address, port):
    return things.FloatingIP(address, "p", "", *STAMPS, "world", address, port)


def test_a_public_address_leads_to_who_speaks_for_an_unbound_port(rows):
    with rows.transaction() as tx:
        tx.put(port("10.9.0.2"))
        tx.put(port("10.9.0.3", server="", id="port-2"))
        tx.put(floating("192.0.2.1", "port-1"))
        tx.put(floating("192.0.2.2", "port-2"))
        assert addressing.doors(tx) == {"192.0.2.1": "10.9.0.2"}
        speaks = port("10.9.0.2")
        speaks.pairs = ["10.9.0.3"]
        tx.put(speaks)
        assert addressing.doors(tx)["192.0.2.2"] == "10.9.0.3"
