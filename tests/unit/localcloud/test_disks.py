# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.localcloud import disks, programs

LISTED = """\
/dev/loop3 {0}/v1.img
/dev/loop4 /elsewhere/v2.img
/dev/loop5 {0}/v3.img (deleted)
"""


@pytest.fixture
def ours(tmp_path, host):
    return disks.Disks(tmp_path, host, sleep=lambda seconds: None)


def test_a_volume_is_a_sparse_file_that_only_root_reads(ours):
    ours.create("v1", 2)
    status = ours.path("v1").stat()
    assert status.st_size == 2 << 30
    assert status.st_blocks * 512 < 1 << 20
    assert status.st_mode & 0o777 == 0o600


def test_making_it_again_loses_nothing(ours):
    ours.create("v1", 1)
    with ours.path("v1").open("r+b") as stream:
        stream.write(b"data")
    ours.create("v1", 1)
    with ours.path("v1").open("rb") as stream:
        assert stream.read(4) == b"data"


def test_a_volume_never_shrinks(ours):
    ours.create("v1", 3)
    ours.grow("v1", 1)
    assert ours.path("v1").stat().st_size == 3 << 30


def test_devices_are_found_by_the_file_behind_them(ours, host, tmp_path):
    host.answers["losetup -l"] = LISTED.format(tmp_path)
    assert ours.devices() == {"v1": "/dev/loop3", "v3": "/dev/loop5"}


def test_a_grown_volume_is_told_to_its_device(ours, host, tmp_path):
    host.answers["losetup -l"] = LISTED.format(tmp_path)
    ours.grow("v1", 2)
    assert "losetup -c /dev/loop3" in host.lines()


def test_a_volume_gets_one_device_only(ours, host, tmp_path):
    host.answers["losetup -l"] = LISTED.format(tmp_path)
    assert ours.bring("v1") == "/dev/loop3"
    assert not [line for line in host.lines() if "-f" in line]


def test_where_direct_input_and_output_cannot_be_had_it_is_done_without(ours, host):
    host.failures.add("--direct-io")
    host.answers["losetup -f"] = "/dev/loop9"
    ours.create("v1", 1)
    assert ours.bring("v1") == "/dev/loop9"


def test_a_device_in_use_is_kept_and_said_so(ours, host, tmp_path):
    host.answers["losetup -l"] = LISTED.format(tmp_path)
    busy = disks.Disks(tmp_path, host, lambda seconds: None, lambda device: False)
    with pytest.raises(disks.DiskBusy):
        busy.release("v1", within=0.2)
    assert not [line for line in host.lines() if "losetup -d" in line]


def test_releasing_what_has_no_device_is_done(ours, host):
    ours.release("v1")
    assert not [line for line in host.lines() if "losetup -d" in line]


@pytest.fixture
def copying(tmp_path):
    """Disks whose copies are made."""
    return disks.Disks(tmp_path / "volumes", programs.Host())


def put(path, data):
    with path.open("r+b") as stream:
        stream.write(data)


def test_a_snapshot_has_what_was_there_and_a_volume_of_it_too(copying):
    copying.create("v1", 1)
    put(copying.path("v1"), b"then")
    copying.take("v1", "s1")
    put(copying.path("v1"), b"now!")
    copying.fill("v2", "s1")
    copying.create("v2", 2)
    with copying.path("v2").open("rb") as stream:
        assert stream.read(4) == b"then"
    status = copying.path("v2").stat()
    assert (status.st_size, status.st_mode & 0o777) == (2 << 30, 0o600)
    assert status.st_blocks * 512 < 1 << 20
    put(copying.path("v2"), b"mine")
    copying.fill("v2", "s1")  # it is there: nothing of it is lost
    with copying.path("v2").open("rb") as stream:
        assert stream.read(4) == b"mine"
    copying.forget("s1")
    copying.forget("s1")
    assert not copying.snapshot("s1").exists()
    assert copying.volumes() == {"v1", "v2"}


def test_a_copy_that_was_cut_short_is_none(copying, host, tmp_path):
    copying.create("v1", 1)
    broken = disks.Disks(tmp_path / "volumes", host)
    host.failures.add("cp")
    with pytest.raises(programs.ProgramFailed):
        broken.take("v1", "s1")
    assert not copying.snapshot("s1").exists()
