# SPDX-License-Identifier: Apache-2.0
"""What is asked of Neutron, and what its answers become."""

import itertools

import pytest

from trove.cloud import protocol

PORT = {
    "id": "p1",
    "name": "a.port",
    "description": "trove-deployment=d1",
    "network_id": "n1",
    "device_id": "s1",
    "device_owner": "compute:nova",
    "project_id": "p1",
    "mac_address": "fa:16:3e:00:00:04",
    "fixed_ips": [{"subnet_id": "u1", "ip_address": "10.0.0.4"}],
    "security_groups": ["g1"],
    "created_at": "2026-01-02T00:00:00Z",
}
RULES = (
    protocol.Rule("ingress", "tcp", 3306, "10.0.0.0/8"),
    protocol.Rule("egress", "tcp", 5671, "192.0.2.1/32"),
    protocol.Rule("egress", None, None, None),
)


class Groups:
    """Neutron's groups: each rule is a thing of its own, and two are there at once."""

    def __init__(self, stub):
        self.ids = itertools.count(1)
        self.groups = {}
        self.rules = {}
        self.fail_after = None
        stub.on("GET", "/security-groups$", self.list_groups)
        stub.on("POST", "/security-groups$", self.add_group)
        stub.on("GET", "/security-group-rules$", self.list_rules)
        stub.on("POST", "/security-group-rules$", self.add_rule)
        stub.on("DELETE", "/security-group-rules/", self.delete_rule)

    def shown(self, group):
        rules = [
            r for r in self.rules.values() if r["security_group_id"] == group["id"]
        ]
        return {**group, "security_group_rules": rules}

    def list_groups(self, request):
        name = request.query.get("name")
        groups = [self.shown(g) for g in self.groups.values()]
        return {"security_groups": [g for g in groups if not name or g["name"] in name]}

    def add_group(self, request):
        group = {**request.body["security_group"], "id": f"g{next(self.ids)}"}
        group["project_id"] = "p1"
        self.groups[group["id"]] = group
        for kind in ("IPv4", "IPv6"):
            self.add(direction="egress", ethertype=kind, security_group_id=group["id"])
        return 201, {"security_group": self.shown(group)}

    def list_rules(self, request):
        return {"security_group_rules": list(self.rules.values())}

    def add(self, **rule):
        empty = dict.fromkeys(
            ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
        )
        whole = {**empty, **rule, "id": f"r{next(self.ids)}"}
        self.rules[whole["id"]] = whole
        return whole

    def add_rule(self, request):
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                return "reset"
        return 201, {
            "security_group_rule": self.add(**request.body["security_group_rule"])
        }

    def delete_rule(self, request):
        del self.rules[request.path.rsplit("/", 1)[1]]
        return 204, None


@pytest.fixture
def groups(stub):
    return Groups(stub)


def test_a_port_is_marked_by_the_order_itself(stub, cloud):
    stub.on("POST", "/ports$", (201, {"port": PORT}))
    port = cloud.network.create_port("a.port", "n1", ("g1",), "10.0.0.4", "u1")
    assert port == protocol.Port(
        *("p1", "a.port", "n1", ("10.0.0.4",), "s1", ("g1",), "p1", ("u1",)),
        mac="fa:16:3e:00:00:04",
        bound=True,
    )
    assert stub.asked("POST", "/ports$")[0].body["port"] == {
        "name": "a.port",
        "description": "trove-deployment=d1",
        "network_id": "n1",
        "security_groups": ["g1"],
        "fixed_ips": [{"ip_address": "10.0.0.4", "subnet_id": "u1"}],
    }


