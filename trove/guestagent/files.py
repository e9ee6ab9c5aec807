# SPDX-License-Identifier: Apache-2.0
"""Files that a hostile neighbour cannot redirect: no link followed, no write torn.

Every path is walked from the root, directory by directory, and a symbolic link
anywhere in it is refused. A write goes to a new file beside the target, is flushed, and
takes the target's name: a reader sees the old content or the new, as does a crash.
"""

import contextlib
import errno
import os
import pathlib
import secrets
import shutil
import stat
import typing

from trove import errors

LIMIT = 4 * 1024 * 1024
"""The most that is ever read of one file, in bytes."""


class UnsafePath(errors.Internal):
    """A path leads through a link, or to something that is no plain file."""

    sentence = "{path} is not safe to use: {why}."


Owner = str | tuple[int, int]
"""``user`` or ``user:group`` of this machine, or the numbers themselves."""


def owner_ids(owner: Owner | None) -> tuple[int, int]:
    """An owner as numbers; -1 where nothing is said."""
    if owner is None:
        return -1, -1
    if not isinstance(owner, str):
        return owner
    import grp  # only in a guest: not on every platform that imports this
    import pwd

    user, _, group = owner.partition(":")
    entry = pwd.getpwnam(user)
    return entry.pw_uid, grp.getgrnam(group).gr_gid if group else entry.pw_gid


@contextlib.contextmanager
def parent(path: pathlib.PurePath) -> typing.Iterator[int]:
    """The open directory that holds ``path``; no component of the way is a link."""
    path = pathlib.PurePath(path)
    if not path.is_absolute() or ".." in path.parts:
        raise UnsafePath(path=path, why="it is not absolute")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.open("/", flags)
    try:
        for part in path.parts[1:-1]:
            try:
                below = os.open(part, flags, dir_fd=here)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise UnsafePath(
                        path=path, why=f"{part} is not a directory"
                    ) from None
                raise
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def write(
    path: pathlib.PurePath,
    content: str | bytes,
    *,
    mode: int = 0o600,
    owner: Owner | None = None,
) -> None:
    """Puts ``content`` at ``path`` in one move, durable when this returns."""
    path = pathlib.PurePath(path)
    data = content.encode() if isinstance(content, str) else content
    uid, gid = owner_ids(owner)
    fresh = f".{path.name[:64]}.{secrets.token_hex(8)}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with parent(path) as here:
        file = os.open(fresh, flags, 0o600, dir_fd=here)
        try:
            try:
                if owner is not None:
                    os.fchown(file, uid, gid)
                os.fchmod(file, mode)
                _write_all(file, data)
                os.fsync(file)
            finally:
                os.close(file)
            os.rename(fresh, path.name, src_dir_fd=here, dst_dir_fd=here)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh, dir_fd=here)
            raise
        os.fsync(here)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def read(path: pathlib.PurePath, limit: int = LIMIT) -> bytes:
    """All of a plain file; FileNotFoundError when there is none."""
    path = pathlib.PurePath(path)
    # O_NONBLOCK: a pipe somebody put there must not hold the agent for ever
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with parent(path) as here:
        try:
            file = os.open(path.name, flags, dir_fd=here)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UnsafePath(path=path, why="it is a link") from None
            raise
    with open(file, "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise UnsafePath(path=path, why="it is not a plain file")
        data = bytearray()
        while chunk := stream.read(min(65536, limit + 1 - len(data))):
            data += chunk
            if len(data) > limit:
                raise UnsafePath(path=path, why=f"it is longer than {limit} bytes")
    return bytes(data)


def directory(
    path: pathlib.PurePath, *, mode: int = 0o700, owner: Owner | None = None
) -> None:
    """Makes a directory and those above it; an existing one gets the mode and owner.

    Those above that are missing are made 0755 and belong to whoever runs this.
    """
    path = pathlib.PurePath(path)
    for above in reversed(path.parents):
        if above != pathlib.PurePath("/"):
            _make_one(above, 0o755, None, keep=True)
    _make_one(path, mode, owner, keep=False)


def _make_one(
    path: pathlib.PurePath, mode: int, owner: Owner | None, *, keep: bool
) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with parent(path) as here:
        made = True
        try:
            os.mkdir(path.name, 0o700, dir_fd=here)
        except FileExistsError:
            made = False
        try:
            opened = os.open(path.name, flags, dir_fd=here)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise UnsafePath(path=path, why="it is not a directory") from None
            raise
        try:
            if made or not keep:
                if owner is not None:
                    os.fchown(opened, *owner_ids(owner))
                os.fchmod(opened, mode)
            if made:
                os.fsync(here)
        finally:
            os.close(opened)


def remove(path: pathlib.PurePath) -> None:
    """Removes a file or a link itself; nothing to do when there is none."""
    path = pathlib.PurePath(path)
    try:
        with parent(path) as here:
            os.unlink(path.name, dir_fd=here)
            os.fsync(here)
    except FileNotFoundError:
        return


def remove_tree(path: pathlib.PurePath) -> None:
    """Removes a file, or a directory and all below it, following no link."""
    path = pathlib.PurePath(path)
    try:
        with parent(path) as here:
            try:
                os.unlink(path.name, dir_fd=here)
            except IsADirectoryError:
                shutil.rmtree(path.name, dir_fd=here)
            os.fsync(here)
    except FileNotFoundError:
        return


def rename(old: pathlib.PurePath, new: pathlib.PurePath) -> None:
    """Moves a file or directory; ``FileExistsError`` when ``new`` is there."""
    old, new = pathlib.PurePath(old), pathlib.PurePath(new)
    with parent(old) as here, parent(new) as there:
        try:
            os.stat(new.name, dir_fd=there, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(old.name, new.name, src_dir_fd=here, dst_dir_fd=there)
            os.fsync(there)
            os.fsync(here)
            return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))


def same(path: pathlib.PurePath, data: bytes, mode: int, owner: Owner) -> bool:
    """Whether a plain file is there with this content, mode and owner."""
    try:
        if read(path, max(LIMIT, len(data))) != data:
            return False
    except (OSError, UnsafePath):
        return False
    found = os.stat(path, follow_symlinks=False)
    who = (found.st_uid, found.st_gid)
    return stat.S_IMODE(found.st_mode) == mode and who == owner_ids(owner)


def text(path: pathlib.PurePath) -> str | None:
    """A small text file's content, or None when there is no such file."""
    try:
        return read(path).decode()
    except FileNotFoundError:
        return None
