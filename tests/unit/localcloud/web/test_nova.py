# SPDX-License-Identifier: Apache-2.0


def test_flavors_are_listed_and_shown(web):
    listed = web("GET", "/compute/v2.1/flavors/detail")["flavors"]
    assert [flavor["ram"] for flavor in listed] == [512, 1024, 2048, 4096, 8192]
    assert web("GET", "/compute/v2.1/flavors/2")["flavor"]["name"] == "db.small"
    web.refused(404, "GET", "/compute/v2.1/flavors/9")


def test_a_server_group_knows_its_members(web):
    path = "/compute/v2.1/os-server-groups"
    body = {"server_group": {"name": "g", "policy": "anti-affinity"}}
    made = web("POST", path, body, version="2.64", status=200)["server_group"]
    server = web.boot(**{"os:scheduler_hints": {"group": made["id"]}})
    shown = web("GET", f"{path}/{made['id']}", version="2.64")["server_group"]
    assert shown["members"] == [server]
    assert shown["policy"] == "anti-affinity"
    web("DELETE", f"{path}/{made['id']}", status=204)
    web.refused(404, "GET", f"{path}/{made['id']}")
    body["server_group"]["policy"] = "nearby"
    web.refused(400, "POST", path, body, version="2.64")
