# SPDX-License-Identifier: Apache-2.0
"""Backups of MySQL by its own CLONE: a copy of InnoDB's files as they are at its end.

It comes in by the socket as root, so there is no password. The server makes the copy on
the volume, while it serves; then a tar of it is what is said. Tables of other engines
it would leave out without a word: while there are any, there is no backup. The copy has
no ``auto.cnf``, so that what is made of it is a server of its own.
"""

import contextlib
import json
import time

from trove import errors
from trove.datastores.classic import archive, checking
from trove.datastores.classic.places import Places
from trove.datastores.classic.root import end_sessions
from trove.datastores.classic.sql import identifier, literal, opened
from trove.datastores.mysql.agent.accounts import SESSIONS
from trove.datastores.mysql.agent.places import HISTORY
from trove.datastores.mysql.agent.sql import Talk
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import Host, Stage
from trove.datastores.saving import Mark
from trove.datastores.unit import scrub, taken

CHECKER, READER = "innochecksum", "mysqlcheck"
"""Of pages before they are data, and of tables that are served."""
CLONE = 6 * 3600.0
"""Seconds in which the server makes its copy, and in which each page is checked."""
COPY = 1800.0
LOOK = 60.0
ENDS = 120.0
"""Seconds in which a copy ends that was told to, and what there is of it is gone."""
PAUSE = 0.2
LONGEST = 1024
"""Characters of a word that are kept of a mark (``flows.instance_backup``)."""
MIB = 1024 * 1024
RESERVE = 64 * MIB
"""What tenants may write meanwhile is not only in the data."""

COPYING = "user = 'root' AND host = 'localhost' AND info LIKE 'CLONE LOCAL %'"
HOW_MANY = f"SELECT COUNT(*) FROM {SESSIONS} WHERE {COPYING}"  # noqa: S608 - ours
LEFT_OUT = """\
SELECT table_schema, table_name, engine FROM information_schema.tables
WHERE table_schema NOT IN ('mysql', 'information_schema', 'performance_schema')
AND engine NOT IN ('InnoDB', 'MEMORY', 'BLACKHOLE', 'FEDERATED') LIMIT 1"""
"""Engines whose rows are neither copied nor lost at every restart or kept elsewhere."""
KNOWN = "SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'clone'"
INSTALL = "INSTALL PLUGIN clone SONAME 'mysql_clone.so'"
ALLOW_DDL = "SET GLOBAL clone_block_ddl = OFF"
POSITION = "SHOW BINARY LOG STATUS"
VERSION = "SELECT @@GLOBAL.version"

PAGES = ("*.ibd", "*.ibu", "ibdata*", "undo_*")
"""The names of files that are pages, each with a checksum."""


