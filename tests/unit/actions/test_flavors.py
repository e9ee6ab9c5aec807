# SPDX-License-Identifier: Apache-2.0
"""Flavors are believed for a while, and a new one is found at once."""

import pytest

from trove import errors
from trove.actions.flavors import Flavors, id_of
from trove.cloud.memory import MemoryCloud
from trove.cloud.protocol import Flavor, Passing

TINY = Flavor("1", "tiny", ram=512, vcpus=1, disk=5)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_believed_for_a_minute() -> None:
    asked: list[str] = []
    cloud = MemoryCloud(flavors=(TINY,), before=lambda name, *about: asked.append(name))
    clock = Clock()
    flavors = Flavors(cloud.compute, 60, clock)
    assert flavors.find("1") == TINY
    cloud.world.flavors["2"] = Flavor("2", "small", ram=256, vcpus=1, disk=5)
    assert [each.id for each in flavors.all()] == ["1"]
    assert flavors.find("2").name == "small"
    # one that the cloud has taken back is believed in until the minute is over
    del cloud.world.flavors["1"]
    assert flavors.find("1") == TINY
    clock.now = 61
    assert [each.id for each in flavors.all()] == ["2"]
    with pytest.raises(errors.FlavorNotFound):
        flavors.find("1")


def test_a_cloud_that_fails_is_not_believed_empty() -> None:
    def fail(*about: object) -> None:
        raise Passing("the cloud is away")

    cloud = MemoryCloud(flavors=(TINY,), before=fail)
    with pytest.raises(errors.Upstream):
        Flavors(cloud.compute).all()


@pytest.mark.parametrize(
    "given, id",
    [(6, "6"), ("6", "6"), ("https://h/v1.0/t/flavors/m1.big", "m1.big"), ("a/", "a")],
)
def test_ids(given: str | int, id: str) -> None:
    assert id_of(given) == id


def test_no_id() -> None:
    with pytest.raises(errors.Invalid):
        id_of("/")
