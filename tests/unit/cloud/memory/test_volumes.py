# SPDX-License-Identifier: Apache-2.0
"""Volumes of the memory cloud: their states on the clock."""

import pytest

from trove.cloud import protocol


def test_a_volume_is_created_then_available(cloud, clock):
    volume = cloud.volumes.create("a.volume", 2, type="fast")
    assert (volume.status, volume.size, volume.type) == ("creating", 2, "fast")
    with pytest.raises(protocol.CloudConflict):
        cloud.volumes.delete(volume.id)
    clock.turn(4)
    assert cloud.volumes.show(volume.id).status == "available"


def test_a_volume_has_its_new_size_when_it_has_grown(cloud, clock):
    volume = cloud.volumes.create("a.volume", 2)
    clock.turn(4)
    cloud.volumes.extend(volume.id, 3)
    shown = cloud.volumes.show(volume.id)
    assert (shown.status, shown.size) == ("extending", 2)
    with pytest.raises(protocol.CloudConflict):
        cloud.volumes.extend(volume.id, 4)
    clock.turn(6)
    shown = cloud.volumes.show(volume.id)
    assert (shown.status, shown.size) == ("available", 3)


def test_a_volume_being_deleted_says_so(cloud, clock):
    volume = cloud.volumes.create("a.volume", 2)
    clock.turn(4)
    cloud.volumes.delete(volume.id)
    assert cloud.volumes.show(volume.id).status == "deleting"
    cloud.volumes.delete(volume.id)
    clock.turn(3)
    assert cloud.volumes.show(volume.id) is None


def test_what_was_retained_is_seen_in_the_leak_check(cloud):
    volume = cloud.volumes.create("a.volume", 2)
    cloud.volumes.retain(volume.id, "instance a was active")
    assert [t.retained for t in cloud.things()] == ["instance a was active"]
    for _ in range(2):
        cloud.volumes.resume(volume.id)
        assert [t.retained for t in cloud.things()] == [None]


def test_a_spoiled_volume_can_be_deleted(cloud, clock):
    volume = cloud.volumes.create("a.volume", 2)
    cloud.spoil(volume.id)
    assert cloud.volumes.show(volume.id).status == "error"
    cloud.volumes.delete(volume.id)
    clock.turn(3)
    assert cloud.things() == frozenset()


def test_a_thousand_volumes_are_all_owned(cloud):
    for number in range(1100):
        cloud.volumes.create(f"{number}.volume", 1)
    assert len(cloud.volumes.owned()) == 1100
