# SPDX-License-Identifier: Apache-2.0
from trove.localcloud import things

PORTS = "/network/v2.0/ports"


def test_a_port_has_an_address_and_the_projects_default_group(web):
    port = web.port()
    assert port["fixed_ips"][0]["ip_address"] == "10.9.0.2"
    assert port["status"] == "DOWN"
    [group] = web("GET", "/network/v2.0/security-groups?name=default")[
        "security_groups"
    ]
    assert port["security_groups"] == [group["id"]]


def test_a_port_without_groups_has_none(web):
    assert web.port(security_groups=[])["security_groups"] == []


def test_an_address_may_be_chosen_and_is_given_once(web):
    chosen = [{"ip_address": "10.9.0.4"}]
    assert web.port(fixed_ips=chosen)["fixed_ips"][0]["ip_address"] == "10.9.0.4"
    [network] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    body = {"port": {"network_id": network["id"], "fixed_ips": chosen}}
    web.refused(409, "POST", PORTS, body)
    body["port"]["fixed_ips"] = [{"ip_address": "192.0.2.1"}]
    web.refused(400, "POST", PORTS, body)


def test_a_full_network_is_a_conflict(web):
    for _ in range(10):
        web.port()
    [network] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    said = web("POST", PORTS, {"port": {"network_id": network["id"]}}, status=409)
    assert said["NeutronError"]["type"] == "IpAddressGenerationFailure"


def test_a_port_on_no_network_or_with_no_such_group_is_not_found(web):
    web.refused(404, "POST", PORTS, {"port": {"network_id": "x"}})
    [network] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    body = {"port": {"network_id": network["id"], "security_groups": ["x"]}}
    web.refused(404, "POST", PORTS, body)


def test_a_port_is_active_while_its_server_is(web):
    port = web.port()["id"]
    web.boot(networks=[{"port": port}])
    assert web("GET", f"{PORTS}/{port}")["port"]["status"] == "ACTIVE"


def test_what_passes_a_deleted_port_stops_at_once(web):
    port = web.port()["id"]
    web("DELETE", f"{PORTS}/{port}", status=204)
    assert web.keeper.guarded == 1
    assert web.get(things.Port, port) is None
    web.refused(404, "DELETE", f"{PORTS}/{port}")


PAIR = [{"ip_address": "10.9.0.9"}]


def test_who_may_speak_with_more_addresses(web):
    [network] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    body = {"port": {"network_id": network["id"], "allowed_address_pairs": PAIR}}
    assert "policy" in web.refused(403, "POST", PORTS, body)
    made = web("POST", PORTS, body, roles="service,member", status=201)["port"]
    [pair] = made["allowed_address_pairs"]
    assert pair == {"ip_address": "10.9.0.9", "mac_address": made["mac_address"]}
    one = f"{PORTS}/{made['id']}"
    web.refused(403, "PUT", one, body)
    none = {"port": {"allowed_address_pairs": []}}
    shown = web("PUT", one, none, roles="service,member", status=200)["port"]
    assert shown["allowed_address_pairs"] == []


def test_a_pair_that_is_none(web):
    [network] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    for pair in (
        "10.9.0.9",
        {"ip_address": "10.9.0"},
        {"ip_address": "::1"},
        {"ip_address": "10.9.0.9/24"},
        {"ip_address": "10.9.0.9", "mac_address": "fa:16:3e:00:00:09"},
        {"mac_address": "fa:16:3e:00:00:09"},
    ):
        body = {"port": {"network_id": network["id"], "allowed_address_pairs": [pair]}}
        web.refused(400, "POST", PORTS, body, roles="service")
    body["port"]["allowed_address_pairs"] = 7
    web.refused(400, "POST", PORTS, body, roles="service")
    assert web("GET", PORTS)["ports"] == []


def test_a_service_sees_others_ports_and_does_not_touch_them(web):
    port = web.port()["id"]
    one = f"{PORTS}/{port}"
    web("GET", one, project="other", status=404)
    seen = web("GET", one, project="other", roles="service,member", status=200)["port"]
    assert (seen["project_id"], seen["device_id"]) == ("p", "")
    how = {"project": "other", "roles": "service,member"}
    web.refused(404, "PUT", one, {"port": {"name": "mine"}}, **how)
    web.refused(404, "DELETE", one, **how)
