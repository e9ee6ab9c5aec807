# SPDX-License-Identifier: Apache-2.0
"""What every cloud's volumes must do."""

import contextlib
import uuid

import pytest

from trove.cloud import protocol

NOBODY = str(uuid.uuid4())


def test_a_volume_is_found_by_key_and_by_id(cloud, volume):
    assert (volume.key, volume.size, volume.servers) == ("v.volume", 1, ())
    assert cloud.volumes.find("v.volume") == [volume]
    assert cloud.volumes.owned() == [volume]
    assert cloud.volumes.show(volume.id) == volume


def test_its_types_are_named(cloud):
    types = cloud.volumes.types()
    assert types and all(each.id and each.name for each in types)


def test_what_nobody_made_is_not_there(cloud):
    assert cloud.volumes.find("x.volume") == []
    assert cloud.volumes.owned() == []
    assert cloud.volumes.show(NOBODY) is None
    cloud.volumes.delete(NOBODY)


def test_a_key_may_have_two_and_the_older_is_first(cloud, volume):
    younger = cloud.volumes.create("v.volume", 1)
    assert [v.id for v in cloud.volumes.find("v.volume")] == [volume.id, younger.id]


def test_what_was_made_and_not_told_is_found_by_key(bench, cloud):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        cloud.volumes.create("v.volume", 1)
    assert len(cloud.volumes.find("v.volume")) == 1


def test_a_deployment_does_not_see_anothers(bench, volume):
    theirs = bench.other.volumes.create("w.volume", 1)
    assert bench.cloud.volumes.find("w.volume") == []
    assert bench.other.volumes.find("v.volume") == []
    assert [v.id for v in bench.cloud.volumes.owned()] == [volume.id]
    assert [v.id for v in bench.other.volumes.owned()] == [theirs.id]


def test_a_volume_that_was_deleted_goes_and_may_be_deleted_again(bench, volume):
    volumes = bench.cloud.volumes
    volumes.delete(volume.id)
    volumes.delete(volume.id)
    bench.until(lambda: volumes.show(volume.id) is None)
    volumes.delete(volume.id)
    assert volumes.find("v.volume") == volumes.owned() == []


def test_what_is_reserved_for_a_server_that_is_not_there_can_go(bench, volume):
    """INV-2: Nova leaves it so when a server is deleted while it is built."""
    volumes = bench.cloud.volumes
    bench.reserve(volume.id, NOBODY)
    assert volumes.show(volume.id).status == "in-use"
    with pytest.raises(protocol.CloudConflict):
        volumes.delete(volume.id)
    bench.until(lambda: volumes.show(volume.id).status == "available")
    volumes.delete(volume.id)
    bench.until(lambda: volumes.show(volume.id) is None)


def test_what_is_reserved_for_a_server_that_is_there_stays(bench, server):
    volumes = bench.cloud.volumes
    volume = volumes.create("w.volume", 1)
    bench.until(lambda: volumes.show(volume.id).status == "available")
    bench.reserve(volume.id, server.id)
    for _ in range(2):
        with pytest.raises(protocol.CloudConflict):
            volumes.delete(volume.id)
    assert volumes.show(volume.id).status == "in-use"
    bench.cloud.compute.delete(server.id)
    bench.until(lambda: bench.cloud.compute.show(server.id) is None)


def test_a_volume_grows_and_does_not_shrink(bench, volume):
    volumes = bench.cloud.volumes
    volumes.extend(volume.id, 2)
    bench.until(lambda: volumes.show(volume.id).size == 2)
    bench.until(lambda: volumes.show(volume.id).status == "available")
    volumes.extend(volume.id, 2)
    with pytest.raises(protocol.Refused) as refused:
        volumes.extend(volume.id, 1)
    assert refused.value.status == 400
    assert volumes.show(volume.id).size == 2


def test_what_is_not_there_cannot_grow_or_be_retained(cloud):
    for call in (
        lambda: cloud.volumes.extend(NOBODY, 2),
        lambda: cloud.volumes.retain(NOBODY, "why"),
        lambda: cloud.volumes.resume(NOBODY),
    ):
        with pytest.raises(protocol.Refused) as refused:
            call()
        assert refused.value.status == 404


def test_a_volume_of_nothing_is_refused(cloud):
    with pytest.raises(protocol.Refused):
        cloud.volumes.create("v.volume", 0)


def test_a_retained_volume_stays_and_stays_ours(cloud, volume):
    cloud.volumes.retain(volume.id, "its instance was active")
    cloud.volumes.retain(volume.id, "its instance was active")
    assert cloud.volumes.find("v.volume") == [volume]
    assert cloud.volumes.owned() == [volume]
    for _ in range(2):
        cloud.volumes.resume(volume.id)
        assert cloud.volumes.find("v.volume") == [volume]


def test_a_volume_leaves_a_server_that_is_off_grows_and_comes_back(
    bench, cloud, server, volume
):
    compute, volumes = cloud.compute, cloud.volumes
    compute.stop(server.id)
    bench.until(lambda: compute.show(server.id).status == "SHUTOFF")
    compute.detach(server.id, volume.id)
    bench.until(lambda: volumes.show(volume.id).status == "available")
    assert volumes.show(volume.id).servers == ()
    compute.detach(server.id, volume.id)
    volumes.extend(volume.id, 2)
    bench.until(lambda: volumes.show(volume.id).size == 2)
    bench.until(lambda: volumes.show(volume.id).status == "available")
    compute.attach(server.id, volume.id)
    bench.until(lambda: volumes.show(volume.id).status == "in-use")
    # Cinder may say so a moment before it says whose it is.
    bench.until(lambda: volumes.show(volume.id).servers == (server.id,))
    with contextlib.suppress(protocol.CloudConflict):
        compute.attach(server.id, volume.id)
    compute.start(server.id)
    bench.until(lambda: compute.show(server.id).status == "ACTIVE")
    assert volumes.show(volume.id).servers == (server.id,)


def test_what_nobody_made_goes_to_no_server(cloud, server):
    with pytest.raises((protocol.Refused, protocol.CloudConflict)):
        cloud.compute.attach(server.id, NOBODY)
    cloud.compute.detach(server.id, NOBODY)
