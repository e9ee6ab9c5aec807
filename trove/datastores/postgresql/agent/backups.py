# SPDX-License-Identifier: Apache-2.0
"""Backups by pg_basebackup: the files of a server that goes on writing, and its log.

It comes in by the socket as the superuser, so there is no password. All of it is one
tar, with the write-ahead log that makes the files whole, and with the engine's own
manifest, by which ``pg_verifybackup`` checks each file where it is restored.

The log of the whole time comes at the end, so a slot holds it until then. It is a
temporary one: it ends with its connection, whoever dies, and ``max_slot_wal_keep_size``
bounds what it holds.
"""

import contextlib
import os
import time

from trove import errors
from trove.datastores.places import Places
from trove.datastores.postgresql.agent.archive import where
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.agent.sql import talk
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host, Stage
from trove.datastores.saving import Mark
from trove.datastores.unit import scrub

VERIFY = 6 * 3600.0
"""Seconds in which every file is read, and its checksum compared."""
CHECK = 12 * 3600.0
"""Seconds in which every table and every index is read."""
COPY = 1800.0
SETTLE = 300.0
"""Seconds in which a checkpoint is over."""


class Tool:
    """Its command lines, and what it leaves behind."""

    def __init__(self, host: Host, places: Places, port: int) -> None:
        self._host, self._places, self._port = host, places, port
        self._held = contextlib.ExitStack()
        self._place = 0

    def stages(self, work: str, since: Mark | None = None) -> tuple[Stage, ...]:
        """What says all files; of those that have changed since, there is no saying."""
        if since is not None:
            what = "an increment of a backup"
            raise errors.NotSupported(datastore="This engine", what=what)
        self._hold()
        argv = (
            f"{programs(self._host)}/pg_basebackup",
            "--pgdata=-",
            "--format=tar",
            "--wal-method=fetch",
            "--checkpoint=fast",
            "--manifest-checksums=SHA256",
            "--no-password",
            f"--host={self._places.runtime}",
            f"--port={self._port}",
            f"--username={DATASTORE.user}",
        )
        return (Stage(argv, user=DATASTORE.user),)

    def _hold(self) -> None:
        """From here on the log stays, until ``mark`` or the end of this process."""
        self._held.close()
        line = self._held.enter_context(talk(self._places.runtime, self._port))
        make = "SELECT pg_create_physical_replication_slot('{}', true, true)"
        line.rows(make.format(f"trove_backup_{os.getpid()}"), 30.0)
        self._place = where(line).current  # it begins here, or later

    def mark(self, work: str) -> Mark:
        """The server's version, its timeline, where its log is by now, and when; the
        segment that has its beginning, or one before."""
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
        self._held.close()
        words = {"version": version, "lsn": lsn, "timeline": timeline}
        words |= {"place": str(self._place), "at": repr(time.time())}
        return Mark(words, int(log) + int(data))

    def taking(self, work: str, number: int) -> tuple[Stage, ...]:
        """The files, in a directory of their own."""
        there = f"{work}/{number}"
        self._host.remove(there)
        self._host.make_directory(there, mode=0o700, owner=DATASTORE.user)
        argv = ("tar", "--extract", f"--directory={there}", "--preserve-permissions")
        return (Stage((*argv, "--file=-"), user=DATASTORE.user),)

    def together(self, work: str, links: int) -> None:
        """Each file is what the engine's manifest says; then they are the data."""
        host, there = self._host, f"{work}/0"
        argv = [f"{programs(host)}/pg_verifybackup", "--exit-on-error", there]
        ran = host.run(argv, user=DATASTORE.user, timeout=VERIFY, check=False)
        if ran.returncode:
            raise errors.EngineFailed(why=f"pg_verifybackup: {scrub(ran.stderr)}")
        host.run(["sync", "--file-system", there], timeout=COPY)
        host.rename(there, self._places.data)

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
