# SPDX-License-Identifier: Apache-2.0
"""Backups of MySQL by its own CLONE: a copy of InnoDB's files as they are at its end.
What came after it is said as the binary log has it (``increments``).

It comes in by the socket as root, so there is no password. The server makes the copy on
the volume, while it serves; then a tar of it is what is said. Tables of other engines
it would leave out without a word: while there are any, there is no backup. The copy has
no ``auto.cnf``, so that what is made of it is a server of its own.
"""

import contextlib
import json
import time

from trove import errors
from trove.datastores.classic import archive, checking, wanting
from trove.datastores.classic.root import end_sessions
from trove.datastores.classic.sql import identifier, literal, opened
from trove.datastores.mysql.agent import increments
from trove.datastores.mysql.agent.accounts import SESSIONS
from trove.datastores.mysql.agent.places import HISTORY
from trove.datastores.mysql.agent.rows import Rows
from trove.datastores.mysql.agent.sql import Talk
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import Stage
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

PAGES = ("*.ibd", "*.ibu", "ibdata*", "undo_*")
"""The names of files that are pages, each with a checksum."""


class Tool:
    """What it has the server and a few programs do."""

    def __init__(self, server: archive.Server) -> None:
        self._server = server
        self._host, self._places = server.host, server.places
        self._rows = Rows(server)

    def stages(self, work: str, since: Mark | None = None) -> tuple[Stage, ...]:
        """What says the copy, once it is made; or the log since that mark."""
        if since is not None:
            files, words = increments.begin(self._server, since)
            self._note(work, words)
            self._rows.take(words["binlog"])
            return increments.stages(self._server, work, since, files, words)
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
        """What was written down before the copy began, which has served, and is gone;
        or where the log was cut."""
        self._host.remove(self._copy(work))
        words = json.loads(self._host.read_file(f"{work}/mark") or "{}")
        words |= archive.marked(str(words.get("binlog", "")))
        if "since" not in words:
            # of an increment it is not known yet whether it becomes a parent: what it
            # stands on is one, and stays wanted
            place = int(words["place"])
            wanting.want(self._host, self._places, place, increment=False)
        return Mark(words, self._size())

    def taking(self, work: str, number: int) -> tuple[Stage, ...]:
        """The files, in a directory of their own; the link before is in the data."""
        if number:
            self._settle(work, number - 1)
        there = f"{work}/{number}"
        self._host.remove(there)
        self._host.make_directory(there, mode=0o700, owner=DATASTORE.user)
        argv = ("tar", "--extract", f"--directory={there}", "--preserve-permissions")
        return (Stage((*argv, "--file=-"), user=DATASTORE.user),)

    def together(self, work: str, links: int) -> None:
        """All links but the last one are in the data by now; so is that."""
        self._settle(work, links - 1)

    def _settle(self, work: str, number: int) -> None:
        if not number:
            self._become(f"{work}/0")
            return
        increments.play(self._server, work, number)
        self._host.run(["sync", "--file-system", self._places.data], timeout=COPY)

    def _become(self, there: str) -> None:
        """Each page is what its checksum says; then they are the data.

        The server itself brings them to one moment when it starts.
        """
        host = self._host
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

    def rows(self) -> Rows:
        """By the server, of a transaction that begins when it has made its copy."""
        return self._rows

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
            words = increments.position(self._server, talk)
            self._note(work, words)
            self._rows.settle(talk)
            talk.rows(f"CLONE LOCAL DATA DIRECTORY = {literal(there)}", CLONE)
        self._rows.take(words["binlog"])
        # which versions served the data is in a file, which the server has left out
        history = f"{self._places.data}/{HISTORY}"
        if self._host.exists(history):
            self._host.run(["cp", "--", history, there], user=DATASTORE.user)

    def _note(self, work: str, words: dict[str, str]) -> None:
        """A history of many servers is left out: a restored one knows its own."""
        kept = {name: word for name, word in words.items() if len(word) <= LONGEST}
        self._host.write_file(f"{work}/mark", json.dumps(kept), mode=0o600)

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
