# SPDX-License-Identifier: Apache-2.0
"""Disks: a volume's sparse file, and the loop device a server sees of it.

The number of a loop device is never written down: after a reboot of the host it would
be another volume's. It is found by the file behind it.
"""

import os
import pathlib
import stat
import threading
import time
import typing

from trove import errors
from trove.localcloud import programs

GIB = 1 << 30
COPIED = 600.0
"""Seconds in which all of a volume can be copied."""


class DiskBusy(errors.Conflict):
    """Somebody still has the device open; a detach now would leak it."""

    sentence = "The device of volume {volume} is still in use."


class Disks:
    """The volumes' files in one directory, and their loop devices."""

    def __init__(
        self,
        directory: pathlib.Path,
        host: programs.Runner,
        sleep: typing.Callable[[float], None] = time.sleep,
        unused: typing.Callable[[str], bool] | None = None,
    ) -> None:
        self._directory = directory
        self.unused = unused or nobody_has
        self._host = host
        self._sleep = sleep
        self._bringing = threading.Lock()

    def path(self, volume: str) -> pathlib.Path:
        """The file with a volume's blocks."""
        return self._directory / f"{volume}.img"

    def snapshot(self, snapshot: str) -> pathlib.Path:
        """The file with what a snapshot has."""
        return self._directory / f"{snapshot}.snap"

    def take(self, volume: str, snapshot: str) -> None:
        """What is on a volume now. Where the file system shares blocks between files
        it takes no time and no room; elsewhere it is a copy of what is not empty."""
        self._copy(self.path(volume), self.snapshot(snapshot))

    def fill(self, volume: str, snapshot: str) -> None:
        """A new volume's file has what a snapshot has; one that is there is kept."""
        if not self.path(volume).exists():
            self._copy(self.snapshot(snapshot), self.path(volume))

    def forget(self, snapshot: str) -> None:
        """The snapshot's file is gone."""
        self.snapshot(snapshot).unlink(missing_ok=True)

    def _copy(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Whole when it has its name."""
        unfinished = target.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        words = ("cp", "--reflink=auto", "--sparse=always", "--no-dereference")
        self._host.run(*words, "--", str(source), str(unfinished), within=COPIED)
        descriptor = os.open(unfinished, os.O_RDWR)
        try:
            os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.rename(target)

    def create(self, volume: str, gib: int) -> None:
        """A sparse file of that size; one that is there already is kept."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path(volume), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < gib * GIB:
                os.ftruncate(descriptor, gib * GIB)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def grow(self, volume: str, gib: int) -> None:
        """A larger file; a server that has it sees the new size at once."""
        self.create(volume, gib)
        if device := self.device(volume):
            self._host.run("losetup", "-c", device)

    def devices(self) -> dict[str, str]:
        """Each volume that has a loop device now, and the device."""
        listed = self._host.run("losetup", "-l", "-n", "-O", "NAME,BACK-FILE")
        found = {}
        for line in listed.splitlines():
            name, _, behind = line.strip().partition(" ")
            file = pathlib.Path(behind.strip().removesuffix(" (deleted)"))
            if file.parent == self._directory and file.suffix == ".img":
                found[file.stem] = name
        return found

    def device(self, volume: str) -> str | None:
        """The loop device of a volume, if it has one."""
        return self.devices().get(volume)

    def bring(self, volume: str) -> str:
        """The loop device of a volume, made if there is none."""
        with self._bringing:
            if device := self.device(volume):
                return device
            words = ("losetup", "-f", "--show")
            file = str(self.path(volume))
            try:
                # Without direct I/O every block is cached twice, in the guest's memory
                # and in the host's; a tmpfs cannot do it.
                return self._host.run(*words, "--direct-io=on", file)
            except programs.ProgramFailed:
                if device := self.device(volume):
                    return device
                return self._host.run(*words, file)

    def release(self, volume: str, within: float = 20) -> None:
        """Lets the loop device go, once nobody has it open.

        ``losetup -d`` of a device in use succeeds and leaves it behind for ever.
        """
        device = self.device(volume)
        if device is None:
            return
        self._until(lambda: self.unused(device), volume, within)
        self._host.run("losetup", "-d", device, ok=(0, 1))
        self._until(lambda: self.device(volume) is None, volume, within)

    def remove(self, volume: str) -> None:
        """The volume's file and its device are gone."""
        self.release(volume)
        self.path(volume).unlink(missing_ok=True)

    def volumes(self) -> set[str]:
        """Each volume that has a file."""
        return {file.stem for file in self._directory.glob("*.img")}

    def _until(
        self, done: typing.Callable[[], bool], volume: str, within: float
    ) -> None:
        for _ in range(int(within / 0.05)):
            if done():
                return
            self._sleep(0.05)
        raise DiskBusy(volume=volume)


def number(device: str) -> str:
    """``major:minor`` of a block device."""
    status = os.stat(device)
    if not stat.S_ISBLK(status.st_mode):
        raise errors.Internal(why=f"{device} is not a block device")
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def nobody_has(device: str) -> bool:
    """Whether nobody has the device mounted, or open for itself."""
    try:
        # Exclusive on a block device means: mounted nowhere, opened by nobody so.
        descriptor = os.open(device, os.O_RDONLY | os.O_EXCL)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    os.close(descriptor)
    return True
