# SPDX-License-Identifier: Apache-2.0
"""The data volume: found by what is written on it, formatted once, mounted, grown.

A device that carries any signature we did not write is never formatted. The file
system's UUID is chosen and recorded *before* it is made, so that a crash in between is
told from somebody else's data: the record says FORMATTING and the UUID is ours.
"""

import dataclasses
import errno
import os
import pathlib
import re
import stat
import time
import typing
import uuid

from trove import errors
from trove.guestagent.host import Host, HostError

MAKE = {
    "xfs": ("mkfs.xfs", "-q", "-L", "{label}", "-m", "uuid={uuid}", "{device}"),
    "ext4": ("mkfs.ext4", "-q", "-m", "1", "-L", "{label}", "-U", "{uuid}", "{device}"),
}
FORCE = {"xfs": "-f", "ext4": "-F"}
"""Only for a file system of our own that was never finished."""

LATE = 8.0
"""Seconds after which a device that is waited for is told to be missing."""
LET_GO = 20.0
"""Seconds in which another namespace lets a file system go that was unmounted here.
Afterwards it is for the next program to say that the device is in use."""


class DiskError(errors.Internal):
    """A volume is not what it must be, and nothing was done to it."""

    sentence = "Volume {device}: {why}."


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """What blkid finds written on a device; all empty for a blank one."""

    kind: str = ""
    label: str = ""
    uuid: str = ""

    @property
    def blank(self) -> bool:
        return not (self.kind or self.label or self.uuid)


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """The record of a data volume in the guest's state. ``made`` is False until the
    file system is known to be whole."""

    uuid: str
    label: str
    fstype: str
    made: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table."""

    number: str
    point: str
    fstype: str
    source: str
    read_only: bool


def label_of(instance: str) -> str:
    """The instance's id, as much of it as fits the label of an XFS."""
    return re.sub(r"[^0-9A-Za-z]", "", instance)[:12]


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """For a device: how long, in seconds, and whom to tell when it is late."""

    patience: float
    late: typing.Callable[[str], object]
    clock: typing.Callable[[], float]
    pause: typing.Callable[[float], None]


