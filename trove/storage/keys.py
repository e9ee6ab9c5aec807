# SPDX-License-Identifier: Apache-2.0
"""The keys of backups: one of each backup's own, wrapped by its project's.

A project's key is never stored: it is derived from a secret that has an id, which is
the deployment's and in its keyring (a file that only the control plane reads), or the
project's and in a key manager (``managed.py``). The newest one wraps what is new, the
others still open what they wrapped.
"""

import abc
import dataclasses
import itertools
import os
import pathlib
import re
import stat
import typing

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trove import errors
from trove.storage.frames import KEY

WRAPPING, SIGNING = b"trove project wrapping 1 ", b"trove project signing 1 "
LINE = re.compile(r"([A-Za-z0-9._-]{1,32}):([0-9a-f]{64})")


class NoKeys(errors.Internal):
    """The keyring cannot be used."""

    sentence = "The keyring {path} cannot be used: {why}."


@dataclasses.dataclass(frozen=True, slots=True)
class Wrapped:
    """A backup's key as it may be stored: the id of what opens it, and it."""

    ring: str
    key: str


class ProjectKeys(typing.Protocol):
    """What a key manager does for backups, whichever it is.

    What cannot be opened is ``errors.Upstream``; a manager that does not answer is
    ``errors.Unavailable``.
    """

    def wrap(self, project: str, key: bytes) -> Wrapped:
        """A backup's key, to be stored."""
        ...

    def unwrap(self, project: str, wrapped: Wrapped) -> bytes:
        """The backup's key again."""
        ...

    def signing(self, project: str, ring: str = "") -> tuple[str, bytes]:
        """What a project's manifests are signed with: the key's id, and it."""
        ...


class NotOpened(errors.Upstream):
    """A wrapped key is no key of that project's, or of nothing that is here."""

    sentence = "The key of the backup cannot be opened: {why}."


class Derived(abc.ABC):
    """``ProjectKeys`` of secrets that have ids, whoever keeps them.

    A project has a key of its own for each purpose (HKDF, RFC 5869): no secret is used
    as it is, and none for two things.
    """

    @abc.abstractmethod
    def secret(self, project: str, ring: str) -> tuple[str, bytes]:
        """The secret of that id, and its id; of ``""`` the newest one's."""

    def wrap(self, project: str, key: bytes) -> Wrapped:
        """A backup's key, to be stored (RFC 3394)."""
        ring, ours = self._of(project, "", WRAPPING)
        return Wrapped(ring, keywrap.aes_key_wrap(ours, key).hex())

    def unwrap(self, project: str, wrapped: Wrapped) -> bytes:
        """The backup's key again."""
        _, ours = self._of(project, wrapped.ring, WRAPPING)
        try:
            return keywrap.aes_key_unwrap(ours, bytes.fromhex(wrapped.key))
        except (keywrap.InvalidUnwrap, ValueError):
            why = "it was changed, or is another project's"
            raise NotOpened(why=why) from None

    def signing(self, project: str, ring: str = "") -> tuple[str, bytes]:
        """What a project's manifests are signed with: the key's id, and it."""
        return self._of(project, ring, SIGNING)

    def _of(self, project: str, ring: str, purpose: bytes) -> tuple[str, bytes]:
        id, secret = self.secret(project, ring)
        info = purpose + project.encode()
        return id, HKDF(hashes.SHA256(), KEY, None, info).derive(secret)


class Keyring(Derived):
    """The keys of a deployment, newest first."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = dict(keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @classmethod
    def read(cls, path: str | pathlib.Path) -> "Keyring":
        """Of a file, its owner's alone to read: a line for each, ``ID:64 digits``."""
        file = pathlib.Path(path)
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            lines = file.read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError) as error:
            raise NoKeys(path=path, why=type(error).__name__) from None
        if mode & 0o077:
            raise NoKeys(path=path, why=f"others may read it (mode {mode:04o})")
        found = [LINE.fullmatch(line) for line in lines]
        keys = {one[1]: bytes.fromhex(one[2]) for one in found if one}
        if not lines or len(keys) != len(lines):
            why = "a line is no ID:KEY, or an id is there twice"
            raise NoKeys(path=path, why=why)
        return cls(keys)

    @staticmethod
    def line(known: typing.Container[str] = ()) -> str:
        """A new key, as the file has it, whose id is none of those that are known."""
        ids = (str(number) for number in itertools.count(1))
        id = next(id for id in ids if id not in known)
        return f"{id}:{os.urandom(KEY).hex()}"

    @classmethod
    def create(cls, path: str | pathlib.Path) -> None:
        """Makes the file, with one key; ``FileExistsError`` if it is there."""
        line = f"{cls.line()}\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(line)
            file.flush()
            os.fsync(descriptor)

    def secret(self, project: str, ring: str) -> tuple[str, bytes]:
        """The key of that id, the same for all projects; the first one for ``""``."""
        id = ring or next(iter(self._keys))
        if id not in self._keys:
            raise NotOpened(why=f"the keyring has no key {id}")
        return id, self._keys[id]
