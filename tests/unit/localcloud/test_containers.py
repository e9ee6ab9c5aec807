# SPDX-License-Identifier: Apache-2.0
import pathlib

import pytest

from trove.localcloud import containers


def container(**values):
    given = {
        "name": "tst-1",
        "hostname": "db",
        "directory": pathlib.Path("/state/tst-1"),
        "layers": (pathlib.Path("/cache/agent"), pathlib.Path("/cache/base")),
        "memory": 512,
        "vcpus": 2,
    }
    return containers.Container(**(given | values))


def lines(text):
    return [tuple(line.split(" = ", 1)) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("v2", "expected"),
    [
        (
            True,
            {
                ("lxc.cgroup2.memory.max", "512M"),
                ("lxc.cgroup2.cpu.max", "200000 100000"),
            },
        ),
        (
            False,
            {
                ("lxc.cgroup.memory.limit_in_bytes", "512M"),
                ("lxc.cgroup.cpu.cfs_quota_us", "200000"),
            },
        ),
    ],
)
def test_a_size_is_a_limit_in_the_hosts_kind_of_control_group(v2, expected):
    said = set(lines(containers.render(container(), v2)))
    assert expected <= said
    other = "lxc.cgroup." if v2 else "lxc.cgroup2."
    assert not [key for key, _ in said if key.startswith(other)]


def test_the_root_is_an_overlay_with_the_agent_on_top():
    said = dict(lines(containers.render(container(), True)))
    root = "overlay:/cache/agent:/cache/base:/state/tst-1/upper"
    assert said["lxc.rootfs.path"] == root


def test_a_server_without_ports_has_no_way_to_anybody():
    said = dict(lines(containers.render(container(), True)))
    assert said["lxc.net.0.type"] == "empty"


def test_a_disk_is_permitted_and_there_before_the_first_process():
    disk = containers.Disk("v", "/dev/vdb", "7:4")
    said = lines(containers.render(container(disks=(disk,)), False))
    assert ("lxc.cgroup.devices.allow", "b 7:4 rwm") in said
    hook = ("lxc.hook.autodev", "mknod -m 660 ${LXC_ROOTFS_MOUNT}/dev/vdb b 7 4")
    assert hook in said


def test_an_interface_has_its_address_from_outside():
    nic = containers.Nic("tst-a", "tstbr0", "fa:16:3e:0:0:1", "10.9.0.2/24", "10.9.0.1")
    said = dict(lines(containers.render(container(nics=(nic,)), True)))
    assert said["lxc.net.0.ipv4.address"] == "10.9.0.2/24"
    assert said["lxc.net.0.veth.pair"] == "tst-a"
    assert said["lxc.net.0.ipv4.gateway"] == "10.9.0.1"