class Disks:
    """The block devices of this machine. ``dev`` is /dev, but in a test."""

    def __init__(self, host: Host, dev: pathlib.Path = pathlib.Path("/dev")) -> None:
        self._host = host
        self._dev = dev

    # -- looking

    def signature(self, device: str) -> Signature:
        """What is written on a device, by its own word and no cache's."""
        self._must_be_block(device)
        asked = ["blkid", "--probe", "--output", "export", "--", device]
        # 2: nothing found. 8 (two answers) is an error: nobody may guess here
        found = self._host.run(asked, timeout=30, ok=(0, 2))
        if found.returncode == 2:
            return Signature()
        words = dict(
            line.split("=", 1) for line in found.stdout.splitlines() if "=" in line
        )
        kind = words.get("TYPE") or words.get("PTTYPE") or words.get("USAGE") or "?"
        return Signature(kind, words.get("LABEL", ""), words.get("UUID", ""))

    def find(self, fs_uuid: str) -> str | None:
        """The device with this file system, wherever it appeared this time."""
        known = self._dev / "disk" / "by-uuid" / fs_uuid
        if known.exists():
            return os.path.realpath(known)
        return self._search(lambda found: found.uuid == fs_uuid)

    def labelled(self, label: str) -> str | None:
        """The device with this label, whatever is on it."""
        known = self._dev / "disk" / "by-label" / label
        if known.exists():
            return os.path.realpath(known)
        return self._search(lambda found: found.label == label)

    def _search(self, wanted: typing.Callable[[Signature], bool]) -> str | None:
        # A container has no udev: look at each block device there is
        for device in self._block_devices():
            try:
                if wanted(self.signature(device)):
                    return device
            except (HostError, DiskError, OSError):
                continue  # not ours to read: then it is not ours
        return None

    def candidate(self, hint: str) -> str | None:
        """The device the cloud said it would attach: a path, or a volume's serial."""
        if hint.startswith("/"):
            return os.path.realpath(hint) if _is_block(hint) else None
        by_id = self._dev / "disk" / "by-id" / f"virtio-{hint[:20]}"
        return os.path.realpath(by_id) if _is_block(str(by_id)) else None

    def recognise(self, hint: str, instance: str) -> Volume | None:
        """The record of a volume that this instance made in an earlier life.

        The guest's own state may be new (its server was built again); the label on the
        device is not.
        """
        device = self.candidate(hint)
        if device is None:
            return None
        found = self.signature(device)
        if found.kind not in MAKE or found.label != label_of(instance):
            return None
        return Volume(found.uuid, found.label, found.kind, made=True)

    def _block_devices(self) -> list[str]:
        with os.scandir(self._dev) as entries:
            paths = sorted(entry.path for entry in entries if not entry.is_symlink())
        return [path for path in paths if _is_block(path)]

    def _must_be_block(self, device: str) -> None:
        if not _is_block(device):
            raise DiskError(device=device, why="it is not a block device")

    # -- making

    def ensure(
        self,
        hint: str,
        volume: Volume,
        record: typing.Callable[[Volume], None],
        *,
        patience: float = 60,
        late: typing.Callable[[str], object] = lambda why: None,
        clock: typing.Callable[[], float] = time.monotonic,
        pause: typing.Callable[[float], None] = time.sleep,
    ) -> str:
        """Makes the file system ``volume`` describes unless it is there; its device.

        ``record`` is called before the device is touched and when it is whole, ``late``
        when the device is not there though it should be by now.
        """
        waiting = Waiting(patience, late, clock, pause)
        device = self.wait_for(hint, volume.uuid, waiting)
        found = self.signature(device)
        if found.uuid == volume.uuid and volume.made:
            return device
        if not found.blank and found.uuid != volume.uuid:
            what = f"{found.kind} {found.label}".strip()
            raise DiskError(
                device=device, why=f"it carries {what}; it will not be formatted"
            )
        if volume.made:
            # the hint names a blank disk, but our own file system was made before
            raise DiskError(device=device, why=f"file system {volume.uuid} is missing")
        if self.mount_of(device) is not None:
            raise DiskError(device=device, why="it is mounted")
        record(volume)
        self._make(device, volume, again=not found.blank)
        after = self.signature(device)
        if (after.uuid, after.kind) != (volume.uuid, volume.fstype):
            raise DiskError(device=device, why="the file system made is not there")
        record(dataclasses.replace(volume, made=True))
        return device

    def wait_for(self, hint: str, fs_uuid: str, waiting: "Waiting") -> str:
        """The device with that file system (empty: none), or the one of the hint."""
        begun, told = waiting.clock(), False
        missing = DiskError(device=hint or fs_uuid, why="it did not appear")
        while True:
            known = self.find(fs_uuid) if fs_uuid else None
            device = known or self.candidate(hint)
            if device is not None:
                return device
            waited = waiting.clock() - begun
            if waited >= waiting.patience:
                raise missing
            if waited >= LATE and not told:
                waiting.late(missing.message)
                told = True
            # hot-attached a moment ago: the kernel has not seen it yet
            waiting.pause(5 if told else 1)

    def _make(self, device: str, volume: Volume, *, again: bool) -> None:
        if volume.fstype not in MAKE:
            raise DiskError(device=device, why=f"no file system {volume.fstype}")
        words = [
            word.format(label=volume.label, uuid=volume.uuid, device=device)
            for word in MAKE[volume.fstype]
        ]
        if again:
            words.insert(1, FORCE[volume.fstype])
        self._host.run(words, timeout=900)

    # -- mounting

    def mounts(self) -> list[Mount]:
        """The mount table of this process's namespace."""
        lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        return [_parse_mount(line) for line in lines]

    def mount_at(self, point: str) -> Mount | None:
        """What is mounted at a directory, the topmost if several are."""
        found = [mount for mount in self.mounts() if mount.point == point]
        return found[-1] if found else None

    def mount_of(self, device: str) -> Mount | None:
        """Where a device is mounted."""
        number = _number(device)
        found = [mount for mount in self.mounts() if mount.number == number]
        return found[0] if found else None

    def mount(self, device: str, volume: Volume, point: str) -> None:
        """Mounts the volume at ``point``; refuses anything that is not it."""
        found = self.signature(device)
        if (found.uuid, found.label) != (volume.uuid, volume.label):
            raise DiskError(device=device, why="it is not this instance's volume")
        there = self.mount_at(point)
        if there is not None and there.number == _number(device):
            return
        if there is not None:
            raise DiskError(device=device, why=f"{there.source} is mounted at {point}")
        self._host.make_directory(point)
        options = "noatime,nodev,nosuid"
        self._host.run(
            ["mount", "-t", volume.fstype, "-o", options, "--", device, point],
            timeout=300,  # a journal may have to be replayed
        )

    def unmount(self, point: str) -> None:
        """Takes the mount away; nothing to do when there is none.

        What comes next wants the device for itself: a program that began meanwhile, in
        a namespace of its own, may have a copy of the mount for a moment.
        """
        there = self.mount_at(point)
        if there is None:
            return
        self._host.run(["umount", "--", point], timeout=120)
        end = time.monotonic() + LET_GO
        while not _free(there.source) and time.monotonic() < end:
            time.sleep(0.05)

    # -- growing

    def grow(
        self,
        point: str,
        *,
        stopped: typing.Callable[[], typing.ContextManager[None]],
    ) -> None:
        """Makes the mounted file system as large as its device.

        Online; an ext4 on a kernel that forbids that (no CAP_SYS_RESOURCE) is grown
        unmounted, inside ``stopped()``, which stops the engine and starts it again.
        """
        there = self.mount_at(point)
        if there is None:
            raise DiskError(device=point, why="nothing is mounted there")
        if there.fstype == "xfs":
            self._host.run(["xfs_growfs", "-d", point], timeout=600)
            return
        if there.fstype != "ext4":
            raise DiskError(device=point, why=f"{there.fstype} cannot grow")
        try:
            self._host.run(["resize2fs", there.source], timeout=600)
        except HostError as error:
            if not re.search(r"permission denied|not permitted", error.tail, re.I):
                raise
            with stopped():
                self._grow_unmounted(there)

    def _grow_unmounted(self, there: Mount) -> None:
        volume = self.signature(there.source)
        self.unmount(there.point)
        try:
            # 1: errors were corrected
            self._host.run(
                ["e2fsck", "-f", "-p", there.source], timeout=1800, ok=(0, 1)
            )
            self._host.run(["resize2fs", there.source], timeout=600)
        finally:
            record = Volume(volume.uuid, volume.label, "ext4", made=True)
            self.mount(there.source, record, there.point)


def new_volume(instance: str, fstype: str) -> Volume:
    """The record of a file system that is still to be made."""
    if fstype not in MAKE:
        raise DiskError(device="data", why=f"no file system {fstype}")
    return Volume(str(uuid.uuid4()), label_of(instance), fstype)


def _free(device: str) -> bool:
    """Whether a block device is mounted nowhere, whoever's the namespace is."""
    if not _is_block(device):
        return True
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        return error.errno != errno.EBUSY
    return True


def _is_block(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def _number(device: str) -> str:
    number = os.stat(device).st_rdev
    return f"{os.major(number)}:{os.minor(number)}"


def _parse_mount(line: str) -> Mount:
    words = line.split(" ")
    rest = words[words.index("-") + 1 :]
    return Mount(
        number=words[2],
        point=_unescape(words[4]),
        fstype=rest[0],
        source=_unescape(rest[1]),
        read_only="ro" in words[5].split(",") or "ro" in rest[2].split(","),
    )


def _unescape(field: str) -> str:
    """The kernel writes a blank in a path as ``\\040``, and so on."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
