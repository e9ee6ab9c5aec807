# SPDX-License-Identifier: Apache-2.0
"""Backups of Valkey: a snapshot that the server itself writes, and the access list.

It forks for as long as it writes the snapshot beside its data, which it does each hour
anyway: how fast a store takes the bytes is nothing to it. What is said is the snapshot
as it is, the list after it, and last of all how long that was, in digits. The way back
checks the snapshot with the engine's own tool, and has it be what the append-only file
begins with.
"""

import contextlib
import re
import time
import typing

from trove import errors
from trove.datastores.protocol import Host, Stage
from trove.datastores.rows import RowHashes
from trove.datastores.saving import Mark
from trove.datastores.unit import scrub, taken
from trove.datastores.valkey.agent.config import APPENDED
from trove.datastores.valkey.agent.health import facts
from trove.datastores.valkey.agent.places import USERS, Places
from trove.datastores.valkey.agent.wire import Refusal, Talk
from trove.datastores.valkey.spec import DATASTORE

Open = typing.Callable[[], contextlib.AbstractContextManager[Talk]]

CHECKER = "valkey-check-rdb"
SNAPSHOT = "dump.rdb"
"""The name it has beside the data; the engine's own, which no group changes."""
SAVE = 2 * 3600.0
"""Seconds in which a snapshot is written, and in which one is read and checked."""
COPY = 1800.0
LOOK = 20.0
PAUSE = 0.2
BUSY = "already in progress", "Another child process"
"""How it says that its one child does something else."""
DIGITS = 12
MANIFEST = "appendonly.aof.manifest"
BASE = "appendonly.aof.1.base.rdb"
BEGINS = f"file {BASE} seq 1 type b\n"
"""What a manifest says when there is nothing yet after the snapshot."""
BEGUN = re.compile(r"^file ([\w.]+) seq \d+ type b$", re.MULTILINE)
"""What it says of the file that the others come after."""


class Tool:
    """What it has the server and a few programs do."""

    def __init__(self, host: Host, places: Places, open_: Open) -> None:
        self._host, self._places, self._open = host, places, open_

    def stages(self, work: str, since: Mark | None = None) -> tuple[Stage, ...]:
        """What says the snapshot, once there is a new one, and the list."""
        if since is not None:
            what = "an increment of a backup"
            raise errors.NotSupported(datastore=DATASTORE.name, what=what)
        here, listed = self._places, f"{work}/{USERS}"
        self._save()
        users = self._host.read_file(here.users) or ""
        text = f"{users}{len(users.encode()):0{DIGITS}d}"
        self._host.write_file(listed, text, mode=0o600, owner=DATASTORE.user)
        # A later snapshot may take its place: whoever opened it goes on reading it.
        argv = ("cat", "--", f"{here.data}/{SNAPSHOT}", listed)
        return (Stage(argv, user=DATASTORE.user),)

    def mark(self, work: str) -> Mark:
        """The server's version, and where its stream of writes is by now."""
        said = self._facts()
        words = {
            "version": said["valkey_version"],
            "position": f"{said['master_replid']}:{said['master_repl_offset']}",
            "saved": said["rdb_last_save_time"],
        }
        return Mark(words, self._size())

    def taking(self, work: str, number: int) -> tuple[Stage, ...]:
        """All of it, as one file."""
        there = f"{work}/{number}"
        self._host.remove(there)
        argv = ("dd", f"of={there}", "bs=1M", "status=none")
        return (Stage(argv, user=DATASTORE.user),)

    def together(self, work: str, links: int) -> None:
        """The snapshot is what it was; it and the list are the data."""
        host, here, taken = self._host, self._places, f"{work}/0"
        users = self._cut(taken)
        user = DATASTORE.user
        self._read(taken)
        made = f"{work}/made"
        files = f"{made}/{APPENDED}"
        host.remove(made)
        for directory in (made, files):
            host.make_directory(directory, mode=0o700, owner=user)
        host.rename(taken, f"{files}/{BASE}")
        for path, text in ((f"{files}/{MANIFEST}", BEGINS), (f"{made}/{USERS}", users)):
            host.write_file(path, text, mode=0o600, owner=user)
        host.run(["sync", "--file-system", made], timeout=COPY)
        host.rename(made, here.data)

    def settle(self) -> None:
        """Of a volume's snapshot nothing is known here."""
        raise errors.NotSupported(datastore=DATASTORE.name, what="volume snapshots")

    def taken_over(self) -> None:
        """As ``settle``."""
        self.settle()

    def check(self) -> None:
        """The file that the keys were read from, and one that all are written to."""
        here = self._places
        manifest = self._host.read_file(f"{here.data}/{APPENDED}/{MANIFEST}") or ""
        bases = BEGUN.findall(manifest)
        if not bases:
            raise errors.EngineFailed(why=f"{MANIFEST} names no file to begin with")
        self._read(f"{here.data}/{APPENDED}/{bases[0]}")
        self._save()
        self._read(f"{here.data}/{SNAPSHOT}")

    def rows(self) -> RowHashes:
        """It has keys, and none of them stays as it is for long: they expire."""
        what = "hashes of its rows"
        raise errors.NotSupported(datastore=DATASTORE.name, what=what)

    def _read(self, path: str) -> None:
        """All of a snapshot is as it was written."""
        argv = [CHECKER, path]
        ran = self._host.run(argv, user=DATASTORE.user, timeout=SAVE, check=False)
        if ran.returncode:
            said = ran.stdout.partition("ERROR DETECTED")[2] or ran.stderr
            raise errors.EngineFailed(why=f"{CHECKER}: {scrub(said)}")

    def _save(self) -> None:
        """A snapshot of a moment that is not before now."""
        end = time.monotonic() + SAVE
        while not self._begun():
            _pause(end)
        while (said := self._facts())["rdb_bgsave_in_progress"] != "0":
            _pause(end)
        if said["rdb_last_bgsave_status"] != "ok":
            why = "it could not write a snapshot; its log of errors says why"
            raise errors.EngineFailed(why=why)

    def _begun(self) -> bool:
        """Whether it writes one; not while its one child does something else."""
        with self._open() as talk:
            try:
                talk.ask("BGSAVE", within=LOOK)
            except Refusal as refused:
                if any(word in str(refused) for word in BUSY):
                    return False
                raise
        return True

    def _facts(self) -> dict[str, str]:
        with self._open() as talk:
            return facts(talk.ask("INFO", within=LOOK))

    def _cut(self, taken: str) -> str:
        """The list, which the file had at its end and has no more."""
        digits = self._end(taken, DIGITS)
        if not (digits.isascii() and digits.isdigit()):
            raise errors.EngineFailed(why="what was saved has no end")
        length = int(digits) + DIGITS
        users = self._end(taken, length)[:-DIGITS]
        cut = ["truncate", "--no-create", f"--size=-{length}", "--", taken]
        self._host.run(cut, timeout=COPY)
        return users

    def _end(self, path: str, length: int) -> str:
        return self._host.run(["tail", f"--bytes={length}", "--", path]).stdout

    def _size(self) -> int:
        return taken(self._host, self._places.data, COPY)


def _pause(end: float) -> None:
    if time.monotonic() > end:
        raise errors.EngineFailed(why="it did not write a snapshot in time")
    time.sleep(PAUSE)
