# SPDX-License-Identifier: Apache-2.0
"""Servers of the memory cloud: their states on the clock, and what they hold."""

import pytest

from trove.cloud import protocol


@pytest.fixture
def volume(cloud, clock):
    volume = cloud.volumes.create("a.volume", 1)
    clock.turn(4)
    return volume


@pytest.fixture
def server(cloud, clock, volume):
    port = cloud.network.create_port("a.port", "net-1", ())
    order = protocol.Boot("db", "image-1", "1", (port.id,), volume.id, "")
    return cloud.compute.boot("a.server", order)


def status(cloud, server):
    shown = cloud.compute.show(server.id)
    return shown and shown.status


def test_a_server_builds_then_is_active(cloud, clock, server):
    assert server.status == "BUILD"
    clock.turn(19)
    assert status(cloud, server) == "BUILD"
    clock.turn(1)
    assert status(cloud, server) == "ACTIVE"


def test_a_server_has_its_ports_addresses_and_its_volume(cloud, server, volume):
    port = cloud.network.find_ports("a.port")[0]
    assert server.addresses == port.addresses == ("10.9.0.2",)
    assert server.volumes == (volume.id,)
    assert port.server == server.id


def test_a_server_that_goes_frees_what_it_held_when_it_is_gone(
    cloud, clock, server, volume
):
    cloud.compute.delete(server.id)
    assert status(cloud, server) is not None
    assert cloud.volumes.show(volume.id).status == "in-use"
    clock.turn(3)
    assert status(cloud, server) is None
    assert cloud.volumes.show(volume.id).status == "available"
    assert cloud.network.find_ports("a.port")[0].server is None


def test_a_reboot_takes_its_time(cloud, clock, server):
    with pytest.raises(protocol.CloudConflict):
        cloud.compute.reboot(server.id)
    clock.turn(20)
    cloud.compute.reboot(server.id)
    assert status(cloud, server) == "REBOOT"
    clock.turn(5)
    assert status(cloud, server) == "ACTIVE"


def test_a_spoiled_server_says_why_and_can_be_deleted(cloud, clock, server):
    cloud.spoil(server.id, "No valid host was found.")
    shown = cloud.compute.show(server.id)
    assert (shown.status, shown.fault) == ("ERROR", "No valid host was found.")
    with pytest.raises(protocol.CloudConflict):
        cloud.compute.start(server.id)
    cloud.compute.delete(server.id)
    clock.turn(3)
    assert status(cloud, server) is None


def test_a_volume_that_is_not_ready_is_refused(cloud):
    young = cloud.volumes.create("b.volume", 1)
    order = protocol.Boot("db", "image-1", "1", (), young.id, "")
    with pytest.raises(protocol.Refused) as refused:
        cloud.compute.boot("b.server", order)
    assert refused.value.status == 400
