# SPDX-License-Identifier: Apache-2.0
"""Databases of PostgreSQL in pg_dump's own form, which pg_restore reads.

Each comes in by the socket as a role that is made for it and enters that database
alone: no code of a tenant's, or of a dump's, runs as the superuser, whatever the tool
calls.
"""

import contextlib
import typing

from psycopg import conninfo
from psycopg.sql import SQL, Identifier

from trove import errors
from trove.datastores.places import Places
from trove.datastores.postgresql.agent import accounts, departures
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.agent.sql import Talk, fill, talk
from trove.datastores.postgresql.spec import DATASTORE, DUMPER, LOADER
from trove.datastores.protocol import Host, Stage

WITHIN = 60.0
READS: tuple[typing.LiteralString, ...] = (
    "ALTER ROLE {role} SET lo_compat_privileges = on",
    "GRANT pg_read_all_data TO {role}",
    "GRANT CONNECT ON DATABASE {database} TO {role}",
)
"""What lets the role read all of that database; rows of tables with policies too, or
pg_dump refuses."""
MAGIC = b"PGDMP"
REFUSED = (
    "--no-publications",
    "--no-security-labels",
    "--no-subscriptions",
    "--no-tablespaces",
)
"""What tenants do not make."""


class Tool:
    """``dumping.Dumps`` of one server."""

    def __init__(self, host: Host, places: Places, port: int) -> None:
        self._host, self._places, self._port = host, places, port

    @contextlib.contextmanager
    def saying(self, database: str) -> typing.Iterator[tuple[Stage, ...]]:
        """By pg_dump; the role is there as long as the block."""
        with self._open("postgres") as conversation:
            if not accounts.has_database(conversation, database):
                raise errors.DatabaseNotFound(database=database)
        with self._role(DUMPER, "BYPASSRLS"):
            names = {"role": Identifier(DUMPER), "database": Identifier(database)}
            with self._open("postgres") as conversation:
                for statement in READS:
                    conversation.rows(fill(statement, **names), WITHIN)
            words = ("--format=custom", "--compress=1")
            yield (self._stage("pg_dump", DUMPER, database, *words),)

    @contextlib.contextmanager
    def taking(self, database: str, begin: bytes) -> typing.Iterator[tuple[Stage, ...]]:
        """By pg_restore, which has no commands of its own, as psql has.

        What it made is the heir's, until a user is granted the database.
        """
        if not begin.startswith(MAGIC):
            raise errors.Invalid(
                why="that is no dump in pg_dump's own form (--format=custom)"
            )
        with self._role(LOADER, "NOBYPASSRLS"):
            with self._open(database) as inside:
                accounts.grant(inside, LOADER, database)
            words = ("--no-owner", "--no-privileges", *REFUSED, "--exit-on-error")
            yield (self._stage("pg_restore", LOADER, database, *words),)

    def forget(self, database: str | None = None) -> None:
        """Both roles are gone; what the second made is the heir's."""
        departures.remove(self._open, DUMPER if database is None else LOADER)

    def _stage(self, program: str, role: str, database: str, *words: str) -> Stage:
        argv = (
            f"{programs(self._host)}/{program}",
            "--no-password",
            *words,
            f"--host={self._places.runtime}",
            f"--port={self._port}",
            f"--username={role}",
            # a name may look like a connection string
            f"--dbname={conninfo.make_conninfo(dbname=database)}",
        )
        return Stage(argv, user=DATASTORE.user)

    @contextlib.contextmanager
    def _role(self, name: str, policies: typing.LiteralString) -> typing.Iterator[None]:
        """One that is there as long as the block; one of before is gone: its process
        died."""
        departures.remove(self._open, name)
        try:
            with self._open("postgres") as conversation:
                made = fill("CREATE ROLE {role} LOGIN ", role=Identifier(name))
                conversation.rows(made + SQL(policies), WITHIN)
            yield
        finally:
            departures.remove(self._open, name)

    @contextlib.contextmanager
    def _open(self, database: str) -> typing.Iterator[Talk]:
        """A full disk makes the server read-only for tenants, not for this."""
        with talk(self._places.runtime, self._port, database) as conversation:
            conversation.rows("SET default_transaction_read_only = off", WITHIN)
            yield conversation
