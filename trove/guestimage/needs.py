# SPDX-License-Identifier: Apache-2.0
"""What the builder's machine must have, and which Debian package has it."""

import os
import pathlib
import shutil
import typing

from trove import errors
from trove.guestimage import disk
from trove.localcloud import programs

PROGRAMS = {
    "cp": "coreutils",
    "debugfs": "e2fsprogs",
    "grub-mkimage": "grub-common",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
}
FILES = {disk.GRUB / "boot.img": "grub-pc-bin"}


class Lacking(errors.Invalid):
    """The machine cannot build an image."""

    sentence = (
        "This machine lacks what builds a guest image; on Debian: apt-get install "
        "--no-install-recommends {packages}"
    )


def lacking(
    programs_: typing.Mapping[str, str] = PROGRAMS,
    files: typing.Mapping[pathlib.Path, str] = FILES,
) -> list[str]:
    """The packages that are not there."""
    found = {
        package
        for name, package in programs_.items()
        if shutil.which(name, path=programs.PATH) is None
    }
    return sorted(
        found | {package for path, package in files.items() if not path.exists()}
    )


def check() -> None:
    """Refuses before anything is begun."""
    if os.geteuid() != 0:
        raise errors.Invalid(
            "A guest image is built by root: its files belong to many users."
        )
    if packages := lacking():
        raise Lacking(packages=" ".join(packages))
