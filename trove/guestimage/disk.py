# SPDX-License-Identifier: Apache-2.0
"""The disk: a partition table, a boot loader before the first partition, a root.

GRUB for a BIOS, which is what Nova's machines have by default. Its two parts are
written as they are: the first sector finds the rest in the sectors after it, so that
nothing has to be installed, and nothing mounted.
"""

import pathlib
import struct
import uuid as uuids

from trove import errors
from trove.localcloud import programs

SECTOR = 512
START = 2048
"""The first sector of the partition; what is before it is the boot loader's."""

OFFSET = START * SECTOR
GRUB = pathlib.Path("/usr/lib/grub/i386-pc")
MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "search_fs_uuid")
CODE = 440
"""Bytes of the first sector that are a program; the partition table follows."""

LINUX = 0x83
ACTIVE = 0x80
NO_GEOMETRY = b"\xfe\xff\xff"

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
LEAST = 2 * 2**30


def size(text: str) -> int:
    """Bytes of a size such as 3G."""
    number, unit = text.rstrip("KMG"), text[-1:] if text[-1:] in "KMG" else ""
    if not number.isdecimal() or len(text) - len(number) > 1:
        raise errors.Invalid(f"{text} is no size; say one such as 3G.")
    found = int(number) * UNITS[unit]
    if found < LEAST or found % 2**20:
        raise errors.Invalid(f"A disk of {text} is too small, or no whole MiB; say 3G.")
    return found


def config(uuid: str, options: str) -> str:
    """What GRUB does: no menu, no wait. The names are links to the newest kernel."""
    return (
        f"search.fs_uuid {uuid} root\n"
        f"linux /vmlinuz root=UUID={uuid} {options}\n"
        "initrd /initrd.img\n"
        "boot\n"
    )


def loader(work: pathlib.Path, uuid: str, options: str, host: programs.Runner) -> bytes:
    """The part of GRUB that knows the file system, with its configuration inside."""
    early, core = work / "grub.cfg", work / "core.img"
    early.write_text(config(uuid, options))
    host.run(
        "grub-mkimage",
        "--format=i386-pc",
        f"--directory={GRUB}",
        f"--config={early}",
        "--prefix=/boot/grub",
        f"--output={core}",
        *MODULES,
    )
    found = core.read_bytes()
    if len(found) > (START - 1) * SECTOR:
        raise errors.Internal(why="the boot loader does not fit before the partition")
    return found


def first_sector(code: bytes, uuid: str, disk: int) -> bytes:
    """The program, a signature, and one bootable partition that takes the rest."""
    signature = uuids.UUID(uuid).bytes[:4]
    sectors = disk // SECTOR - START
    entry = struct.pack(
        "<B3sB3sII", ACTIVE, NO_GEOMETRY, LINUX, NO_GEOMETRY, START, sectors
    )
    return (
        code[:CODE].ljust(CODE, b"\0")
        + signature
        + bytes(2)
        + entry.ljust(64, b"\0")
        + b"\x55\xaa"
    )


def blank(path: pathlib.Path, uuid: str, length: int, core: bytes) -> None:
    """A sparse disk that boots from its partition, which is still empty."""
    code = (GRUB / "boot.img").read_bytes()
    with path.open("wb") as file:
        file.truncate(length)
        file.write(first_sector(code, uuid, length) + core)


def convert(raw: pathlib.Path, output: pathlib.Path, host: programs.Runner) -> None:
    """The same disk as a compressed qcow2, which has no times in it."""
    host.run(
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        "qcow2",
        "-c",
        "-o",
        "compression_type=zstd",
        str(raw),
        str(output),
        within=900,
    )
