# SPDX-License-Identifier: Apache-2.0
"""Layers: directories by the hash of what they are made from, built once and kept.

A layer never changes while it exists: servers run on it. It is built under another name
and renamed when it is whole, so that a build that dies leaves nothing that looks right.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import typing

BUILDING = ".building-"


def digest(*parts: str | bytes) -> str:
    """The name of a content: the same parts, the same name."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()[:16]


class Layers:
    """The layers in one directory, shared by every deployment of the machine."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    def path(self, kind: str, name: str) -> pathlib.Path:
        """Where the layer is, or would be."""
        return self.directory / f"{kind}-{name}"

    def have(
        self,
        kind: str,
        name: str,
        build: typing.Callable[[pathlib.Path], None],
    ) -> pathlib.Path:
        """The layer, built now if there is none; two processes build it once."""
        wanted = self.path(kind, name)
        if wanted.is_dir():
            return wanted
        with self._alone():
            if not wanted.is_dir():
                self._sweep()
                fresh = self.directory / f"{BUILDING}{kind}-{name}"
                fresh.mkdir(mode=0o755)
                build(fresh)
                os.sync()
                fresh.rename(wanted)
        return wanted

    def all(self) -> set[pathlib.Path]:
        """Every layer there is."""
        if not self.directory.is_dir():
            return set()
        return {
            found
            for found in self.directory.iterdir()
            if found.is_dir() and not found.name.startswith(".")
        }

    def prune(self, used: set[pathlib.Path]) -> list[pathlib.Path]:
        """Removes the layers that nobody in ``used`` names; they are returned."""
        with self._alone():
            self._sweep()
            unused = sorted(self.all() - used)
            for layer in unused:
                # Out of sight in one step: half a layer must not look like one.
                doomed = self.directory / f"{BUILDING}{layer.name}"
                layer.rename(doomed)
                shutil.rmtree(doomed)
        return unused

    def _sweep(self) -> None:
        """What a build that died left."""
        for left in self.directory.glob(f"{BUILDING}*"):
            shutil.rmtree(left)

    @contextlib.contextmanager
    def _alone(self) -> typing.Iterator[None]:
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
