# SPDX-License-Identifier: Apache-2.0
import pytest

GROUPS = "/network/v2.0/security-groups"
RULES = "/network/v2.0/security-group-rules"


@pytest.fixture
def group(web):
    body = {"security_group": {"name": "db"}}
    return web("POST", GROUPS, body, status=201)["security_group"]


def rule(group, **values):
    plain = {"security_group_id": group["id"], "direction": "ingress"}
    return {"security_group_rule": plain | {"protocol": "tcp"} | values}


def test_a_new_group_lets_everything_out(group):
    rules = group["security_group_rules"]
    assert [each["direction"] for each in rules] == ["egress", "egress"]
    assert {each["ethertype"] for each in rules} == {"IPv4", "IPv6"}


def test_a_rule_counts_at_once(web, group):
    body = rule(group, port_range_min=3306, port_range_max=3306)
    made = web("POST", RULES, body, status=201)["security_group_rule"]
    assert web.keeper.guarded == 1
    web("DELETE", f"{RULES}/{made['id']}", status=204)
    assert web.keeper.guarded == 2


def test_the_same_rule_twice_is_a_conflict(web, group):
    body = rule(group, port_range_min=1, port_range_max=2)
    web("POST", RULES, body, status=201)
    said = web("POST", RULES, body, status=409)["NeutronError"]
    assert said["type"] == "SecurityGroupRuleExists"


@pytest.mark.parametrize(
    "values",
    [
        {"direction": "sideways"},
        {"ethertype": "IPv5"},
        {"protocol": "carrier-pigeon"},
        {"port_range_min": 0, "port_range_max": 1},
        {"port_range_min": 5, "port_range_max": 4},
        {"protocol": None, "port_range_min": 1, "port_range_max": 2},
        {"remote_ip_prefix": "10.0.0.0/99"},
    ],
)
def test_a_wrong_rule_is_refused(web, group, values):
    web.refused(400, "POST", RULES, rule(group, **values))


def test_a_group_in_use_is_kept(web, group):
    port = web.port(security_groups=[group["id"]])["id"]
    said = web("DELETE", f"{GROUPS}/{group['id']}", status=409)["NeutronError"]
    assert said["type"] == "SecurityGroupInUse"
    web("DELETE", f"/network/v2.0/ports/{port}", status=204)
    web("DELETE", f"{GROUPS}/{group['id']}", status=204)
    assert web("GET", f"{RULES}?security_group_id={group['id']}") == {
        "security_group_rules": []
    }


def test_other_projects_groups_are_not_there(web, group):
    web.refused(404, "GET", f"{GROUPS}/{group['id']}", project="other")
    web.refused(404, "POST", RULES, rule(group), project="other")
