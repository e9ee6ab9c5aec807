# SPDX-License-Identifier: Apache-2.0
"""The engine's own list of a backup's files (``backup_manifest``): what an increment of
it is made by.

It is the last file of what ``pg_basebackup`` says, so it is overheard as that goes by,
and kept on the data's volume, where the newest few are: who has lost the volume has
nothing to make an increment of either (ADR 39). Its name is its SHA-256, which the
control plane keeps with the backup: another one is never taken for it.
"""

import fcntl
import hashlib
import os
import re
import select
import threading
import typing

from trove.datastores.places import Places
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host, Stage

NAME = b"backup_manifest"
KEPT = 8
"""How many: a backup that failed, or was made again, may have left some of them."""
BLOCK = 512
"""Bytes of a block of a tar."""
PIECE = 1024 * 1024
ENDS = 60.0
"""Seconds in which the rest is heard once all was said."""
TAIL = 4096
"""Bytes at the end of a list that have where in the log its backup began."""
RANGE = re.compile(rb'"Timeline": (\d+), "Start-LSN": "([0-9A-F]+/[0-9A-F]+)"')
WITHIN = 60.0


class Overheard:
    """Listens to a tar that goes by, and writes down the list that is in it."""

    def __init__(self, host: Host, work: str) -> None:
        self._path, self._fifo = f"{work}/{NAME.decode()}", f"{work}/overheard"
        host.remove(self._fifo)
        host.run(["mkfifo", "--mode=600", "--", self._fifo], user=DATASTORE.user)
        # before there is a writer, so that none waits for us
        self._ear = os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self._ear, fcntl.F_SETPIPE_SZ, PIECE)
        self._found = False
        self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
        self._thread.start()

    @property
    def stage(self) -> Stage:
        """What hands the tar on."""
        return Stage(("tee", "--", self._fifo), user=DATASTORE.user)

    def taken(self) -> str | None:
        """Where the list is, now that all has gone by; None: it could not be had."""
        self._thread.join(ENDS)
        return self._path if self._found and not self._thread.is_alive() else None

    def _run(self) -> None:
        waits = select.poll()
        waits.register(self._ear, select.POLLIN)
        waits.poll()  # for somebody to say something, or to have come and gone
        os.set_blocking(self._ear, True)
        with open(self._ear, "rb", buffering=PIECE) as tar:
            try:
                self._found = self._listen(tar)
            except (OSError, ValueError):
                # a volume that is full, say: the backup is none the worse
                self._found = False
            finally:
                while tar.read(PIECE):  # who says it never waits for us
                    pass

    def _listen(self, tar: typing.BinaryIO) -> bool:
        found = False
        while len(header := tar.read(BLOCK)) == BLOCK:
            if not header.strip(b"\0"):
                continue  # the end has two such blocks
            size = int(header[124:136].strip(b"\0 "), 8)
            if header[:100].rstrip(b"\0") == NAME:
                with open(self._path, "xb", opener=_private) as file:
                    for piece in _pieces(tar, size):
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                found = True
            else:
                for _ in _pieces(tar, size):
                    pass
            tar.read(-size % BLOCK)
        return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _pieces(tar: typing.BinaryIO, size: int) -> typing.Iterator[bytes]:
    while size:
        piece = tar.read(min(size, PIECE))
        if not piece:
            raise ValueError("the tar ends in the middle of a file")
        size -= len(piece)
        yield piece


class Manifests:
    """Those on one volume."""

    def __init__(self, host: Host, places: Places) -> None:
        self._host = host
        self._directory = f"{places.volume}/.trove-manifests"

    def keep(self, path: str) -> dict[str, str]:
        """This one, from now on: its hash, and where in the log its backup began, which
        are words of a mark. Nothing, where it does not say that."""
        begun = _begun(path)
        if begun is None:
            return {}
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._host.make_directory(self._directory, mode=0o700)
        there = self._there(digest)
        if not self._host.exists(there):
            self._host.rename(path, there)
        self._host.run(["sync", "--", self._directory], timeout=WITHIN)
        newest = ["ls", "-t", "--", self._directory]
        for old in self._host.run(newest).stdout.split()[KEPT:]:
            self._host.remove(f"{self._directory}/{old}")
        return {"manifest": digest, "begin": begun}

    def lend(self, digest: str, path: str) -> bool:
        """The list of that hash is there, for the engine's user; False: there is none,
        or it is not what it was."""
        if not re.fullmatch("[0-9a-f]{64}", digest):
            return False
        there = self._there(digest)
        if not self._host.exists(there):
            return False
        with open(there, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                return False
        words = ["install", "--mode=600", f"--owner={DATASTORE.user}", "--"]
        self._host.run([*words, there, path], timeout=WITHIN)
        return True

    def _there(self, digest: str) -> str:
        return f"{self._directory}/{digest}"


def _begun(path: str) -> str | None:
    """Where in the log, if it is of one timeline alone."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL))
        found = RANGE.findall(file.read(TAIL))
    return found[0][1].decode() if len(found) == 1 else None
