# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/seed.py: the right two files, whatever user data says."""

import json
import os

import pytest

from trove.guestagent import files, seed
from trove.guestagent.disks import Disks
from trove.guestagent.host import Host

CONF = """[guest]
instance = abc
datastore = toy

[broker]
hosts = 10.0.0.1:5671,10.0.0.2:5671
password = one-time-secret
user = guest-abc
"""


def user_data(*more, conf=CONF):
    listed = [
        {"path": "/etc/trove/guest.conf", "permissions": "0600", "content": conf},
        {"path": "/etc/trove/broker-ca.pem", "content": "PEM"},
        *more,
    ]
    return ("#cloud-config\n" + json.dumps({"write_files": listed})).encode()


@pytest.fixture
def planted(places):
    places.seed.parent.mkdir(parents=True)
    places.seed.write_bytes(user_data())
    return places


@pytest.fixture
def machine(tmp_path, host):
    (tmp_path / "dev").mkdir()
    return Disks(host, tmp_path / "dev")


def test_what_the_cloud_left_in_the_root_is_laid_out(planted, host, machine):
    seed.find(planted, host, machine)
    assert planted.conf.read_text() == CONF
    assert planted.broker_ca.read_text() == "PEM"
    assert planted.conf.stat().st_mode & 0o777 == 0o600


def test_what_cloud_init_wrote_is_left_alone(planted, host, machine):
    planted.conf.write_text("mine")
    seed.find(planted, host, machine)
    assert planted.conf.read_text() == "mine"


def test_without_a_seed_it_says_so(places, host, machine):
    with pytest.raises(seed.SeedError, match="none yet"):
        seed.find(places, host, machine)


def test_no_other_file_is_ever_written(places, tmp_path):
    evil = [
        {"path": str(tmp_path / "evil"), "content": "x"},
        {"path": "/etc/trove/../passwd", "content": "x"},
        {"path": "/etc/trove/other.conf", "content": "x"},
        {"path": "/root/.ssh/authorized_keys", "content": "x"},
    ]
    seed.lay_out(user_data(*evil), places)
    assert not (tmp_path / "evil").exists()
    assert sorted(os.listdir(places.etc)) == ["broker-ca.pem", "guest.conf"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"#!/bin/sh\nid\n",
        b"#cloud-config\nwrite_files: []\n",
        b"#cloud-config\n[]",
        b"#cloud-config\n{}",
        b'#cloud-config\n{"write_files": {}}',
        b'#cloud-config\n{"write_files": [1]}',
        b'#cloud-config\n{"write_files": [{"path": "/etc/trove/guest.conf"}]}',
        b'#cloud-config\n{"write_files": [{"path": 1, "content": "x"}]}',
        b'#cloud-config\n{"write_files": [{"path": "/a", "content": "x"}]}',
        b'#cloud-config\n{"write_files": ' + b"[" * 60000,
        b"#cloud-config\n" + b" " * 70000 + b"{}",
    ],
)
def test_what_is_no_user_data_of_ours_is_refused(places, data):
    with pytest.raises(seed.SeedError):
        seed.lay_out(data, places)
    assert os.listdir(places.etc) == []


def test_a_link_in_the_place_of_a_file_is_not_followed(planted, host, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    planted.broker_ca.symlink_to(victim)
    seed.lay_out(user_data(), planted)
    assert victim.read_text() == "precious"
    assert planted.broker_ca.read_text() == "PEM"


def test_a_seed_that_is_a_link_is_not_read(places, host, machine, tmp_path):
    places.seed.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(user_data())
    places.seed.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(files.UnsafePath):
        seed.find(places, host, machine)


def test_after_use_the_secret_is_nowhere(planted, host, machine):
    copies = planted.cloud / "instances/i-1"
    copies.mkdir(parents=True)
    (copies / "user-data.txt").write_bytes(user_data())
    seed.find(planted, host, machine)
    seed.forget(planted)
    seed.forget(planted)
    left = [
        path
        for path in (*planted.etc.rglob("*"), *planted.cloud.rglob("*"))
        if path.is_file() and b"one-time-secret" in path.read_bytes()
    ]
    assert left == []
    text = planted.conf.read_text()
    assert "10.0.0.1:5671,10.0.0.2:5671" in text
    assert "user = guest-abc" in text


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts a drive")
def test_a_config_drive_is_read_and_let_go(places, tmp_path):
    host = Host()
    image = tmp_path / "drive.img"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    tree = tmp_path / "tree/openstack/latest"
    tree.mkdir(parents=True)
    (tree / "user_data").write_bytes(user_data())
    host.run(
        ["mkfs.ext4", "-q", "-L", "config-2", "-d", str(tmp_path / "tree"), str(image)]
    )
    shown = host.run(["losetup", "--find", "--show", "--read-only", str(image)])
    loop = shown.stdout.strip()
    try:
        (tmp_path / "dev").mkdir()
        number = os.stat(loop).st_rdev
        os.mknod(tmp_path / "dev/sr0", 0o600 | 0o060000, number)
        machine = Disks(host, tmp_path / "dev")
        seed.find(places, host, machine)
        assert machine.mount_at(str(places.drive)) is None
    finally:
        host.run(["losetup", "--detach", loop])
    assert places.conf.read_text() == CONF
