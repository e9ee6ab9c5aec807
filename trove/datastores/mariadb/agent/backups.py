# SPDX-License-Identifier: Apache-2.0
"""Backups by mariadb-backup: the files of a server that goes on writing, and its log.

It comes in by the socket as root, so there is no password. Its version is the server's,
of the same image. What it copied is made whole (``--prepare``) where it is restored; an
increment has the pages that were written since a place in the log.
"""

import re

from trove import errors
from trove.datastores.classic import archive, checking
from trove.datastores.classic.places import Places
from trove.datastores.classic.sql import opened
from trove.datastores.mariadb.agent.rows import Rows
from trove.datastores.mariadb.agent.sql import Talk
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Host, Stage
from trove.datastores.saving import Mark
from trove.datastores.unit import scrub, taken

PROGRAM = "mariadb-backup"
CHECKER = "mariadb-check"
PREPARE = 6 * 3600.0
"""Seconds in which a copy is made whole: it replays all that was written meanwhile."""
COPY = 1800.0
CHECKPOINTS = ("mariadb_backup_checkpoints", "xtrabackup_checkpoints")
FACTS = ("mariadb_backup_info", "xtrabackup_info")
"""What it writes down of a backup; the names of before 11.1 come second."""
LINE = re.compile(r"^(\w+) *= *(.*)$", re.MULTILINE)
LOOK = 100
"""Milliseconds between two looks at the log that is copied beside the files."""
MEMORY = "64M"
"""What preparing may take for pages."""


class Tool:
    """Its command lines, and what it leaves behind."""

    def __init__(self, host: Host, places: Places) -> None:
        self._host, self._places = host, places
        self._rows = Rows(places)

    def stages(self, work: str, since: Mark | None = None) -> tuple[Stage, ...]:
        """What says all data files, or the pages that were written since."""
        argv = [
            PROGRAM,
            f"--defaults-file={self._places.settings}/my.cnf",
            "--backup",
            "--stream=mbstream",
            "--user=root",
            f"--socket={self._places.socket}",
            f"--target-dir={work}/temporary",
            f"--extra-lsndir={work}/mark",
            # at the end nobody commits until it has looked at the log once more
            f"--log-copy-interval={LOOK}",
        ]
        if since is not None:
            argv.append(f"--incremental-lsn={int(since.words['lsn'])}")
        return (Stage(tuple(argv)),)

    def mark(self, work: str) -> Mark:
        """Its own checkpoint, the server's version, the place in the binary log, and
        when that was past."""
        found = self._read(f"{work}/mark", CHECKPOINTS)
        facts = self._read(f"{work}/mark", FACTS)
        words = {
            "lsn": found["to_lsn"],
            "since": found["from_lsn"],
            "version": facts["server_version"],
            "binlog": facts.get("binlog_pos", ""),
        }
        words |= archive.marked(words["binlog"])
        return Mark(words, self._size())

    def taking(self, work: str, number: int) -> tuple[Stage, ...]:
        """The files of a link, in a directory of its own."""
        there = f"{work}/{number}"
        self._host.remove(there)
        self._host.make_directory(there, mode=0o700)
        return (Stage(("mbstream", "--extract", f"--directory={there}")),)

    def together(self, work: str, links: int) -> None:
        """The full one with each increment in its turn, as the data directory."""
        host, here = self._host, self._places
        for number in range(links):
            self._prepare(f"{work}/0", f"{work}/{number}" if number else None)
        owner = f"{DATASTORE.user}:{DATASTORE.user}"
        host.run(["chown", "--recursive", owner, f"{work}/0"], timeout=COPY)
        host.run(["sync", "--file-system", f"{work}/0"], timeout=COPY)
        host.rename(f"{work}/0", here.data)

    def settle(self) -> None:
        """Its own tables are of Aria, which has a log, as one has that says so."""
        with opened(Talk, self._places.socket, checking.LOOK) as talk:
            checking.crash_safe(talk, ("InnoDB", "Aria"))

    def taken_over(self) -> None:
        """Nothing in there is one server's alone."""

    def check(self) -> None:
        """Each page and each index of every table."""
        checking.check(self._host, self._places, CHECKER)

    def rows(self) -> Rows:
        """By the server, of a transaction that begins when the tool has ended."""
        return self._rows

    def _prepare(self, full: str, increment: str | None) -> None:
        argv = [PROGRAM, "--prepare", f"--use-memory={MEMORY}", f"--target-dir={full}"]
        if increment is not None:
            argv.append(f"--incremental-dir={increment}")
        ran = self._host.run(argv, timeout=PREPARE, check=False)
        # it also ends with 0 after it has said that it found no files
        if ran.returncode or "completed OK!" not in ran.stderr[-200:]:
            raise errors.EngineFailed(why=f"{PROGRAM}: {scrub(ran.stderr)}")

    def _read(self, directory: str, names: tuple[str, ...]) -> dict[str, str]:
        for name in names:
            text = self._host.read_file(f"{directory}/{name}")
            if text is not None:
                return dict(LINE.findall(text))
        raise errors.EngineFailed(why=f"{PROGRAM} wrote down nothing of its backup")

    def _size(self) -> int:
        return taken(self._host, self._places.data, COPY)
