# SPDX-License-Identifier: Apache-2.0
"""Keeps: what is on a data volume, kept beside itself while something risky is tried.

The engine is stopped while a copy is made and while one is brought back. A file system
that shares blocks between files (XFS) makes it in no time and no room; on another there
must be room for all of it. What the copy is brought back over is not deleted: it stays
under the copy's name with ``.failed``, for who wants to know what went wrong.
"""

import os
import pathlib
import pwd
import re
import time

from trove import errors
from trove.guestagent.brought import FOLDER
from trove.guestagent.host import Host, HostError
from trove.rpc.messages import CopyShown

KEPT = ".trove-kept"
"""The directory on the volume; root's alone."""
CARRIED = ".trove-carried"
"""The directory on the volume for what one version says and another is to take; what is
in it is the engine's user's."""
OURS = frozenset({KEPT, CARRIED, FOLDER, "lost+found"})
"""What is not the engine's; the certificate that a user brought stays what it is."""
NAME = re.compile(r"[0-9A-Za-z-]{1,64}")
MARGIN = 256 << 20
"""Bytes of the volume that a copy must leave free."""
WITHIN = 50 * 60
"""Seconds for a copy of everything."""
COUNTING = 15.0
"""Seconds in which the sizes of all copies are counted, for a user who waits."""


class NoRoom(errors.Invalid):
    """The copy does not fit."""

    sentence = (
        "A copy of the data ({needed} MiB) does not fit on the volume ({free} MiB are "
        "free); make the volume larger first."
    )


class Keeps:
    """The copies on one volume, by names that nobody chooses twice."""

    def __init__(self, host: Host, volume: str) -> None:
        self._host = host
        self._volume = pathlib.Path(volume)

    def keep(self, name: str) -> None:
        """A copy of everything, whole when it has its name; made again it is there."""
        there = self._path(name)
        if there.exists():
            return
        self._host.make_directory(str(there.parent), mode=0o700)
        unfinished = str(self._path(f"{name}-unfinished"))
        self._host.remove(unfinished)
        self._host.make_directory(unfinished, mode=0o700)
        names = [str(self._volume / entry) for entry in self._entries()]
        if names:
            self._copy(names, unfinished)
        self._host.run(["sync", "--file-system", unfinished], timeout=600)
        self._host.rename(unfinished, str(there))

    def carried(self, name: str) -> str:
        """The place for what is carried over beside that copy."""
        self._path(name)  # a name that is none is refused
        there = self._volume / CARRIED
        self._host.make_directory(str(there), mode=0o711)
        return str(there / name)

    def resume(self, name: str, back: bool, user: str) -> None:
        """For an image that begins with these data, or goes back to the copy."""
        if back:
            self.bring_back(name)
        else:
            self.hand_over(name, user)

    def hand_over(self, name: str, user: str) -> None:
        """What was the engine's is this image's engine's: its user may have another
        number here. The copy stays whose it was, for the image that comes back."""
        kept = self._path(name)
        if not kept.exists():
            return
        theirs = {(kept / entry).lstat().st_uid for entry in os.listdir(kept)}
        found = pwd.getpwnam(user)
        names = [str(self._volume / entry) for entry in self._entries()]
        carried = self._volume / CARRIED / name
        if carried.exists():
            names.append(str(carried))
        for uid in sorted(theirs - {0, found.pw_uid}) if names else ():
            ours = f"{found.pw_uid}:{found.pw_gid}"
            words = ["chown", "--recursive", "--no-dereference", f"--from={uid}", ours]
            self._host.run([*words, "--", *names], timeout=WITHIN)

    def make_way(self, name: str) -> None:
        """Nothing of the engine's is on the volume but that copy, which is whole."""
        if not self._path(name).exists():
            raise errors.Invalid(why=f"there is no copy {name} of the data")
        for entry in self._entries():
            self._host.remove(str(self._volume / entry))

    def bring_back(self, name: str) -> None:
        """Everything is as it was kept. Done again, whatever was done of it before."""
        there, failed = self._path(name), self._path(f"{name}-failed")
        aside = self._path(f"{name}-aside")
        self.drop_carried(name)
        if not there.exists():
            if failed.exists():
                return
            raise errors.Invalid(why=f"there is no copy {name} of the data")
        if not aside.exists():
            self._host.make_directory(str(failed), mode=0o700)
            for entry in self._entries():
                self._host.rename(str(self._volume / entry), str(failed / entry))
            # from here on, what is on the volume has come from the copy
            self._host.make_directory(str(aside), mode=0o700)
        for entry in sorted(os.listdir(there)):
            self._host.rename(str(there / entry), str(self._volume / entry))
        self._host.remove(str(there))  # first: with it gone, all of this is over
        self._host.remove(str(aside))

    def forget(self, name: str) -> None:
        """The copy is gone, what was begun of it, and what was carried beside it."""
        self._remove(self._path(name))
        self.drop_carried(name)

    def drop_carried(self, name: str) -> None:
        """What was carried beside the copy is gone; the copy stays."""
        self._path(name)  # a name that is none is refused
        self._remove(self._volume / CARRIED / name)

    def shown(self) -> tuple[CopyShown, ...]:
        """What there is, by name; what is under way is there in part."""
        try:
            names = sorted(os.listdir(self._volume / KEPT))
        except FileNotFoundError:
            return ()
        left = time.monotonic() + COUNTING
        return tuple(
            CopyShown(name, self._size(name, left - time.monotonic()), made)
            for name in names
            if NAME.fullmatch(name)
            and not name.endswith("-aside")
            and (made := self._made(name)) is not None
        )

    def _remove(self, path: pathlib.Path) -> None:
        self._host.remove(f"{path}-unfinished")
        self._host.remove(str(path))

    def _made(self, name: str) -> float | None:
        try:
            return (self._volume / KEPT / name).lstat().st_mtime
        except FileNotFoundError:
            return None

    def _size(self, name: str, within: float) -> int | None:
        if within < 1:
            return None
        words = ["du", "--summarize", "--block-size=1", "--", str(self._path(name))]
        try:
            return int(self._host.run(words, timeout=within).stdout.split()[0])
        except (HostError, ValueError, IndexError):
            return None

    def _path(self, name: str) -> pathlib.Path:
        if not NAME.fullmatch(name):
            raise errors.Invalid(why="that is no name of a copy")
        return self._volume / KEPT / name

    def _entries(self) -> list[str]:
        return sorted(set(os.listdir(self._volume)) - OURS)

    def _copy(self, names: list[str], to: str) -> None:
        words = ["cp", "--archive", "--target-directory", to]
        try:
            self._host.run([*words, "--reflink=always", "--", *names], timeout=WITHIN)
            return
        except HostError:
            self._host.remove(to)
            self._host.make_directory(to, mode=0o700)
        sized = self._host.run(
            ["du", "--summarize", "--total", "--block-size=1", "--", *names],
            timeout=WITHIN,
        )
        needed = int(sized.stdout.splitlines()[-1].split()[0])
        found = os.statvfs(self._volume)
        free = found.f_bavail * found.f_frsize
        if needed + MARGIN > free:
            raise NoRoom(needed=needed >> 20, free=free >> 20)
        self._host.run([*words, "--reflink=auto", "--", *names], timeout=WITHIN)
