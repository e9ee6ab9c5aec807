# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/disks.py, on real loop devices."""

import contextlib
import os
import pathlib
import subprocess
import threading
import time

import pytest

from trove.guestagent import disks
from trove.guestagent.disks import DiskError, Disks, Signature
from trove.guestagent.host import Host, HostError

INSTANCE = "11111111-2222-4333-8444-555555555555"
MIB = 1024 * 1024

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices"),
]


class Loop:
    """A sparse file on a loop device."""

    def __init__(self, path, host):
        self.path, self._host = path, host
        self.resize(320)
        shown = host.run(["losetup", "--find", "--show", str(path)])
        self.device = shown.stdout.strip()

    def resize(self, mib):
        with open(self.path, "ab") as file:
            file.truncate(mib * MIB)

    def grow(self, mib):
        self.resize(mib)
        self._host.run(["losetup", "--set-capacity", self.device])

    def detach(self):
        self._host.run(["losetup", "--detach", self.device], check=False)


@pytest.fixture
def loop(tmp_path, host):
    made = Loop(tmp_path / "volume.img", host)
    yield made
    subprocess.run(["umount", "--", str(tmp_path / "data")], stderr=subprocess.DEVNULL)
    made.detach()


@pytest.fixture
def machine(tmp_path, host, loop):
    """The devices of a guest whose only disk is the loop device."""
    dev = tmp_path / "dev"
    dev.mkdir()
    number = os.stat(loop.device).st_rdev
    os.mknod(dev / "vdb", 0o600 | 0o060000, number)
    return Disks(host, dev)


@pytest.fixture
def vdb(tmp_path, machine):
    return str(tmp_path / "dev/vdb")


@pytest.fixture(params=["xfs", "ext4"])
def volume(request):
    return disks.new_volume(INSTANCE, request.param)


class Record:
    def __init__(self):
        self.said = []

    def __call__(self, volume):
        self.said.append(volume)


def test_a_blank_device_is_formatted_once_and_mounted(machine, vdb, volume, tmp_path):
    record = Record()
    assert machine.ensure(vdb, volume, record) == vdb
    assert [said.made for said in record.said] == [False, True]
    made = record.said[-1]
    point = tmp_path / "data"
    machine.mount(vdb, made, str(point))
    (point / "file").write_text("x")
    machine.mount(vdb, made, str(point))  # again: nothing to do
    there = machine.mount_at(str(point))
    assert (there.fstype, there.read_only) == (volume.fstype, False)
    assert machine.ensure(vdb, made, record) == vdb
    assert (point / "file").read_text() == "x"
    machine.unmount(str(point))
    machine.unmount(str(point))
    assert machine.mount_at(str(point)) is None


def test_what_is_unmounted_is_nobodys_any_more(machine, vdb, host, tmp_path):
    """A program that began meanwhile, in a namespace of its own, has a copy of it."""
    volume = disks.new_volume(INSTANCE, "ext4")
    machine.ensure(vdb, volume, Record())
    point = str(tmp_path / "data")
    machine.mount(vdb, volume, point)
    words = ["unshare", "--mount", "--propagation", "private", "sleep", "60"]
    with subprocess.Popen(words) as other:
        table = pathlib.Path(f"/proc/{other.pid}")
        deadline = time.monotonic() + 30
        while (
            table / "comm"
        ).read_text() != "sleep\n":  # it has one of its own by then
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert point in (table / "mountinfo").read_text()
        end = threading.Timer(1, other.kill)
        end.start()
        machine.unmount(point)
        host.run(["e2fsck", "-f", "-p", vdb])  # it would say: in use
        end.join()


@pytest.mark.parametrize(
    "words",
    [
        ["mkfs.xfs", "-q"],
        ["mkfs.ext4", "-q"],
        ["mkswap"],
        ["a partition table"],
        ["an encrypted volume"],
    ],
)
def test_a_device_with_any_signature_is_refused_untouched(
    machine, vdb, host, volume, words
):
    if words[0] == "a partition table":
        entry = bytes.fromhex("00000000830000000008000000100000")
        write(vdb, bytes(446) + entry + bytes(48) + b"\x55\xaa")
    elif words[0] == "an encrypted volume":
        write(vdb, b"LUKS\xba\xbe\x00\x01")
    else:
        host.run([*words, vdb])
    before = machine.signature(vdb)
    assert not before.blank
    record = Record()
    with pytest.raises(DiskError, match="will not be formatted"):
        machine.ensure(vdb, volume, record)
    assert record.said == []
    assert machine.signature(vdb) == before


def test_a_crash_after_the_record_makes_the_file_system_again(machine, vdb, volume):
    """The record says what is being made; nothing is on the device yet."""
    first = Record()
    with pytest.raises(HostError):
        with_no_mkfs = Disks(Broken("mkfs"), machine._dev)
        with_no_mkfs.ensure(vdb, volume, first)
    assert [said.made for said in first.said] == [False]
    second = Record()
    machine.ensure(vdb, first.said[0], second)
    assert second.said[-1].made


def test_a_crash_before_it_was_known_whole_makes_it_again(machine, vdb, volume):
    """The file system may be half made: it is ours, it was never used."""
    record = Record()
    machine.ensure(vdb, volume, record)
    again = Record()
    machine.ensure(vdb, record.said[0], again)
    assert [said.made for said in again.said] == [False, True]
    assert machine.signature(vdb).uuid == volume.uuid


