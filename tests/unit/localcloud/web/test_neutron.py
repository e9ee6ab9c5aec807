# SPDX-License-Identifier: Apache-2.0


def test_the_network_is_everybodys(web):
    [network] = web("GET", "/network/v2.0/networks?name=trove", project="other")[
        "networks"
    ]
    assert (network["name"], network["shared"]) == ("trove", True)
    [subnet] = web("GET", "/network/v2.0/subnets?name=trove")["subnets"]
    assert network["subnets"] == [subnet["id"]]
    assert subnet["cidr"] == "10.9.0.0/28"


def test_things_are_found_by_their_tags(web):
    ports = [web.port(name=name)["id"] for name in "ab"]
    for port, tags in zip(ports, (["x", "1"], ["x", "2"]), strict=True):
        path = f"/network/v2.0/ports/{port}/tags"
        assert web("PUT", path, {"tags": tags}, status=200) == {"tags": sorted(tags)}
    path = "/network/v2.0/ports"
    for query, expected in (
        ("tags=x,2", "b"),
        ("tags=x", "ab"),
        ("tags-any=1,2", "ab"),
        ("not-tags=2", "a"),
        ("name=b", "b"),
    ):
        found = web("GET", f"{path}?{query}")["ports"]
        assert "".join(sorted(port["name"] for port in found)) == expected


def test_only_the_fields_asked_for_are_shown(web):
    web.port(name="a")
    shown = web("GET", "/network/v2.0/ports?fields=name")["ports"]
    assert shown == [{"name": "a"}]


def test_lists_come_in_pages(web):
    for name in "abc":
        web.port(name=name)
    first = web("GET", "/network/v2.0/ports?limit=2")
    assert len(first["ports"]) == 2
    marker = first["ports"][-1]["id"]
    assert marker in first["ports_links"][0]["href"]
    rest = web("GET", f"/network/v2.0/ports?limit=2&marker={marker}")["ports"]
    assert [port["name"] for port in rest] == ["c"]


def test_tags_of_what_is_not_there_are_not_found(web):
    body = {"tags": ["a"]}
    for path in ("ports/x", "routers/x"):
        web.refused(404, "PUT", f"/network/v2.0/{path}/tags", body)
    port = web.port()["id"]
    path = f"/network/v2.0/ports/{port}/tags"
    web.refused(404, "PUT", path, body, project="other")
    web.refused(400, "PUT", path, {"tags": ["x" * 256]})
