# SPDX-License-Identifier: Apache-2.0
import json

from trove.localcloud import firewall, wires


def ours(host):
    return wires.Wires("zzt", "zztbr0", "10.9.0.0/24", "10.9.0.1", host)


def test_the_bridge_has_the_hosts_address_and_one_of_its_own(host):
    ours(host).up()
    made = next(line for line in host.lines() if "type bridge" in line)
    assert wires.mac_address("bridge zzt") in made
    assert "ip addr replace 10.9.0.1/24 dev zztbr0" in host.lines()


def test_the_table_is_loaded_when_it_changed(host):
    here = ours(host)
    wire = firewall.Wire("zzt-1", "fa:16:3e:00:00:01", "10.9.0.2")
    for wanted in ([], [], [wire], [wire]):
        here.guard(wanted)
    loads = [argv for argv in host.asked if argv[:2] == ("nft", "-f")]
    assert len(loads) == 2
    assert "zzt-1" in host.given[-1]


def test_public_addresses_are_loaded_with_the_guard_and_go_with_it(host):
    here = ours(host)
    here.guard([], {"10.9.0.193": "10.9.0.2"})
    here.guard([], {"10.9.0.193": "10.9.0.2"})
    here.guard([])
    with_it, without = [host.given[-2], host.given[-1]]
    assert with_it.count("ip daddr 10.9.0.193 dnat to 10.9.0.2") == 2
    assert "delete table ip zzt_public" in without and "dnat" not in without
    host.answers["nft -j list tables"] = json.dumps(
        {"nftables": [{"table": {"family": "ip", "name": "zzt_public"}}]}
    )
    assert here.tables() == ["zzt_public"]
    here.down()
    assert "nft delete table ip zzt_public" in host.lines()


def test_taking_down_what_is_not_there_does_nothing(host):
    host.answers["nft -j list tables"] = json.dumps(
        {"nftables": [{"table": {"family": "ip", "name": "zzt_guests"}}]}
    )
    here = ours(host)
    here.down()
    assert host.lines() == ["nft -j list tables"]
    assert here.tables() == []
