# SPDX-License-Identifier: Apache-2.0
"""What is asked of Glance, and what its answers become."""

from trove.cloud import protocol

IMAGE = {
    "id": "i1",
    "name": "mariadb",
    "status": "active",
    "tags": ["trove", "mariadb"],
    "created_at": "2026-01-02T00:00:00Z",
}


def test_the_newest_active_image_with_all_tags(stub, cloud):
    older = {**IMAGE, "id": "i0", "created_at": "2026-01-01T00:00:00Z"}
    queued = {**IMAGE, "id": "i2", "status": "queued", "created_at": "2027"}
    other = {**IMAGE, "id": "i3", "tags": ["trove"], "created_at": "2027"}
    stub.on("GET", "/images$", {"images": [queued, other, older, IMAGE]})
    seen = cloud.images.newest(("trove", "mariadb"))
    assert seen == protocol.Image("i1", "mariadb", ("trove", "mariadb"))
    query = stub.asked("GET", "/images$")[0].query
    assert query["tag"] == ["trove", "mariadb"]
    assert query["status"] == ["active"]


def test_no_image_is_none(stub, cloud):
    stub.on("GET", "/images$", {"images": []})
    assert cloud.images.newest(("oracle",)) is None


def test_an_image_is_shown(stub, cloud):
    stub.on("GET", "/images/i1$", {"image": IMAGE}, IMAGE)
    stub.on("GET", "/images/i1$", IMAGE)
    assert cloud.images.show("i1").name == "mariadb"
