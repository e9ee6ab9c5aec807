# SPDX-License-Identifier: Apache-2.0
import base64
import json
import pathlib

import pytest

from trove.localcloud import (
    bootstrap,
    disks,
    guestimage,
    layout,
    machines,
    servers,
    things,
    wires,
)

STAMPS = (1.0, 1.0)
PLACE = layout.Layout(tag="zzt", cidr="10.9.0.0/24")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("db", "db"),
        ("My DB!", "my-db"),
        ("--x--", "x"),
        ("größe", "gr--e"),
        ("日本", "server"),
        ("a" * 80, "a" * 63),
    ],
)
def test_a_name_becomes_a_hosts(name, expected):
    assert servers.hostname(name) == expected


@pytest.fixture
def shop(rows, host, tmp_path):
    bootstrap.fill(rows, PLACE, guestimage.GuestImage((pathlib.Path("/layer"),)))
    return servers.Workshop(
        "zzt",
        rows,
        machines.Machines(tmp_path / "servers", "zzt", host, v2=True),
        disks.Disks(tmp_path / "volumes", host),
        wires.Wires("zzt", "zztbr0", PLACE.cidr, PLACE.host_address, host),
    )


@pytest.fixture
def server(rows):
    network, subnet = (
        bootstrap.named("network", "zzt"),
        bootstrap.named("subnet", "zzt"),
    )
    place = (network, subnet, "fa:16:3e:09:00:02", "10.9.0.2", [])
    row = things.Server("s1", "p", "My db", *STAMPS, "u", "2", "i", ["/layer"])
    row.user_data = base64.b64encode(b"#cloud-config").decode()
    row.metadata = {"a": "b"}
    with rows.transaction() as tx:
        tx.put(row)
        tx.put(things.Port("port-1", "p", "", *STAMPS, *place, "s1", "compute:nova"))
        own = things.Port("port-2", "p", "", *STAMPS, *place, "s1", "compute:nova")
        own.made_by_server = True
        tx.put(own)
    return row


def test_a_guest_finds_its_user_data_before_it_boots(shop, server):
    shop.build(server)
    seed = shop.machines.home("s1") / "upper" / servers.SEED.lstrip("/")
    assert (seed / "user_data").read_text() == "#cloud-config"
    assert (seed / "user_data").stat().st_mode & 0o777 == 0o600
    told = json.loads((seed / "meta_data.json").read_text())
    assert (told["uuid"], told["hostname"], told["meta"]) == ("s1", "my-db", {"a": "b"})


def test_a_machine_is_guarded_before_it_runs(shop, server, host):
    shop.build(server)
    lines = host.lines()
    guarded = next(i for i, line in enumerate(lines) if line.startswith("nft -f"))
    started = next(i for i, line in enumerate(lines) if "lxc-start" in line)
    assert guarded < started
    config = (shop.machines.home("s1") / "config").read_text()
    assert "lxc.cgroup2.memory.max = 1024M" in config
    assert "lxc.net.0.ipv4.address = 10.9.0.2/24" in config


def test_a_running_machine_is_left_as_it_is(shop, server, host):
    shop.build(server)
    host.answers["lxc-info"] = "RUNNING"
    before = len(host.asked)
    shop.build(server)
    assert not [line for line in host.lines()[before:] if "lxc-start" in line]


def test_after_a_server_its_things_are_free(shop, server, rows):
    shop.build(server)
    volume = things.Volume("v1", "p", "", *STAMPS, 1, "in-use")
    gone = things.Volume("v2", "p", "", *STAMPS, 1, "in-use")
    with rows.transaction() as tx:
        for each, goes in ((volume, False), (gone, True)):
            tx.put(each)
            at = ("s1", "/dev/vdb", "attached", goes)
            tx.put(things.Attachment(each.id, "p", "", *STAMPS, *at))
    shop.clear(server)
    assert not shop.machines.home("s1").exists()
    with rows.transaction() as tx:
        assert tx.get(things.Volume, "v1").status == "available"
        assert tx.get(things.Volume, "v2").status == "deleting"
        assert tx.all(things.Attachment) == []
        [port] = tx.all(things.Port)
    assert (port.id, port.server, port.owner) == ("port-1", "", "")