def test_a_port_is_found_by_its_marks_and_no_other(stub, cloud):
    another = {**PORT, "id": "p2", "description": "trove-deployment=d2"}
    named = {**PORT, "id": "p3", "name": "b.port"}
    older = {**PORT, "id": "p0", "created_at": "2026-01-01T00:00:00Z"}
    forged = {**PORT, "id": "p4", "project_id": "p2"}
    stub.on("GET", "/ports$", {"ports": [PORT, another, older, named, forged]})
    assert [p.id for p in cloud.network.find_ports("a.port")] == ["p0", "p1"]
    assert [p.id for p in cloud.network.owned_ports()] == ["p0", "p1", "p3"]
    find, owned = [r.query for r in stub.asked("GET", "/ports$")]
    assert find["name"] == ["a.port"]
    assert owned["description"] == ["trove-deployment=d1"]


def test_a_port_may_speak_with_addresses_beside_its_own(stub, cloud):
    pairs = [{"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:04"}]
    stub.on(
        "POST", "/ports$", (201, {"port": {**PORT, "allowed_address_pairs": pairs}})
    )
    port = cloud.network.create_port("a.port", "n1", ("g1",), pairs=("10.0.0.9",))
    assert port.pairs == ("10.0.0.9",)
    order = stub.asked("POST", "/ports$")[0].body["port"]
    assert order["allowed_address_pairs"] == [{"ip_address": "10.0.0.9"}]


def test_what_a_port_may_speak_with_is_changed(stub, cloud):
    stub.on("PUT", "/ports/p1$", {"port": PORT})
    cloud.network.set_pairs("p1", ("10.0.0.9",))
    cloud.network.set_pairs("p1", ())
    cloud.network.set_pairs("p2", ())  # it is gone
    orders = [r.body["port"] for r in stub.asked("PUT", "/ports/p1$")]
    assert orders == [
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
        {"allowed_address_pairs": []},
    ]


@pytest.mark.parametrize("word", ["device_id", "device_owner", "binding:host_id"])
def test_a_port_that_somebody_uses_is_bound(stub, cloud, word):
    free = {**PORT, "device_id": "", "device_owner": "", "binding:host_id": ""}
    stub.on("GET", "/ports/p1$", {"port": free})
    assert not cloud.network.show_port("p1").bound
    stub.on("GET", "/ports/p1$", {"port": {**free, word: "x"}})
    assert cloud.network.show_port("p1").bound


def test_an_address_that_is_taken_is_a_conflict(stub, cloud):
    taken = {"NeutronError": {"type": "IpAddressInUse", "message": "in use"}}
    stub.on("POST", "/ports$", (409, taken))
    with pytest.raises(protocol.CloudConflict):
        cloud.network.create_port("a.port", "n1", (), "10.0.0.4")


def test_a_network_tells_its_ranges(stub, cloud):
    network = {"id": "n1", "name": "guests", "subnets": ["u1"]}
    subnets = [
        {"id": "u1", "network_id": "n1", "cidr": "10.0.0.0/24", "name": ""},
        {"id": "u2", "network_id": "n2", "cidr": "10.1.0.0/24", "name": ""},
    ]
    stub.on("GET", "/networks/n1$", {"network": network})
    stub.on("GET", "/networks$", {"networks": [network]})
    stub.on("GET", "/subnets$", {"subnets": subnets})
    seen = protocol.Network("n1", "guests", ("10.0.0.0/24",))
    assert cloud.network.network("n1") == seen
    assert cloud.network.networks() == [seen]


def test_a_group_has_exactly_its_rules(cloud, groups):
    group = cloud.network.create_group("a.group", RULES)
    found = cloud.network.find_groups("a.group")
    assert [g.id for g in found] == [group.id]
    assert set(found[0].rules) == set(RULES)
    kinds = [r["ethertype"] for r in groups.rules.values() if not r["remote_ip_prefix"]]
    assert sorted(kinds) == ["IPv4", "IPv6"]


def test_a_group_without_rules_lets_nothing_through(cloud, groups):
    cloud.network.create_group("a.group", ())
    assert groups.rules == {}