class Tool:
    """What it has the server and a few programs do."""

    def __init__(self, host: Host, places: Places) -> None:
        self._host, self._places = host, places

    def stages(self, work: str, since: Mark | None = None) -> tuple[Stage, ...]:
        """What says the copy, once it is made."""
        if since is not None:
            what = "an increment of a backup"
            raise errors.NotSupported(datastore=DATASTORE.name, what=what)
        there = self._copy(work)
        self._end_copying()
        self._host.remove(there)
        self._fits()
        try:
            self._clone(work)
        except BaseException:
            with contextlib.suppress(errors.TroveError):
                self._end_copying()
            self._host.remove(there)
            raise
        argv = ("tar", "--create", "--sparse", f"--directory={there}", "--file=-", ".")
        return (Stage(argv, user=DATASTORE.user),)

    def mark(self, work: str) -> Mark:
        """What was written down before the copy began; it has served, and is gone."""
        self._host.remove(self._copy(work))
        words = json.loads(self._host.read_file(f"{work}/mark") or "{}")
        words |= archive.marked(str(words.get("binlog", "")))
        return Mark(words, self._size())

    def taking(self, work: str, number: int) -> tuple[Stage, ...]:
        """The files, in a directory of their own."""
        there = f"{work}/{number}"
        self._host.remove(there)
        self._host.make_directory(there, mode=0o700, owner=DATASTORE.user)
        argv = ("tar", "--extract", f"--directory={there}", "--preserve-permissions")
        return (Stage((*argv, "--file=-"), user=DATASTORE.user),)

    def together(self, work: str, links: int) -> None:
        """Each page is what its checksum says; then they are the data.

        The server itself brings them to one moment when it starts.
        """
        host, there = self._host, f"{work}/0"
        names = [word for name in PAGES for word in ("-o", "-name", name)][1:]
        argv = ["find", there, "-type", "f", "(", *names, ")"]
        argv += ["-exec", CHECKER, "{}", "+"]
        ran = host.run(argv, user=DATASTORE.user, timeout=CLONE, check=False)
        if ran.returncode:
            raise errors.EngineFailed(why=f"{CHECKER}: {scrub(ran.stderr)}")
        host.run(["sync", "--file-system", there], timeout=COPY)
        host.rename(there, self._places.data)

    def settle(self) -> None:
        """All of its own is InnoDB's."""
        with opened(Talk, self._places.socket, LOOK) as talk:
            checking.crash_safe(talk, ("InnoDB",))

    def taken_over(self) -> None:
        """It is a server of its own."""
        self._host.remove(f"{self._places.data}/auto.cnf")

    def check(self) -> None:
        """Each index of every table, beside the checksums of pages."""
        checking.check(self._host, self._places, READER)

    def _copy(self, work: str) -> str:
        return f"{work}/copy"

    def _clone(self, work: str) -> None:
        there = self._copy(work)
        with self._talk() as talk:
            for schema, table, engine in talk.rows(LEFT_OUT, LOOK):
                name = f"{identifier(schema)}.{identifier(table)}"
                why = f"the table {name} is one of {engine}: InnoDB's alone are copied"
                raise errors.EngineFailed(why=scrub(why))
            if not talk.rows(KNOWN, LOOK):
                talk.rows(INSTALL, LOOK)
            talk.rows(ALLOW_DDL, LOOK)
            self._note(work, talk)
            talk.rows(f"CLONE LOCAL DATA DIRECTORY = {literal(there)}", CLONE)
        # which versions served the data is in a file, which the server has left out
        history = f"{self._places.data}/{HISTORY}"
        if self._host.exists(history):
            self._host.run(["cp", "--", history, there], user=DATASTORE.user)

    def _note(self, work: str, talk: Talk) -> None:
        """All until here is in the copy; what is written while it is made may be."""
        ((file, position, _, _, executed),) = talk.rows(POSITION, LOOK)
        ((version,),) = talk.rows(VERSION, LOOK)
        words = {
            "version": str(version).partition("-")[0],
            "binlog": f"{file}:{position}",
        }
        history = "".join(str(executed).split())
        if len(history) <= LONGEST:  # of many servers; a restored one knows its own
            words["gtid_executed"] = history
        self._host.write_file(f"{work}/mark", json.dumps(words), mode=0o600)

    def _end_copying(self) -> None:
        """No copy is made any more: of an attempt that died, the server goes on."""
        end = time.monotonic() + ENDS
        with self._talk() as talk:
            end_sessions(talk, SESSIONS, COPYING)
            while talk.rows(HOW_MANY, LOOK) != [(0,)]:
                if time.monotonic() > end:
                    why = "it still makes a copy that nobody wants any more"
                    raise errors.EngineFailed(why=why)
                time.sleep(PAUSE)

    def _fits(self) -> None:
        """There is room for a second time all the data."""
        needed = self._size() + RESERVE
        argv = ["df", "--output=avail", "--block-size=1", "--", self._places.volume]
        free = int(self._host.run(argv).stdout.split()[-1])
        if free < needed:
            why = (
                f"its backup begins with a copy of the data on the volume, for which "
                f"{needed // MIB} MiB are needed, and {free // MIB} MiB are free"
            )
            raise errors.EngineFailed(why=why)

    def _talk(self) -> contextlib.AbstractContextManager[Talk]:
        return opened(Talk, self._places.socket, LOOK)

    def _size(self) -> int:
        return taken(self._host, self._places.data, COPY)
