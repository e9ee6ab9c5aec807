# SPDX-License-Identifier: Apache-2.0
"""The process dies by kill -9; the next one finishes what was meant, or undoes it."""

import time

import pytest

from tests.system.localcloud.machine import until
from trove.localcloud import teardown

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


def test_guests_do_not_notice_that_the_process_dies(machine, service, things):
    server = things.server(volume=things.volume())
    until(lambda: machine.systemd_is_up(server))
    pid = machine.pid(server)
    machine.kill()
    assert machine.pid(server) == pid
    machine.serve()
    assert machine.pid(server) == pid
    assert service.nova.servers.get(server).status == "ACTIVE"


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
def test_a_server_half_made_is_made(machine, service, things, after):
    volume = things.volume()
    server = things.order(ports=[things.port(things.group())], volume=volume)
    time.sleep(after)
    machine.kill()
    machine.serve()
    things.becomes(server, "ACTIVE")
    until(lambda: machine.systemd_is_up(server))
    machine.inside(server, "test", "-b", "/dev/vdb")
    assert service.cinder.volumes.get(volume).status == "in-use"


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_server_half_deleted_is_deleted(machine, service, things, after):
    volume = things.volume()
    server = things.server(ports=[things.port(things.group())], volume=volume)
    service.nova.servers.delete(server)
    time.sleep(after)
    machine.kill()
    machine.serve()
    things.gone(server)
    assert service.cinder.volumes.get(volume).status == "available"
    left = teardown.leaks(machine.place, machine.host)
    assert left["containers"] == left["loops"] == left["servers"] == []


@pytest.mark.parametrize("after", [0.0, 0.02])
def test_a_volume_half_made_or_half_grown_is_whole(machine, service, things, after):
    cinder = service.cinder.volumes
    volume = cinder.create(1)
    things._volumes.append(volume.id)
    time.sleep(after)
    machine.kill()
    machine.serve()
    until(lambda: cinder.get(volume.id).status == "available")
    cinder.extend(volume.id, 2)
    time.sleep(after)
    machine.kill()
    machine.serve()
    until(lambda: cinder.get(volume.id).status == "available")
    path = machine.place.cloud / "volumes" / f"{volume.id}.img"
    assert path.stat().st_size == 2 << 30


def test_after_a_reboot_of_the_host_servers_run_again(machine, service, things):
    volume = things.volume()
    on = things.server(volume=volume)
    off = things.server()
    until(lambda: machine.systemd_is_up(on))
    machine.inside(on, "mkfs.xfs", "-q", "/dev/vdb")
    service.nova.servers.stop(off)
    things.becomes(off, "SHUTOFF")
    machine.stop()
    teardown.down(machine.place, machine.host)
    left = teardown.leaks(machine.place, machine.host)
    kept = {name for name, what in left.items() if what}
    assert kept == {"servers", "volumes"}
    machine.serve()
    things.becomes(on, "ACTIVE")
    until(lambda: machine.systemd_is_up(on))
    machine.inside(on, "mount", "/dev/vdb", "/mnt")
    assert service.nova.servers.get(off).status == "SHUTOFF"
    assert machine.pid(off) == ""
