# SPDX-License-Identifier: Apache-2.0
"""The networks of creates: asked for once in a while, and missed at once."""

import typing

from trove.actions.networks import BELIEVED, Usable
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, World


class Scene:
    def __init__(self) -> None:
        self.now, self.asked = 0.0, 0
        self.world = World(networks=[protocol.Network("there", "private")])
        cloud = MemoryCloud(world=self.world, before=self._ask)
        self.usable = Usable(cloud.network, lambda: self.now)

    def _ask(self, name: str, said: typing.Any) -> None:
        self.asked += 1


def test_it_is_asked_for_once_in_a_while() -> None:
    scene = Scene()
    assert [scene.usable("there") for _ in range(3)] == [True] * 3
    assert scene.asked == 1
    del scene.world.networks["there"]
    scene.now += BELIEVED
    assert not scene.usable("there")


def test_one_that_is_missing_is_looked_for_each_time() -> None:
    scene = Scene()
    assert [scene.usable("late") for _ in range(2)] == [False] * 2
    scene.world.networks["late"] = protocol.Network("late", "private")
    assert scene.usable("late")
