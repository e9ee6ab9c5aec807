# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/adopting.py: a copy of another volume, on loop devices."""

import os
import shutil

import pytest

from trove import errors
from trove.guestagent import adopting, state
from trove.guestagent.desk import Desk
from trove.guestagent.disks import DiskError, Disks, label_of
from trove.rpc import codec
from trove.rpc.messages import Plan

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices"),
]

SOURCE = "99999999-2222-4333-8444-555555555555"
MIB = 1 << 20


class Images:
    """Files that are volumes; those of a test are gone at its end."""

    def __init__(self, home, host):
        self._home, self._host = home, host
        self.devices, self.mounts = [], []

    def attached(self, image):
        shown = self._host.run(["losetup", "--find", "--show", str(image)])
        self.devices.append(shown.stdout.strip())
        return self.devices[-1]

    def source(self, fstype):
        """The volume of another instance, mounted: with its data, and its own things;
        and a copy of it as it is then, that has room for more."""
        image, copy = self._home / "source.img", self._home / "copy.img"
        with image.open("wb") as file:
            file.truncate(320 * MIB)
        device = self.attached(image)
        self._host.run([f"mkfs.{fstype}", "-q", "-L", label_of(SOURCE), device])
        point = self._home / "source"
        point.mkdir()
        self._host.run(["mount", device, str(point)])
        self.mounts.append(point)
        (point / "data").mkdir()
        (point / "data" / "goods").write_text("ten apples")
        (point / "data" / "pid").write_text("1")
        for name in (".trove-tls", ".trove-kept", ".trove-carried", "backup"):
            (point / name).mkdir()
            (point / name / "his").write_text("secret")
        self._host.run(["fsfreeze", "--freeze", str(point)])
        shutil.copyfile(image, copy)
        self._host.run(["fsfreeze", "--unfreeze", str(point)])
        os.truncate(copy, 400 * MIB)
        return self.attached(copy)

    def end(self):
        for point in self.mounts:
            self._host.run(["umount", "--", str(point)], check=False)
        for device in self.devices:
            self._host.run(["losetup", "--detach", device], check=False)


@pytest.fixture
def images(tmp_path, host, toy):
    made = Images(tmp_path, host)
    made.mounts.append(toy.data)
    yield made
    made.end()


@pytest.fixture
def desk(places, host, guest):
    return lambda: Desk(places, host, lambda percent, done: None)


def adopt(desk, device, source=SOURCE):
    plan = Plan("toy", "1", 512, 2, 7, device, "xfs")
    return adopting.adopt(desk, {"plan": codec.encode(plan), "source": source})


@pytest.mark.parametrize("fstype", ["xfs", "ext4"])
def test_it_is_ours_with_its_data_and_room_and_nothing_else_of_the_other(
    desk, images, host, places, toy, fstype
):
    """The other's is mounted in the same kernel, as it is on a cloud of one machine."""
    device = images.source(fstype)
    his = Disks(host).signature(images.devices[0])
    assert adopt(desk(), device) == {}
    found, volume = Disks(host).signature(device), state.load_course(places).volume
    assert (found.label, found.uuid) == (volume.label, volume.uuid)
    assert found.label != his.label and found.uuid != his.uuid
    assert Disks(host).signature(images.devices[0]) == his
    assert (toy.data / "data" / "goods").read_text() == "ten apples"
    assert sorted(set(os.listdir(toy.data)) - {"lost+found"}) == ["data"]
    assert os.listdir(toy.data / "data") == ["goods"]
    there = os.statvfs(toy.data)
    assert there.f_blocks * there.f_frsize > 330 * MIB
    assert adopt(desk(), device) == {}  # its process died before it had said so
    assert state.load_course(places).volume == volume


def test_what_is_another_ones_still_is_not_touched(desk, images, host, places):
    device = images.source("ext4")
    before = Disks(host).signature(device)
    with pytest.raises(DiskError, match="not the data"):
        adopt(desk(), device, source="88888888-2222-4333-8444-555555555555")
    assert Disks(host).signature(device) == before
    assert state.load_course(places).volume is None


def test_who_has_a_database_takes_no_other(desk, images):
    made = desk()
    made.note(prepared=True)
    with pytest.raises(errors.Conflict):
        adopt(made, "/dev/null")


def test_where_there_are_no_data_nothing_is_restored(desk, images, host, tmp_path):
    image = tmp_path / "empty.img"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    device = images.attached(image)
    host.run(["mkfs.ext4", "-q", "-L", label_of(SOURCE), device])
    with pytest.raises(errors.Invalid, match="no data"):
        adopt(desk(), device)
