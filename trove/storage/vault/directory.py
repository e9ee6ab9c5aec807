# SPDX-License-Identifier: Apache-2.0
"""A vault in a directory: for tests, and for a file system that an operator mounted.

A name is a path below it, so what is an object cannot be a folder of others too. Its
URLs are those of files, which nothing signs: they do not end, and one that writes is
refused when the object is there (``carry.Taken``). ``put`` replaces what was there.
"""

import contextlib
import hashlib
import os
import typing
import urllib.parse

from trove import errors
from trove.storage.vault import files, names
from trove.storage.vault.protocol import Before, Signed, Stored, nothing

ALL = os.R_OK | os.W_OK | os.X_OK


class Directory:
    """``path`` must be there already, and stay."""

    def __init__(self, path: str, before: Before = nothing) -> None:
        self._path = os.path.realpath(path)  # links are the operator's, down to here
        self._before = before

    def close(self) -> None:
        """Nothing is open."""

    def ensure(self) -> None:
        """The directory is there, and we may write in it."""
        with files.told(), files.top(self._path) as top:
            if not os.access(".", ALL, dir_fd=top, effective_ids=True):
                raise errors.Forbidden(what="use the directory of backups")

    def writes(self, name: str, seconds: int) -> Signed:
        """A file's URL, whose folders are there."""
        with self._at(name, make=True):
            return self._url(name)

    def reads(self, name: str, seconds: int) -> Signed:
        """A file's URL."""
        return self._url(names.checked(name))

    def put(self, name: str, data: bytes) -> None:
        """The object is these bytes, or what it was before."""
        with self._at(name, make=True) as (at, last):
            files.write(at, last, data)

    def get(self, name: str, most: int) -> bytes:
        """All of an object, of which no more is read than ``most``."""
        try:
            with self._at(name) as (at, last), files.reading(at, last) as file:
                found = file.read(most + 1)
        except errors.NotFound:
            raise errors.NotFound(what="Object", id=name) from None
        if len(found) > most:
            raise errors.Upstream(why=f"{name} is larger than {most} B")
        return found

    def listed(self, prefix: str) -> typing.Iterator[Stored]:
        """What begins with this; the MD5 is computed as the list goes on."""
        if prefix:
            names.prefix(prefix)
        return self._listed(prefix)

    def _listed(self, prefix: str) -> typing.Iterator[Stored]:
        with files.told(), files.top(self._path) as top:
            for one in _list(top, "", prefix):
                yield one
                self._before()

    def delete(self, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these, drafts too; empty folders go with it."""
        for prefix in list(map(names.prefix, prefixes)):
            self._before()
            with files.told(), files.top(self._path) as top:
                _clear(top, "", prefix)

    def shut(self) -> None:
        """Nothing is to do: a URL writes what is not there."""

    def end(self, prefix: str) -> None:
        """All of it; the directory is everybody's."""
        self.delete([prefix])

    @contextlib.contextmanager
    def _at(self, name: str, make: bool = False) -> typing.Iterator[tuple[int, str]]:
        *parts, last = names.checked(name).split("/")
        with files.told(), files.top(self._path) as top:
            with files.folder(top, parts, make=make) as at:
                yield at, last

    def _url(self, name: str) -> Signed:
        return Signed("file://" + urllib.parse.quote(f"{self._path}/{name}"))


def _entries(at: int, path: str, prefix: str) -> typing.Iterator[os.DirEntry[str]]:
    """What is in a directory that a prefix leads to, in the order of the paths."""
    with os.scandir(at) as found:
        seen = {each.name + "/" * _inner(each): each for each in found}
    for name, each in sorted(seen.items()):
        whole = path + name
        if whole.startswith(prefix) or (_inner(each) and prefix.startswith(whole)):
            yield each


def _inner(each: os.DirEntry[str]) -> bool:
    return each.is_dir(follow_symlinks=False)


def _list(at: int, path: str, prefix: str) -> typing.Iterator[Stored]:
    for each in _entries(at, path, prefix):
        if not names.fits(each.name):
            continue  # a draft, or nothing of ours
        # what is deleted meanwhile is not there any more
        with contextlib.suppress(FileNotFoundError):
            if _inner(each):
                with files.folder(at, (each.name,)) as below:
                    yield from _list(below, f"{path}{each.name}/", prefix)
            elif each.is_file(follow_symlinks=False):
                yield _stored(at, each.name, path + each.name)


def _stored(at: int, name: str, path: str) -> Stored:
    with files.reading(at, name) as file:
        md5 = hashlib.file_digest(file, _md5)
        return Stored(path, file.tell(), md5.hexdigest())


def _md5() -> typing.Any:
    return hashlib.md5(usedforsecurity=False)


def _clear(at: int, path: str, prefix: str) -> None:
    for each in _entries(at, path, prefix):
        with contextlib.suppress(FileNotFoundError):
            if not _inner(each):
                os.unlink(each.name, dir_fd=at)
                continue
            with files.folder(at, (each.name,)) as below:
                _clear(below, f"{path}{each.name}/", prefix)
            with contextlib.suppress(OSError):  # what another wrote meanwhile stays
                os.rmdir(each.name, dir_fd=at)
