# SPDX-License-Identifier: Apache-2.0
"""Files of a directory that is a vault: written whole or not at all, no link followed.

Only the standard library is needed here: a guest does the same with a ``file:`` URL.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
import typing

from trove import errors
from trove.storage.vault.names import UNFINISHED

LOOK = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
FOLDER = LOOK | os.O_DIRECTORY
SILENT = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN)
"""What a mount says whose server is away."""
WHAT = "The directory of backups"


@contextlib.contextmanager
def told() -> typing.Iterator[None]:
    """What the system refuses leaves as an error of ours; no file is another matter."""
    try:
        yield
    except FileNotFoundError:
        raise errors.NotFound(what="Object", id="") from None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise errors.Forbidden(what="use the directory of backups") from None
        if error.errno in SILENT:
            raise errors.Unavailable(what=WHAT) from None
        why = f"the directory of backups: {os.strerror(error.errno or errno.EIO)}"
        raise errors.Upstream(why=why) from None


@contextlib.contextmanager
def top(path: str) -> typing.Iterator[int]:
    """A directory that must be there: it is never made, for where a mount is away a new
    one would be another disk's."""
    try:
        found = os.open(path, FOLDER)
    except FileNotFoundError:
        raise errors.Unavailable(what=WHAT) from None
    try:
        yield found
    finally:
        os.close(found)


@contextlib.contextmanager
def folder(
    above: int, parts: typing.Iterable[str], *, make: bool = False
) -> typing.Iterator[int]:
    """A directory below another, each of the ``parts`` a directory itself."""
    at = os.dup(above)
    try:
        for part in parts:
            if make:
                _make(at, part)
            inner = _inner(at, part, make)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _inner(at: int, part: str, make: bool) -> int:
    try:
        return os.open(part, FOLDER, dir_fd=at)
    except NotADirectoryError:  # a file, or a link: who reads finds nothing there
        if make:
            raise
        raise FileNotFoundError from None


def _make(at: int, part: str) -> None:
    try:
        os.mkdir(part, 0o700, dir_fd=at)
    except FileExistsError:
        return
    os.fsync(at)


def write(at: int, name: str, data: bytes, *, anew: bool = False) -> None:
    """A file of a directory is these bytes, and on the disk; ``anew``: there must be
    none yet (``FileExistsError``)."""
    draft = UNFINISHED + secrets.token_hex(8)
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(draft, how, 0o600, dir_fd=at), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if anew:
            os.link(draft, name, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
        else:
            os.replace(draft, name, src_dir_fd=at, dst_dir_fd=at)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=at)
    os.fsync(at)


@contextlib.contextmanager
def reading(at: int, name: str) -> typing.Iterator[io.BufferedReader]:
    """A plain file of a directory. Anything else is none (``FileNotFoundError``), and
    is not waited for: a folder, a pipe, a device."""
    found = os.open(name, LOOK | os.O_NONBLOCK, dir_fd=at)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise FileNotFoundError
        with open(found, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(found)
