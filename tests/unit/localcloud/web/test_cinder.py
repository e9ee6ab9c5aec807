# SPDX-License-Identifier: Apache-2.0
import urllib.parse

import pytest

from trove.localcloud import things

VOLUMES = "/volume/v3/p/volumes"


def extend(web, volume, size, version="3.42", **want):
    body = {"os-extend": {"new_size": size}}
    return web("POST", f"{VOLUMES}/{volume}/action", body, version=version, **want)


def test_a_volume_is_asked_for(web):
    body = {"volume": {"size": 2, "name": "data", "metadata": {"k": "v"}}}
    made = web("POST", VOLUMES, body, status=202)["volume"]
    assert (made["status"], made["size"]) == ("creating", 2)
    assert ("Volume", made["id"]) in web.keeper.woken


@pytest.mark.parametrize(
    ("status", "values"),
    [
        (400, {"size": 0}),
        (400, {"size": "much"}),
        (400, {"size": 1 << 30}),
        (404, {"size": 1, "volume_type": "gold"}),
        (400, {"size": 1, "availability_zone": "mars"}),
    ],
)
def test_a_wrong_volume_is_refused(web, status, values):
    web.refused(status, "POST", VOLUMES, {"volume": values})
    assert web("GET", VOLUMES) == {"volumes": []}


def test_volumes_are_found_by_their_metadata(web):
    web.volume(name="a", metadata={"trove-key": "1"})
    web.volume(name="b", metadata={"trove-key": "2"})
    asked = urllib.parse.quote("{'trove-key': '2'}")
    found = web("GET", f"{VOLUMES}/detail?metadata={asked}")["volumes"]
    assert [volume["name"] for volume in found] == ["b"]
    assert len(web("GET", f"{VOLUMES}?name=a")["volumes"]) == 1
    web.refused(400, "GET", f"{VOLUMES}?metadata=what(")


def test_a_volume_in_use_grows_since_3_42(web):
    volume = web.volume(status="in-use")
    extend(web, volume, 2, version="3.41", status=400)
    extend(web, volume, 2, status=202)
    row = web.get(things.Volume, volume)
    assert (row.status, row.size) == ("extending", 2)


def test_a_volume_does_not_shrink(web):
    extend(web, web.volume(), 1, status=400)


@pytest.mark.parametrize("status", ["in-use", "creating", "extending", "attaching"])
def test_a_volume_that_is_busy_is_not_deleted(web, status):
    volume = web.volume(status=status)
    web.refused(400, "DELETE", f"{VOLUMES}/{volume}")


@pytest.mark.parametrize("status", ["available", "error", "deleting"])
def test_a_volume_that_is_not_busy_is_deleted(web, status):
    volume = web.volume(status=status)
    web("DELETE", f"{VOLUMES}/{volume}", status=202)
    assert web.get(things.Volume, volume).status == "deleting"


def test_other_projects_volumes_are_not_there(web):
    volume = web.volume()
    path = f"/volume/v3/other/volumes/{volume}"
    web.refused(404, "GET", path, project="other")


def test_metadata_is_added_replaced_and_taken_away(web):
    path = f"{VOLUMES}/{web.volume(metadata={'a': '1'})}/metadata"
    web("POST", path, {"metadata": {"b": "2"}}, status=200)
    assert web("GET", path) == {"metadata": {"a": "1", "b": "2"}}
    web("DELETE", f"{path}/a", status=200)
    web("PUT", path, {"metadata": {"c": "3"}}, status=200)
    assert web("GET", path) == {"metadata": {"c": "3"}}
