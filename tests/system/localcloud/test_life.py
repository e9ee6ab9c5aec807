# SPDX-License-Identifier: Apache-2.0
"""A server's whole life, through the real clients."""

import json
import time

import cinderclient.exceptions
import novaclient.exceptions
import pytest

from tests.system.localcloud.machine import Clients, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


def test_a_whole_life(machine, service, things, record_property):
    group = things.group(("ingress", 3306, "0.0.0.0/0"))
    port = things.port(group)
    volume = things.volume(1, metadata={"trove-key": "a.volume"})
    begun = time.monotonic()
    server = things.server(
        "My db!",
        ports=[port],
        volume=volume,
        userdata='#cloud-config\n{"write_files": []}',
        config_drive=True,
        tags=["trove-key=a.server", "trove-deployment=test"],
    )
    record_property("seconds to ACTIVE", time.monotonic() - begun)
    until(lambda: machine.systemd_is_up(server))
    seconds = time.monotonic() - begun
    record_property("seconds to systemd", seconds)
    print(f"create to systemd up: {seconds:.2f} s")

    # found by its tag, with its volume, its address and its size
    found = service.nova.servers.list(search_opts={"tags": "trove-key=a.server"})
    assert [each.id for each in found] == [server]
    assert found[0].addresses["trove"][0]["addr"] == port.fixed_ips[0]["ip_address"]
    attached = getattr(found[0], "os-extended-volumes:volumes_attached")
    assert [each["id"] for each in attached] == [volume]
    assert machine.inside(server, "hostname") == "my-db"
    seed = "/var/lib/cloud/seed/config_drive/openstack/latest"
    assert machine.inside(server, "stat", "-c%a %u", f"{seed}/user_data") == "600 0"
    assert (
        json.loads(machine.inside(server, "cat", f"{seed}/meta_data.json"))["uuid"]
        == server
    )

    # the volume is a disk that grows while it is mounted
    machine.inside(server, "mkfs.xfs", "-q", "/dev/vdb")
    machine.inside(server, "mount", "/dev/vdb", "/mnt")
    service.cinder.volumes.extend(volume, 3)
    until(lambda: service.cinder.volumes.get(volume).status == "in-use")
    assert service.cinder.volumes.get(volume).size == 3
    machine.inside(server, "xfs_growfs", "/mnt")
    blocks = int(machine.inside(server, "stat", "-f", "-c%b", "/mnt"))
    assert blocks * 4096 > 2.8 * (1 << 30)
    machine.inside(server, "touch", "/mnt/kept")

    # a reboot keeps the volume and what was on it
    service.nova.servers.reboot(server, "SOFT")
    until(lambda: service.nova.servers.get(server).status == "ACTIVE")
    until(lambda: machine.systemd_is_up(server))
    machine.inside(server, "mount", "/dev/vdb", "/mnt")
    machine.inside(server, "test", "-e", "/mnt/kept")

    # in use it cannot be deleted; after the server it is free
    with pytest.raises(cinderclient.exceptions.BadRequest):
        service.cinder.volumes.delete(volume)
    service.nova.servers.delete(server)
    things.gone(server)
    with pytest.raises(novaclient.exceptions.NotFound):
        service.nova.servers.get(server)
    assert service.cinder.volumes.get(volume).status == "available"
    assert service.sdk.network.get_port(port.id).device_id == ""


def test_a_server_has_the_memory_of_its_flavor_and_no_more(machine, things):
    server = things.server(flavor="1")
    eat = "b = bytearray(700 << 20); b[::4096] = b'x' * len(b[::4096]); print('ate')"
    said = machine.inside(server, "python3", "-c", eat, ok=(0, 137, -9))
    assert "ate" not in said
    until(lambda: machine.systemd_is_up(server))


def test_a_resize_takes_effect_on_a_running_server(machine, service, things):
    server = things.server(flavor="1")
    service.nova.servers.resize(server, "2")
    things.becomes(server, "VERIFY_RESIZE")
    service.nova.servers.confirm_resize(server)
    assert service.nova.servers.get(server).flavor["ram"] == 1024
    eat = "b = bytearray(700 << 20); b[::4096] = b'x' * len(b[::4096]); print('ate')"
    assert machine.inside(server, "python3", "-c", eat) == "ate"


def test_a_stopped_server_is_off_until_it_is_started(machine, service, things):
    server = things.server()
    service.nova.servers.stop(server)
    things.becomes(server, "SHUTOFF")
    assert machine.pid(server) == ""
    with pytest.raises(novaclient.exceptions.Conflict):
        service.nova.servers.stop(server)
    service.nova.servers.start(server)
    until(lambda: service.nova.servers.get(server).status == "ACTIVE")


def test_a_guest_that_dies_is_seen_as_shut_off(machine, service, things):
    server = things.server()
    machine.host.run("kill", "-9", machine.pid(server))
    things.becomes(server, "SHUTOFF", within=30)


def test_a_volume_is_attached_to_and_taken_from_a_running_server(
    machine, service, things
):
    server, volume = things.server(), things.volume()
    service.nova.volumes.create_server_volume(server, volume)
    until(lambda: service.cinder.volumes.get(volume).status == "in-use")
    machine.inside(server, "mkfs.xfs", "-q", "/dev/vdb")
    # mounted, it is not let go: it stays, and is whole
    machine.inside(server, "mount", "/dev/vdb", "/mnt")
    service.nova.volumes.delete_server_volume(server, volume)
    until(lambda: service.cinder.volumes.get(volume).status == "in-use", 40)
    machine.inside(server, "touch", "/mnt/whole")
    machine.inside(server, "umount", "/mnt")
    service.nova.volumes.delete_server_volume(server, volume)
    until(lambda: service.cinder.volumes.get(volume).status == "available", 40)
    machine.inside(server, "test", "!", "-e", "/dev/vdb")


def test_a_guest_reads_no_disk_but_its_own(machine, things):
    first = things.server(volume=things.volume())
    second = things.server()
    number = machine.inside(first, "stat", "-c%Hr:%Lr", "/dev/vdb").split(":")
    machine.inside(second, "mknod", "/dev/stolen", "b", *number)
    read = ("dd", "if=/dev/stolen", "of=/dev/null", "count=1")
    said = machine.inside(second, "sh", "-c", " ".join(read) + " 2>&1; true")
    assert "Operation not permitted" in said


def test_the_console_has_what_the_guest_wrote(machine, service, things):
    server = things.server()

    def seen():
        # again each time: while it boots, systemd throws away what is in its terminal
        machine.inside(server, "sh", "-c", "echo was here > /dev/console")
        return "was here" in service.nova.servers.get_console_output(server, 5)

    until(seen)


def test_other_projects_see_nothing_of_it(machine, service, things):
    server, volume = things.server(), things.volume()
    other = Clients(machine.place, "other", "other")
    assert other.nova.servers.list() == []
    with pytest.raises(novaclient.exceptions.NotFound):
        other.nova.servers.get(server)
    with pytest.raises(cinderclient.exceptions.NotFound):
        other.cinder.volumes.get(volume)
    reader = Clients(machine.place, "reader", "demo")
    with pytest.raises(cinderclient.exceptions.Forbidden):
        reader.cinder.volumes.create(1)
