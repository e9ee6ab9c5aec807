# SPDX-License-Identifier: Apache-2.0
"""The root file system: an ext4 made from a directory into a disk's file, no mount.

mke2fs copies a directory (``-d``) in the order of names, so only times differ between
two builds: they are set by debugfs afterwards, also without a mount.
"""

import pathlib
import typing

from trove.localcloud import programs

BLOCK = 4096
FEATURES = "^metadata_csum_seed,^orphan_file"
"""GRUB 2.06 reads no ext4 that has them."""

LABEL = "trove"


def make(
    disk: pathlib.Path,
    tree: pathlib.Path,
    offset: int,
    size: int,
    uuid: str,
    epoch: int,
    host: programs.Runner,
) -> None:
    """The tree, as a file system at ``offset`` of the disk."""
    extended = f"offset={offset},hash_seed={uuid},lazy_itable_init=0,nodiscard"
    host.run(
        "env",
        f"E2FSPROGS_FAKE_TIME={epoch}",
        f"SOURCE_DATE_EPOCH={epoch}",
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        str(BLOCK),
        "-m",
        "1",
        "-L",
        LABEL,
        "-U",
        uuid,
        "-O",
        FEATURES,
        "-E",
        f"{extended},root_owner=0:0",
        "-d",
        str(tree),
        str(disk),
        str(size // BLOCK),
        within=900,
    )


def settle(
    disk: pathlib.Path,
    found: typing.Iterable[tuple[str, int]],
    offset: int,
    epoch: int,
    host: programs.Runner,
) -> None:
    """No file is younger than the image, and when it was read or made is not told."""
    host.run(
        "env",
        f"E2FSPROGS_FAKE_TIME={epoch}",
        "debugfs",
        "-w",
        "-f",
        "-",
        f"{disk}?offset={offset}",
        given="".join(orders(found, epoch)),
        within=900,
    )


def orders(found: typing.Iterable[tuple[str, int]], epoch: int) -> typing.Iterator[str]:
    """What debugfs is told of each file."""
    for path, changed in found:
        quoted = '"' + path.replace('"', '""') + '"'
        for field, time in (
            ("mtime", min(changed, epoch)),
            ("atime", epoch),
            ("ctime", epoch),
            ("crtime", epoch),
        ):
            yield f"set_inode_field {quoted} {field} @{time}\n"
