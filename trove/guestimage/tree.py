# SPDX-License-Identifier: Apache-2.0
"""The tree of an image: its layers as one directory, without what differs each time.

Files are hard links to the layers', which are never written: what an image has other
than its layers is taken away and made anew.
"""

import pathlib
import typing

from trove.guestimage import machinelayer
from trove.localcloud import programs

EMPTIED = (
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/passwd-",
    "etc/shadow-",
    "run/*",
    "tmp/*",
    # its bytes are others each time
    "usr/lib/python3*/__pycache__/sitecustomize.*",
    "var/cache/*/*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/*.log",
    "var/log/*/*",
    "var/log/[bw]tmp",
    "var/log/faillog",
    "var/log/lastlog",
    "var/tmp/*",
)
"""Logs, caches and locks: they tell of the build, and of no use to a guest."""

OPTIONS = "rw rootflags=noatime console=tty0 console=ttyS0,115200n8 quiet net.ifnames=0"
"""For the kernel. The last console is the one that systemd and Nova read and write."""

WITHOUT_CLOUD_INIT = " cloud-init=disabled"
"""The agent reads the config drive itself then (ADR 24)."""


def merge(
    layers: typing.Iterable[pathlib.Path], tree: pathlib.Path, host: programs.Runner
) -> None:
    """The layers, lowest first, in the empty directory ``tree``."""
    for layer in layers:
        host.run(
            "cp",
            "--archive",
            "--link",
            "--remove-destination",
            "--",
            f"{layer}/.",
            str(tree),
            within=600,
        )
    machinelayer.remove(tree, EMPTIED)


def complete(tree: pathlib.Path, uuid: str, key: str | None) -> None:
    """What only this image knows: where its root is and, if any, the operator's key."""
    fstab = f"UUID={uuid} / ext4 noatime,errors=remount-ro 0 1\n"
    machinelayer.write(tree, {"etc/fstab": fstab})
    if key is not None:
        home = tree / "root/.ssh"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = {"root/.ssh/authorized_keys": key.strip() + "\n"}
        machinelayer.write(tree, keys, mode=0o600)


def options(cloud_init: bool) -> str:
    """The kernel's, for an image in which cloud-init runs or does not."""
    return OPTIONS if cloud_init else OPTIONS + WITHOUT_CLOUD_INIT


def paths(tree: pathlib.Path) -> typing.Iterator[tuple[str, int]]:
    """Everything in the tree, as its own root sees it, and when it was changed."""
    yield "/", int(tree.lstat().st_mtime)
    for path in sorted(tree.rglob("*")):
        yield f"/{path.relative_to(tree)}", int(path.lstat().st_mtime)
