# SPDX-License-Identifier: Apache-2.0
from trove.localcloud import things


def test_an_image_is_found_by_all_its_tags(web):
    found = web("GET", "/image/v2/images?tag=trove&tag=postgresql")["images"]
    assert [image["tags"] for image in found] == [["trove", "postgresql", "15"]]
    assert web("GET", "/image/v2/images?tag=oracle")["images"] == []
    assert web("GET", f"/image/v2/images/{found[0]['id']}")["status"] == "active"


def test_the_newest_image_comes_first(web):
    stamps = (2e9, 2e9)
    newer = things.Image("newer", "p", "n", *stamps, ["/x"], ["trove", "mariadb"])
    web.put(newer)
    path = "/image/v2/images?tag=mariadb&sort=created_at:desc"
    assert web("GET", path)["images"][0]["id"] == "newer"
