# SPDX-License-Identifier: Apache-2.0
"""Images of the memory cloud: the newest of its tags."""

from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud


def test_the_newest_image_with_all_tags_is_found():
    cloud = MemoryCloud(
        images=[
            protocol.Image("old", "old", ("trove", "mariadb")),
            protocol.Image("new", "new", ("mariadb", "trove", "extra")),
            protocol.Image("other", "other", ("trove",)),
        ]
    )
    assert cloud.images.newest(("trove", "mariadb")).id == "new"
    assert cloud.images.newest(("oracle",)) is None
    assert cloud.images.show("old").name == "old"
    assert cloud.images.show("none") is None