@pytest.mark.parametrize("done", [0, 1])
def test_a_group_cut_short_is_completed_not_made_again(cloud, groups, done):
    groups.fail_after = done
    with pytest.raises(protocol.Unknown):
        cloud.network.create_group("a.group", RULES)
    groups.fail_after = None
    group = cloud.network.create_group("a.group", RULES)
    assert list(groups.groups) == [group.id]
    assert set(cloud.network.find_groups("a.group")[0].rules) == set(RULES)


def test_a_rule_that_is_there_already_is_no_error(stub, cloud, groups):
    there = {"NeutronError": {"type": "SecurityGroupRuleExists", "message": "exists"}}
    stub.on("POST", "/security-group-rules$", (409, there))
    cloud.network.create_group("a.group", RULES)


def test_what_is_too_much_is_removed(cloud, groups):
    cloud.network.create_group("a.group", RULES)
    cloud.network.create_group("a.group", RULES[:1])
    assert cloud.network.find_groups("a.group")[0].rules == RULES[:1]


def test_rules_that_others_added_are_seen_and_removed(cloud, groups):
    group = cloud.network.create_group("a.group", RULES[:1])
    rule = {"direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
    rule["security_group_id"] = group.id
    several = {"port_range_min": 3306, "port_range_max": 3310}
    groups.add(**rule, **several, remote_ip_prefix="10.0.0.0/8")
    groups.add(**rule, remote_group_id="g9")
    seen = cloud.network.find_groups("a.group")[0].rules
    assert set(RULES[:1]) < set(seen)
    cloud.network.create_group("a.group", RULES[:1])
    assert cloud.network.find_groups("a.group")[0].rules == RULES[:1]


def test_a_group_in_use_is_a_conflict(stub, cloud):
    used = {"NeutronError": {"type": "SecurityGroupInUse", "message": "in use"}}
    stub.on("DELETE", "/security-groups/g1$", (409, used))
    with pytest.raises(protocol.CloudConflict):
        cloud.network.delete_group("g1")
    cloud.network.delete_group("g2")


FLOATING = {
    "id": "f1",
    "description": "trove-deployment=d1 a.public",
    "floating_network_id": "n9",
    "floating_ip_address": "203.0.113.7",
    "port_id": "p1",
    "project_id": "p1",
    "created_at": "2026-01-02T00:00:00Z",
}


def test_a_floating_ip_says_whose_it_is_in_its_description(stub, cloud):
    stub.on("POST", "/floatingips$", (201, {"floatingip": FLOATING}))
    made = cloud.network.create_floating_ip("a.public", "n9", "p1")
    assert made == protocol.FloatingIP("f1", "a.public", "203.0.113.7", "p1")
    (request,) = stub.asked("POST", "/floatingips$")
    assert request.body["floatingip"] == {
        "description": "trove-deployment=d1 a.public",
        "floating_network_id": "n9",
        "port_id": "p1",
    }


def test_a_floating_ip_is_found_by_its_key_and_no_other(stub, cloud):
    older = {**FLOATING, "id": "f0", "created_at": "2026-01-01T00:00:00Z"}
    longer = {**FLOATING, "id": "f2", "description": "trove-deployment=d1 a.public.1"}
    others = {**FLOATING, "id": "f3", "description": "trove-deployment=d10 a.public"}
    nobodys = {**FLOATING, "id": "f4", "description": None}
    forged = {**FLOATING, "id": "f5", "project_id": "p2"}
    every = [FLOATING, longer, others, nobodys, older, forged]
    stub.on("GET", "/floatingips$", {"floatingips": every})
    found = cloud.network.find_floating_ips("a.public")
    assert [each.id for each in found] == ["f0", "f1"]
    owned = cloud.network.owned_floating_ips()
    assert [each.key for each in owned] == ["a.public", "a.public", "a.public.1"]


def test_an_external_network_is_public(stub, cloud):
    network = {"id": "n9", "name": "world", "router:external": True}
    stub.on("GET", "/networks$", {"networks": [network]})
    stub.on("GET", "/subnets$", {"subnets": []})
    assert cloud.network.networks() == [protocol.Network("n9", "world", (), True)]
