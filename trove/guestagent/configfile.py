# SPDX-License-Identifier: Apache-2.0
"""Configuration in layers: one file each in an include directory, put and taken whole.

The engine reads the directory in the order of the names, so a later layer wins. A layer
is replaced in one move and can be put back as it was: ``change`` undoes itself when the
block it guards fails (a restart that does not come up healthy).
"""

import contextlib
import pathlib
import re
import typing

from trove import errors
from trove.guestagent.host import Host

NAME = re.compile(r"\d\d-[a-z][a-z0-9-]{0,40}")
"""A layer's name: its rank and a word, such as ``50-group``."""


class Layers:
    """The layers in one directory. ``suffix`` is what the engine includes: ``.cnf``."""

    def __init__(
        self,
        host: Host,
        directory: pathlib.PurePath,
        suffix: str,
        *,
        mode: int = 0o640,
        owner: str = "root",
    ) -> None:
        self._host = host
        self._directory = pathlib.PurePath(directory)
        self._suffix = suffix
        self._mode = mode
        self._owner = owner

    def path(self, name: str) -> pathlib.PurePath:
        """Where a layer is."""
        if not NAME.fullmatch(name):
            raise errors.Internal(why=f"{name!r} is no name of a layer")
        return self._directory / f"{name}{self._suffix}"

    def read(self, name: str) -> str | None:
        """A layer's text, or None when it is not there."""
        return self._host.read_file(self.path(name))

    def put(self, name: str, content: str) -> bool:
        """Sets a layer; True if that changed anything."""
        return self._host.write_file(
            self.path(name), content, mode=self._mode, owner=self._owner
        )

    def take(self, name: str) -> bool:
        """Removes a layer; True if it was there."""
        if self.read(name) is None:
            return False
        self._host.remove(self.path(name))
        return True

    @contextlib.contextmanager
    def change(self, name: str, content: str | None) -> typing.Iterator[bool]:
        """Sets (or with None removes) a layer for good if the block ends well.

        Otherwise the layer is as it was, and the error goes on.
        """
        before = self.read(name)
        changed = self.take(name) if content is None else self.put(name, content)
        try:
            yield changed
        except BaseException:
            if before is None:
                self.take(name)
            else:
                self.put(name, before)
            raise
