# SPDX-License-Identifier: Apache-2.0
"""The memory world: visibility, ownership, hooks and threads."""

import threading

import pytest

from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, World


def test_a_new_thing_is_shown_by_id_before_it_is_listed(clock):
    cloud = MemoryCloud(clock=clock, visible_after=5)
    volume = cloud.volumes.create("a.volume", 1)
    assert cloud.volumes.find("a.volume") == []
    assert cloud.volumes.owned() == []
    assert cloud.volumes.show(volume.id) is not None
    assert {thing.id for thing in cloud.things()} == {volume.id}
    clock.turn(5)
    assert [v.id for v in cloud.volumes.find("a.volume")] == [volume.id]
    assert [v.id for v in cloud.volumes.owned()] == [volume.id]


def test_a_deployment_sees_its_own_things_only():
    world = World()
    mine = MemoryCloud(deployment="mine", world=world)
    other = MemoryCloud(deployment="other", world=world)
    mine.volumes.create("a.volume", 1)
    theirs = other.volumes.create("b.volume", 1)
    assert [v.key for v in mine.volumes.owned()] == ["a.volume"]
    assert mine.volumes.find("b.volume") == []
    assert mine.volumes.show(theirs.id) is not None
    assert {t.deployment for t in mine.things()} == {"mine", "other"}


def test_an_error_before_the_deed_leaves_nothing(cloud):
    def down(name, said):
        raise protocol.Passing(f"no {name}")

    cloud.before = down
    with pytest.raises(protocol.Passing, match="volumes.create"):
        cloud.volumes.create("a.volume", 1)
    assert cloud.things() == frozenset()


def test_an_error_after_the_deed_is_a_lost_reply(cloud):
    told = []

    def lost(name, said, answer):
        told.append((name, said, answer.key))
        raise protocol.Unknown("the connection was reset")

    cloud.after = lost
    with pytest.raises(protocol.Unknown):
        cloud.volumes.create("a.volume", size=2)
    assert told == [("volumes.create", {"key": "a.volume", "size": 2}, "a.volume")]
    assert [thing.key for thing in cloud.things()] == ["a.volume"]


def test_a_hook_that_blocks_does_not_stop_the_others(cloud):
    paused, go_on = threading.Event(), threading.Event()

    def pause(name, said):
        if said.get("key") == "slow.volume":
            paused.set()
            assert go_on.wait(10)

    cloud.before = pause
    slow = threading.Thread(target=cloud.volumes.create, args=("slow.volume", 1))
    slow.start()
    assert paused.wait(10)
    cloud.volumes.create("fast.volume", 1)
    assert {thing.key for thing in cloud.things()} == {"fast.volume"}
    go_on.set()
    slow.join(10)
    assert {thing.key for thing in cloud.things()} == {"fast.volume", "slow.volume"}


def test_of_many_threads_one_gets_the_volume():
    cloud = MemoryCloud()
    volume = cloud.volumes.create("a.volume", 1)
    order = protocol.Boot("db", "image-1", "1", (), volume.id, "")
    ends = []

    def boot():
        try:
            ends.append(cloud.compute.boot("a.server", order))
        except protocol.Refused as refused:
            ends.append(refused.status)

    threads = [threading.Thread(target=boot) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count(400) == 7
    assert len(cloud.compute.find("a.server")) == 1
