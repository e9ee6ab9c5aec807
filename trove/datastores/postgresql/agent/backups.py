# SPDX-License-Identifier: Apache-2.0
"""Backups by pg_basebackup: the files of a server that goes on writing, and its log.

It comes in by the socket as the superuser, so there is no password. All of it is one
tar, with the write-ahead log that makes the files whole, and with the engine's own
manifest, by which ``pg_verifybackup`` checks each file where it is restored.

An increment has the blocks that were written since another backup, of 17 and later.

The log of the whole time comes at the end, so a slot holds it until then. It is a
temporary one: it ends with its connection, whoever dies, and ``max_slot_wal_keep_size``
bounds what it holds.
"""

import contextlib
import os
import time

from trove import errors
from trove.datastores.places import Places
from trove.datastores.postgresql.agent import chains
from trove.datastores.postgresql.agent.archive import where
from trove.datastores.postgresql.agent.manifests import Manifests, Overheard
from trove.datastores.postgresql.agent.places import major, programs
from trove.datastores.postgresql.agent.rows import Rows
from trove.datastores.postgresql.agent.sql import talk
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host, Stage
from trove.datastores.saving import Mark, NoIncrement
from trove.datastores.unit import scrub

VERIFY = 6 * 3600.0
"""Seconds in which every file is read, and its checksum compared."""
CHECK = 12 * 3600.0
"""Seconds in which every table and every index is read."""
COPY = 1800.0
SETTLE = 300.0
"""Seconds in which a checkpoint is over."""
INCREMENTS = 17
"""The first version that has them."""


