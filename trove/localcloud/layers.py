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
WEEK = 7 * 86400.0


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
        """The layer, built now if there is none; two processes build it once.

        Different ones are built side by side.
        """
        wanted = self.path(kind, name)
        with self._locked(fcntl.LOCK_SH), self._locked(fcntl.LOCK_EX, wanted):
            # Told under the lock, so that nobody prunes it between now and its use.
            self._stamp(wanted).touch()
            if not wanted.is_dir():
                fresh = self.directory / f"{BUILDING}{kind}-{name}"
                if fresh.exists():  # of a build that died
                    shutil.rmtree(fresh)
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

    def prune(self, used: set[pathlib.Path], now: float) -> list[pathlib.Path]:
        """Removes what nobody in ``used`` names and nobody asked for in a week.

        A week, because other deployments of the machine share the directory.
        """
        with self._locked(fcntl.LOCK_EX):
            self._sweep()
            unused = [
                layer for layer in sorted(self.all() - used) if self._old(layer, now)
            ]
            for layer in unused:
                # Out of sight in one step: half a layer must not look like one.
                doomed = self.directory / f"{BUILDING}{layer.name}"
                layer.rename(doomed)
                shutil.rmtree(doomed)
                self._stamp(layer).unlink(missing_ok=True)
                self._lock(layer).unlink(missing_ok=True)
        return unused

    def touch(self, used: set[pathlib.Path]) -> None:
        """Says that these are in use."""
        for layer in used:
            if layer.parent == self.directory and layer.is_dir():
                self._stamp(layer).touch()

    def _stamp(self, layer: pathlib.Path) -> pathlib.Path:
        return self.directory / f".used-{layer.name}"

    def _old(self, layer: pathlib.Path, now: float) -> bool:
        stamp = self._stamp(layer)
        return stamp.exists() and now - stamp.stat().st_mtime > WEEK

    def _sweep(self) -> None:
        """What a build that died left."""
        for left in self.directory.glob(f"{BUILDING}*"):
            shutil.rmtree(left)

    def _lock(self, layer: pathlib.Path | None) -> pathlib.Path:
        return self.directory / (f".lock-{layer.name}" if layer else ".lock")

    @contextlib.contextmanager
    def _locked(
        self, how: int, layer: pathlib.Path | None = None
    ) -> typing.Iterator[None]:
        """Of one layer, or of the whole directory: alone, or beside other builds."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with self._lock(layer).open("w") as lock:
            fcntl.flock(lock, how)
            yield
