# SPDX-License-Identifier: Apache-2.0
"""What every cloud's snapshots of volumes must do."""

import uuid

import pytest

from trove.cloud import protocol

NOBODY = str(uuid.uuid4())


@pytest.fixture
def snapshot(bench, volume):
    """One of the volume, available."""
    snapshots = bench.cloud.snapshots
    snapshots.create("b.snapshot", volume.id)
    bench.until(lambda: snapshots.find("b.snapshot")[0].status == "available")
    (made,) = snapshots.find("b.snapshot")
    return made


def test_a_snapshot_is_found_by_key_and_by_id(bench, volume, snapshot):
    snapshots = bench.cloud.snapshots
    assert (snapshot.key, snapshot.size) == ("b.snapshot", volume.size)
    assert snapshot.volume == volume.id
    assert snapshots.find("b.snapshot") == snapshots.owned() == [snapshot]
    assert snapshots.show(snapshot.id) == snapshot
    assert snapshots.find("x.snapshot") == bench.other.snapshots.owned() == []
    assert snapshots.show(NOBODY) is None
    snapshots.delete(NOBODY)


def test_what_was_taken_and_not_told_is_found_by_key(bench, snapshot):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        bench.cloud.snapshots.create("c.snapshot", snapshot.volume)
    assert len(bench.cloud.snapshots.find("c.snapshot")) == 1
    bench.until(
        lambda: bench.cloud.snapshots.find("c.snapshot")[0].status == "available"
    )


def test_of_what_is_not_there_none_is_taken(cloud):
    with pytest.raises(protocol.Refused) as refused:
        cloud.snapshots.create("b.snapshot", NOBODY)
    assert refused.value.status == 404
    assert cloud.snapshots.owned() == []


def test_a_volume_stays_as_long_as_there_is_a_snapshot_of_it(bench, snapshot):
    volumes, snapshots = bench.cloud.volumes, bench.cloud.snapshots
    with pytest.raises(protocol.CloudConflict):
        volumes.delete(snapshot.volume)
    assert volumes.show(snapshot.volume).status == "available"
    snapshots.delete(snapshot.id)
    snapshots.delete(snapshot.id)
    bench.until(lambda: snapshots.show(snapshot.id) is None)
    volumes.delete(snapshot.volume)
    bench.until(lambda: volumes.show(snapshot.volume) is None)


def test_a_volume_is_made_of_it_and_is_not_smaller(bench, snapshot):
    volumes = bench.cloud.volumes
    made = volumes.create("w.volume", 2, snapshot=snapshot.id)
    bench.until(lambda: volumes.show(made.id).status == "available")
    assert volumes.show(made.id).size == 2
    assert volumes.find("w.volume") == [volumes.show(made.id)]
    volumes.extend(snapshot.volume, 2)
    bench.until(lambda: volumes.show(snapshot.volume).status == "available")
    bench.cloud.snapshots.create("d.snapshot", snapshot.volume)
    bench.until(
        lambda: bench.cloud.snapshots.find("d.snapshot")[0].status == "available"
    )
    (larger,) = bench.cloud.snapshots.find("d.snapshot")
    with pytest.raises(protocol.Refused):
        volumes.create("z.volume", 1, snapshot=larger.id)
    with pytest.raises(protocol.Refused):
        volumes.create("z.volume", 1, snapshot=NOBODY)
    assert volumes.find("z.volume") == []


def test_one_of_which_there_is_a_volume_goes_or_is_there_as_before(bench, snapshot):
    """Which of the two, its back-end decides, after the answer."""
    volumes, snapshots = bench.cloud.volumes, bench.cloud.snapshots
    made = volumes.create("w.volume", 1, snapshot=snapshot.id)
    bench.until(lambda: volumes.show(made.id).status == "available")
    snapshots.delete(snapshot.id)
    bench.until(lambda: snapshots.show(snapshot.id) in (None, snapshot))
    assert volumes.show(made.id).status == "available"
    volumes.delete(made.id)
    bench.until(lambda: volumes.show(made.id) is None)
    snapshots.delete(snapshot.id)
    bench.until(lambda: snapshots.show(snapshot.id) is None)


def test_one_is_taken_of_what_a_server_has(bench, cloud, server, volume):
    assert cloud.volumes.show(volume.id).servers == (server.id,)
    made = cloud.snapshots.create("b.snapshot", volume.id)
    bench.until(lambda: cloud.snapshots.show(made.id).status == "available")
    cloud.snapshots.delete(made.id)
    bench.until(lambda: cloud.snapshots.show(made.id) is None)
