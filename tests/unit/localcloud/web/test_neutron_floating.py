# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/localcloud/web/neutron_floating.py."""

PATH = "/network/v2.0/floatingips"


def public(web):
    query = "/network/v2.0/networks?router:external=true"
    [network] = web("GET", query)["networks"]
    return network["id"]


def made(web, status=201, **values):
    body = {"floatingip": {"floating_network_id": public(web), **values}}
    return web("POST", PATH, body, status=status)["floatingip"]


def test_one_leads_to_a_port_and_goes(web):
    port = web.port()
    guarded = web.keeper.guarded
    shown = made(web, port_id=port["id"], description="mine")
    assert web.keeper.guarded == guarded + 1
    assert shown["floating_ip_address"] == "10.9.0.13"
    assert shown["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    assert (shown["port_id"], shown["status"]) == (port["id"], "ACTIVE")
    one = f"{PATH}/{shown['id']}"
    assert web("GET", one, status=200)["floatingip"] == shown
    found = web("GET", f"{PATH}?description=mine")["floatingips"]
    assert [each["id"] for each in found] == [shown["id"]]
    assert web("GET", f"{PATH}?description=m")["floatingips"] == []
    web("DELETE", one, status=204)
    assert web.keeper.guarded == guarded + 2
    web("GET", one, status=404)


def test_a_port_has_one_and_it_may_move(web):
    first, second = web.port()["id"], web.port()["id"]
    shown = made(web, port_id=first)
    body = {"floatingip": {"floating_network_id": public(web), "port_id": first}}
    assert "already has" in web.refused(409, "POST", PATH, body)
    one = f"{PATH}/{shown['id']}"
    moved = web("PUT", one, {"floatingip": {"port_id": second}}, status=200)
    assert moved["floatingip"]["port_id"] == second
    off = web("PUT", one, {"floatingip": {"port_id": None}}, status=200)
    assert (off["floatingip"]["port_id"], off["floatingip"]["status"]) == (None, "DOWN")
    made(web, port_id=second)


def test_one_whose_port_has_gone_leads_nowhere(web):
    port = web.port()["id"]
    shown = made(web, port_id=port)
    web("DELETE", f"/network/v2.0/ports/{port}", status=204)
    again = web("GET", f"{PATH}/{shown['id']}", status=200)["floatingip"]
    assert (again["port_id"], again["status"]) == (None, "DOWN")


def test_what_cannot_be_is_refused(web):
    [own] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    body = {"floatingip": {"floating_network_id": own["id"]}}
    assert "external" in web.refused(400, "POST", PATH, body)
    body = {"floatingip": {"floating_network_id": "nosuch"}}
    web.refused(404, "POST", PATH, body)
    body = {"floatingip": {"floating_network_id": public(web), "port_id": "nosuch"}}
    web.refused(404, "POST", PATH, body)
    made(web), made(web)
    body = {"floatingip": {"floating_network_id": public(web)}}
    web.refused(409, "POST", PATH, body)


def test_anothers_is_not_seen(web):
    shown = made(web)
    one = f"{PATH}/{shown['id']}"
    assert web("GET", PATH, project="other")["floatingips"] == []
    web("GET", one, project="other", status=404)
    web.refused(404, "DELETE", one, project="other")


def test_no_server_is_on_the_public_network(web):
    body = {"port": {"network_id": public(web)}}
    web.refused(403, "POST", "/network/v2.0/ports", body)
