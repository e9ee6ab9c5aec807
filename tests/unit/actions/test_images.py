# SPDX-License-Identifier: Apache-2.0
"""The image of a create: asked for once in a while, and missed at once."""

import typing

import pytest

from trove import errors
from trove.actions.images import BELIEVED, Chosen
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, World
from trove.db.tables import DatastoreVersion

TAGGED = DatastoreVersion(name="1", image_tags=["trove"])


class Scene:
    def __init__(self) -> None:
        self.now, self.asked = 0.0, 0
        self.world = World(images=[protocol.Image("old", "guest", ("trove",))])
        cloud = MemoryCloud(world=self.world, before=self._ask)
        self.chosen = Chosen(cloud.images, lambda: self.now)

    def _ask(self, name: str, said: typing.Any) -> None:
        self.asked += 1


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_it_is_asked_for_once_in_a_while(scene: Scene) -> None:
    assert [scene.chosen.image(TAGGED) for _ in range(3)] == ["old"] * 3
    assert scene.asked == 1
    scene.world.images["new"] = protocol.Image("new", "guest", ("trove",))
    scene.now += BELIEVED
    assert scene.chosen.image(TAGGED) == "new"


def test_one_that_is_missing_is_looked_for_each_time(scene: Scene) -> None:
    version = DatastoreVersion(name="2", image_id="late")
    for _ in range(2):
        with pytest.raises(errors.Invalid, match="no image"):
            scene.chosen.image(version)
    scene.world.images["late"] = protocol.Image("late", "guest")
    assert scene.chosen.image(version) == "late"


def test_who_asks_for_the_newest_is_not_told_what_was_believed(scene: Scene) -> None:
    assert scene.chosen.image(TAGGED) == "old"
    scene.world.images["new"] = protocol.Image("new", "guest", ("trove",))
    assert scene.chosen.image(TAGGED) == "old"
    assert scene.chosen.newest(TAGGED) == "new"
    assert scene.chosen.image(TAGGED) == "new"
    assert scene.asked == 2