class Tool:
    """Its command lines, and what it leaves behind."""

    def __init__(self, host: Host, places: Places, port: int) -> None:
        self._host, self._places, self._port = host, places, port
        self._held = contextlib.ExitStack()
        self._place = 0
        self._manifests = Manifests(host, places)
        self._since = ""
        self._heard: Overheard | None = None
        self._rows = Rows(host, places, port, self._held)

    def stages(self, work: str, since: Mark | None = None) -> tuple[Stage, ...]:
        """What says all files, or the blocks that were written since."""
        chained = major(self._host) >= INCREMENTS
        if since is not None and not chained:
            what = "an increment of a backup"
            raise errors.NotSupported(datastore="This engine", what=what)
        increment = () if since is None else (self._founded(work, since),)
        self._since = "0" if since is None else since.words.get("manifest", "")
        self._hold()
        argv = (
            f"{programs(self._host)}/pg_basebackup",
            "--pgdata=-",
            "--format=tar",
            "--wal-method=fetch",
            "--checkpoint=fast",
            chains.CHECKSUMS,
            "--no-password",
            f"--host={self._places.runtime}",
            f"--port={self._port}",
            f"--username={DATASTORE.user}",
            *increment,
        )
        said = Stage(argv, user=DATASTORE.user)
        if not chained:
            return (said,)
        self._heard = Overheard(self._host, work)
        return (said, self._heard.stage)

    def _founded(self, work: str, since: Mark) -> str:
        """What an increment is told; ``NoIncrement`` where there is nothing to tell."""
        there = f"{work}/parent"
        if not self._manifests.lend(since.words.get("manifest", ""), there):
            raise NoIncrement(why="the volume has no list of its files any more")
        with talk(self._places.runtime, self._port) as line:
            chains.check(line, since.words)
        return f"--incremental={there}"

    def _hold(self) -> None:
        """From here on the log stays, until ``mark`` or the end of this process."""
        self._held.close()
        line = self._held.enter_context(talk(self._places.runtime, self._port))
        make = "SELECT pg_create_physical_replication_slot('{}', true, true)"
        line.rows(make.format(f"trove_backup_{os.getpid()}"), 30.0)
        self._place = where(line).current  # it begins here, or later
        self._rows.begin(line)

    def mark(self, work: str) -> Mark:
        """The server's version, its timeline, where its log is by now, and when; the
        segment that has its beginning, or one before. What an increment of it begins
        by, where there can be one."""
        statement = (
            "SELECT current_setting('server_version'), pg_current_wal_lsn()::text, "
            "timeline_id::text FROM pg_control_checkpoint()"
        )
        size = "SELECT sum(size)::text FROM pg_ls_waldir()"
        databases = "SELECT sum(pg_database_size(oid))::text FROM pg_database"
        with talk(self._places.runtime, self._port) as conversation:
            ((version, lsn, timeline),) = conversation.rows(statement, 10.0)
            ((log,),) = conversation.rows(size, 10.0)
            ((data,),) = conversation.rows(databases, COPY)
        if not self._rows.expected:
            self._held.close()
        words = {"version": version, "lsn": lsn, "timeline": timeline}
        words |= {"place": str(self._place), "at": repr(time.time())}
        words |= self._kept()
        return Mark(words, int(log) + int(data))

    def _kept(self) -> dict[str, str]:
        """A volume that is full keeps nothing: then no increment stands on this one."""
        path = self._heard.taken() if self._heard is not None else None
        if path is None:
            return {}
        try:
            found = self._manifests.keep(path)
        except OSError:
            return {}
        return found and {**found, "since": self._since}

    def taking(self, work: str, number: int) -> tuple[Stage, ...]:
        """The files, in a directory of their own."""
        there = f"{work}/{number}"
        self._host.remove(there)
        self._host.make_directory(there, mode=0o700, owner=DATASTORE.user)
        argv = ("tar", "--extract", f"--directory={there}", "--preserve-permissions")
        return (Stage((*argv, "--file=-"), user=DATASTORE.user),)

    def together(self, work: str, links: int) -> None:
        """Each file is what the engine's manifests say; then they are the data."""
        host, there = self._host, [f"{work}/{number}" for number in range(links)]
        for link in there:
            self._verify(link)
        whole = there[0]
        if links > 1:
            whole = f"{work}/whole"
            chains.combine(host, there, whole)
            for link in there:
                host.remove(link)
            self._verify(whole)
        host.run(["sync", "--file-system", whole], timeout=COPY)
        host.rename(whole, self._places.data)

    def _verify(self, there: str) -> None:
        argv = [f"{programs(self._host)}/pg_verifybackup", "--exit-on-error", there]
        ran = self._host.run(argv, user=DATASTORE.user, timeout=VERIFY, check=False)
        if ran.returncode:
            raise errors.EngineFailed(why=f"pg_verifybackup: {scrub(ran.stderr)}")

    def settle(self) -> None:
        """A checkpoint: of the log before it nothing has to be played."""
        with talk(self._places.runtime, self._port) as conversation:
            conversation.rows("CHECKPOINT", SETTLE)

    def taken_over(self) -> None:
        """Another's process is none of this machine's, and nobody comes for what his
        slots would hold of the log."""
        host, data = self._host, self._places.data
        host.remove(f"{data}/postmaster.pid")
        host.remove(f"{data}/pg_replslot")
        host.make_directory(f"{data}/pg_replslot", mode=0o700, owner=DATASTORE.user)

    def check(self) -> None:
        """Each row that can be read, and that each is in every index of its table.

        What the tool asks for in a database (``amcheck``) is added where it is not.
        """
        program = f"{programs(self._host)}/pg_amcheck"
        argv = [program, "--all", "--install-missing", "--heapallindexed"]
        argv += ["--no-password", f"--host={self._places.runtime}"]
        argv += [f"--port={self._port}", f"--username={DATASTORE.user}"]
        ran = self._host.run(argv, user=DATASTORE.user, timeout=CHECK, check=False)
        if ran.returncode:
            said = f"{ran.stdout}\n{ran.stderr}"
            raise errors.EngineFailed(why=f"pg_amcheck: {scrub(said)}")

    def rows(self) -> Rows:
        """By the server, of snapshots that are made when the tool has ended."""
        return self._rows
