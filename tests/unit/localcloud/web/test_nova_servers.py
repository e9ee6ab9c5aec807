# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.localcloud import things
from trove.localcloud.web import calls

SERVERS = "/compute/v2.1/servers"


def names(said):
    return [server["name"] for server in said["servers"]]


def test_a_server_is_shown_by_the_microversion_asked_for(web):
    server = web.boot(tags=["a"])
    old = web("GET", f"{SERVERS}/{server}", version="2.1")["server"]
    new = web("GET", f"{SERVERS}/{server}", version="2.79")["server"]
    assert old["flavor"]["id"] == "1"
    assert "tags" not in old
    assert new["flavor"]["original_name"] == "db.tiny"
    assert "id" not in new["flavor"]
    assert new["tags"] == ["a"]
    assert new["status"] == "ACTIVE"
    assert new["OS-EXT-STS:power_state"] == 1


def test_servers_are_found_by_their_tags(web):
    for number in (1, 2):
        web.boot(name=f"db{number}", tags=["ours", f"key={number}"])
    assert names(web("GET", f"{SERVERS}?tags=ours,key=2", version="2.26")) == ["db2"]
    both = web("GET", f"{SERVERS}?tags-any=key=1,key=2", version="2.26")
    assert names(both) == ["db2", "db1"]
    assert names(web("GET", f"{SERVERS}?not-tags=key=1", version="2.26")) == ["db2"]


def test_a_name_is_a_pattern(web):
    web.boot(name="one")
    web.boot(name="two")
    assert names(web("GET", f"{SERVERS}?name=^o")) == ["one"]
    web.refused(400, "GET", f"{SERVERS}?name=(")


def test_other_projects_servers_are_not_there(web):
    server = web.boot()
    for verb in ("GET", "DELETE"):
        web.refused(404, verb, f"{SERVERS}/{server}", project="other")
    listed = web("GET", f"{SERVERS}?all_tenants=1", project="other")
    assert listed["servers"] == []
    seen = web("GET", f"{SERVERS}?all_tenants=1", project="other", roles="admin")
    assert names(seen) == ["db"]


def test_a_deleted_server_is_gone_but_for_who_asks_what_changed(web):
    server = web.boot()
    web("DELETE", f"{SERVERS}/{server}", status=204)
    going = web("GET", f"{SERVERS}/{server}")["server"]
    assert going["OS-EXT-STS:task_state"] == "deleting"
    row = web.get(things.Server, server)
    row.status, row.doing, row.deleted = "DELETED", None, row.updated
    web.put(row)
    web.refused(404, "GET", f"{SERVERS}/{server}")
    assert web("GET", SERVERS)["servers"] == []
    since = calls.iso(row.updated - 5)
    [changed] = web("GET", f"{SERVERS}/detail?changes-since={since}")["servers"]
    assert changed["status"] == "DELETED"
    web.refused(400, "GET", f"{SERVERS}?changes-since=yesterday")


@pytest.mark.parametrize("status", ["BUILD", "ERROR", "SHUTOFF", "VERIFY_RESIZE"])
def test_a_server_is_deleted_in_every_state(web, status):
    server = web.boot(status=status)
    web("DELETE", f"{SERVERS}/{server}", status=204)
    assert web.get(things.Server, server).doing == "deleting"


def test_lists_come_in_pages(web):
    for number in range(3):
        web.boot(name=f"db{number}")
    first = web("GET", f"{SERVERS}?limit=2")
    assert names(first) == ["db2", "db1"]
    assert first["servers_links"][0]["rel"] == "next"
    marker = first["servers"][-1]["id"]
    assert names(web("GET", f"{SERVERS}?limit=2&marker={marker}")) == ["db0"]
    web.refused(400, "GET", f"{SERVERS}?marker=none")


def test_why_a_server_failed_is_shown(web):
    server = web.boot()
    row = web.get(things.Server, server)
    row.status = "ERROR"
    row.fault = {"code": 500, "created": 0.0, "message": "no space"}
    web.put(row)
    shown = web("GET", f"{SERVERS}/{server}")["server"]["fault"]
    assert shown["message"] == "no space"
    assert shown["created"] == "1970-01-01T00:00:00Z"


def test_a_server_is_renamed(web):
    server = web.boot()
    body = {"server": {"name": "new"}}
    web("PUT", f"{SERVERS}/{server}", body, status=200)
    assert names(web("GET", SERVERS)) == ["new"]
