# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.localcloud import things


def act(web, server, body, status=202):
    path = f"/compute/v2.1/servers/{server}/action"
    return web("POST", path, body, status=status)


@pytest.mark.parametrize(
    ("before", "body", "doing", "wanted"),
    [
        ("ACTIVE", {"reboot": {"type": "SOFT"}}, "rebooting", "running"),
        ("ERROR", {"reboot": {"type": "HARD"}}, "rebooting_hard", "running"),
        ("SHUTOFF", {"os-start": None}, "starting", "running"),
        ("ACTIVE", {"os-stop": None}, "stopping", "stopped"),
        ("ACTIVE", {"resize": {"flavorRef": "2"}}, "resizing", "running"),
    ],
)
def test_an_action_is_what_the_keeper_is_to_do(web, before, body, doing, wanted):
    server = web.boot(status=before)
    act(web, server, body)
    row = web.get(things.Server, server)
    assert (row.doing, row.wanted) == (doing, wanted)
    assert web.keeper.woken[-1] == ("Server", server)


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("SHUTOFF", {"reboot": {"type": "SOFT"}}),
        ("ACTIVE", {"os-start": None}),
        ("SHUTOFF", {"os-stop": None}),
        ("ACTIVE", {"confirmResize": None}),
        ("ERROR", {"resize": {"flavorRef": "2"}}),
    ],
)
def test_an_action_at_the_wrong_time_is_a_conflict(web, before, body):
    server = web.boot(status=before)
    act(web, server, body, status=409)
    assert web.get(things.Server, server).doing is None


def test_one_thing_at_a_time(web):
    server = web.boot()
    act(web, server, {"reboot": {"type": "SOFT"}})
    act(web, server, {"os-stop": None}, status=409)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"explode": None},
        {"reboot": {"type": "GENTLE"}},
        {"resize": {"flavorRef": "1"}},
        {"os-getConsoleOutput": {"length": "many"}},
    ],
)
def test_an_action_that_is_none_is_refused(web, body):
    act(web, web.boot(), body, status=400)


def test_a_confirmed_resize_keeps_the_new_flavor(web):
    server = web.boot()
    row = web.get(things.Server, server)
    row.status, row.flavor, row.old_flavor = "VERIFY_RESIZE", "2", "1"
    web.put(row)
    act(web, server, {"confirmResize": None}, status=204)
    row = web.get(things.Server, server)
    assert (row.status, row.flavor, row.old_flavor) == ("ACTIVE", "2", None)


def test_the_console_has_as_many_lines_as_asked(web):
    server = web.boot()
    said = act(web, server, {"os-getConsoleOutput": {"length": 5}}, status=200)
    assert said == {"output": "5 lines"}


def test_a_volume_is_attached_and_taken_away(web):
    server, volume = web.boot(), web.volume()
    path = f"/compute/v2.1/servers/{server}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": volume}}
    said = web("POST", path, body, version="2.79", status=200)["volumeAttachment"]
    assert said["device"] == "/dev/vdb"
    assert web.keeper.woken[-1] == ("Attachment", volume)
    [listed] = web("GET", path)["volumeAttachments"]
    assert listed["volumeId"] == volume
    web("GET", f"{path}/{volume}", status=200)
    web("DELETE", f"{path}/{volume}", status=202)
    assert web.get(things.Attachment, volume).state == "detaching"
    web("DELETE", f"{path}/other", status=404)


def test_tags_and_metadata_are_changed_one_by_one(web):
    server = f"/compute/v2.1/servers/{web.boot()}"
    web("PUT", f"{server}/tags", {"tags": ["a", "b"]}, version="2.26", status=200)
    web("PUT", f"{server}/tags/c", version="2.26", status=201)
    web("DELETE", f"{server}/tags/a", version="2.26", status=204)
    assert web("GET", f"{server}/tags", version="2.26") == {"tags": ["b", "c"]}
    web("GET", f"{server}/tags/a", version="2.26", status=404)
    web("POST", f"{server}/metadata", {"metadata": {"x": "1"}}, status=200)
    web("DELETE", f"{server}/metadata/x", status=200 + 4)
    web("DELETE", f"{server}/metadata/x", status=404)