def test_one_that_is_whole_is_never_made_again(machine, vdb, volume, tmp_path):
    record = Record()
    machine.ensure(vdb, volume, record)
    made = record.said[-1]
    write(vdb, bytes(2 * MIB))  # the volume was replaced by a blank one
    with pytest.raises(DiskError, match="missing"):
        machine.ensure(vdb, made, record)


def test_it_is_found_wherever_it_appears(machine, vdb, volume, tmp_path):
    record = Record()
    machine.ensure(vdb, volume, record)
    number = os.stat(vdb).st_rdev
    os.unlink(vdb)
    os.mknod(tmp_path / "dev/vdx", 0o600 | 0o060000, number)
    found = machine.ensure(vdb, record.said[-1], record)
    assert found == str(tmp_path / "dev/vdx")
    assert machine.labelled(disks.label_of(INSTANCE)) == found


def test_a_device_that_does_not_appear_is_waited_for_and_then_named(machine, volume):
    moments = iter(range(100))
    pauses = []
    with pytest.raises(DiskError, match="did not appear"):
        machine.ensure(
            "/dev/nothing",
            volume,
            Record(),
            patience=5,
            clock=lambda: next(moments),
            pause=pauses.append,
        )
    assert len(pauses) == 4


def test_a_device_that_is_late_is_told_once_and_waited_for(machine, vdb, volume):
    """Told within the 15 s that a fault may go unseen."""
    clock, told = [0.0], []

    def pause(seconds):
        clock[0] += seconds
        if clock[0] > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.ensure(
            "/dev/nothing",
            volume,
            Record(),
            patience=1000,
            late=lambda why: told.append((clock[0], why)),
            clock=lambda: clock[0],
            pause=pause,
        )
    [(moment, why)] = told
    assert moment <= 11
    assert "/dev/nothing" in why


def test_another_instances_volume_is_not_mounted(machine, vdb, tmp_path):
    theirs = disks.new_volume("99999999-2222-4333-8444-555555555555", "xfs")
    machine.ensure(vdb, theirs, Record())
    ours = disks.Volume(theirs.uuid, disks.label_of(INSTANCE), "xfs", made=True)
    with pytest.raises(DiskError, match="not this instance"):
        machine.mount(vdb, ours, str(tmp_path / "data"))


def test_our_own_volume_is_recognised_by_its_label(machine, vdb, volume):
    assert machine.recognise(vdb, INSTANCE) is None
    machine.ensure(vdb, volume, Record())
    found = machine.recognise(vdb, INSTANCE)
    assert (found.uuid, found.fstype, found.made) == (volume.uuid, volume.fstype, True)
    assert machine.recognise(vdb, "99999999") is None


def test_a_plain_file_is_no_device(machine, tmp_path):
    (tmp_path / "file").write_bytes(b"\0" * MIB)
    with pytest.raises(DiskError, match="not a block device"):
        machine.signature(str(tmp_path / "file"))


def test_a_file_system_grows_with_its_device(machine, vdb, volume, loop, tmp_path):
    record = Record()
    machine.ensure(vdb, volume, record)
    point = tmp_path / "data"
    machine.mount(vdb, record.said[-1], str(point))
    (point / "file").write_text("x")
    before = size(point)
    loop.grow(640)
    stops = []

    @contextlib.contextmanager
    def stopped():
        stops.append("stopped")
        yield
        stops.append("started")

    machine.grow(str(point), stopped=stopped)
    assert size(point) > before * 1.7
    assert (point / "file").read_text() == "x"
    machine.grow(str(point), stopped=stopped)  # again: nothing to do


def test_an_ext4_that_may_not_grow_online_is_grown_with_the_engine_stopped(
    machine, vdb, loop, tmp_path
):
    volume = disks.new_volume(INSTANCE, "ext4")
    record = Record()
    machine.ensure(vdb, volume, record)
    point = tmp_path / "data"
    machine.mount(vdb, record.said[-1], str(point))
    before = size(point)
    loop.grow(640)
    stops = []

    @contextlib.contextmanager
    def stopped():
        stops.append("stopped")
        yield
        stops.append("started")

    refused = Disks(RefusedOnce("resize2fs"), machine._dev)
    refused.grow(str(point), stopped=stopped)
    assert stops == ["stopped", "started"]
    assert size(point) > before * 1.7
    assert machine.mount_at(str(point)) is not None


def test_a_label_fits_and_a_mount_point_may_have_blanks():
    assert disks.label_of(INSTANCE) == "111111112222"
    line = "36 25 7:3 / /srv/a\\040b rw,noatime shared:1 - xfs /dev/vdb rw,attr2"
    assert disks._parse_mount(line) == disks.Mount(
        "7:3", "/srv/a b", "xfs", "/dev/vdb", False
    )
    assert Signature().blank


def write(device, data):
    with open(device, "r+b") as file:
        file.write(data)


def size(point):
    found = os.statvfs(point)
    return found.f_blocks * found.f_frsize


class Broken(Host):
    """A machine on which programs of this name end badly."""

    def __init__(self, prefix):
        super().__init__()
        self._prefix = prefix

    def run(self, argv, **how):
        if str(argv[0]).startswith(self._prefix):
            raise HostError(argv[0], 1, "killed")
        return super().run(argv, **how)


class RefusedOnce(Host):
    """A machine whose kernel forbids the first run of a program."""

    def __init__(self, program):
        super().__init__()
        self._program = program

    def run(self, argv, **how):
        if argv[0] == self._program:
            self._program = ""
            raise HostError(argv[0], 1, "Permission denied to resize filesystem")
        return super().run(argv, **how)
