# SPDX-License-Identifier: Apache-2.0
import pathlib
import struct

import pytest

from trove import errors
from trove.guestimage import disk

UUID = "f509d428-de6b-5b0c-85f7-52039c64da2b"
GIB = 2**30


@pytest.mark.parametrize(
    ("text", "bytes_"), [("3G", 3 * GIB), ("2048M", 2 * GIB), (str(4 * GIB), 4 * GIB)]
)
def test_a_size_is_read(text, bytes_):
    assert disk.size(text) == bytes_


@pytest.mark.parametrize(
    "text", ["", "G", "3T", "1G", "-3G", "3GG", "3 G", "3000000001"]
)
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(errors.Invalid, match="3G"):
        disk.size(text)


def test_the_first_sector_has_a_program_and_one_partition_that_boots():
    sector = disk.first_sector(b"\xeb" * 512, UUID, 3 * GIB)
    assert len(sector) == 512
    assert sector[:440] == b"\xeb" * 440
    assert sector[440:446] == bytes.fromhex("f509d4280000")
    active, _, kind, _, start, sectors = struct.unpack("<B3sB3sII", sector[446:462])
    assert (active, kind, start) == (0x80, 0x83, 2048)
    assert (start + sectors) * 512 == 3 * GIB
    assert sector[462:510] == bytes(48)
    assert sector[510:] == b"\x55\xaa"


def test_the_loader_lies_between_the_table_and_the_partition(
    tmp_path, host, monkeypatch
):
    monkeypatch.setattr(disk, "GRUB", tmp_path)
    (tmp_path / "boot.img").write_bytes(b"B" * 512)

    def made(argv):
        [output] = [word for word in argv if word.startswith("--output=")]
        pathlib.Path(output.removeprefix("--output=")).write_bytes(b"C" * 700)
        return ""

    host.answers["grub-mkimage"] = made
    core = disk.loader(tmp_path, UUID, "rw quiet", host)
    assert "linux /vmlinuz root=UUID=" in (tmp_path / "grub.cfg").read_text()
    disk.blank(tmp_path / "disk", UUID, 3 * GIB, core)
    found = (tmp_path / "disk").stat()
    assert found.st_size == 3 * GIB
    assert found.st_blocks * 512 < 2**20, "it is sparse"
    with (tmp_path / "disk").open("rb") as file:
        assert file.read(440) == b"B" * 440
        file.seek(512)
        assert file.read(701) == b"C" * 700 + b"\0"


def test_a_loader_that_is_too_long_is_no_disk(tmp_path, host):
    (tmp_path / "core.img").write_bytes(bytes(disk.OFFSET))
    with pytest.raises(errors.Internal, match="does not fit"):
        disk.loader(tmp_path, UUID, "rw", host)


def test_a_qcow2_is_compressed(tmp_path, host):
    disk.convert(tmp_path / "a", tmp_path / "b", host)
    [line] = host.lines()
    assert line.startswith("qemu-img convert -f raw -O qcow2 -c ")
