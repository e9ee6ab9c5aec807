# SPDX-License-Identifier: Apache-2.0
"""Databases of PostgreSQL in pg_dump's own form, which pg_restore reads.

It comes in by the socket as a role that is made for it, enters that database alone and
reads all of it: no code of a tenant's runs as the superuser, whatever pg_dump calls.
"""

import contextlib
import typing

from psycopg import conninfo
from psycopg.sql import Identifier, Literal

from trove import errors
from trove.datastores.places import Places
from trove.datastores.postgresql.agent import accounts
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.agent.sql import Talk, fill, talk
from trove.datastores.postgresql.spec import DATASTORE, DUMPER
from trove.datastores.protocol import Host, Stage

WITHIN = 60.0
MADE: tuple[typing.LiteralString, ...] = (
    # rows of tables with policies are read as well, or pg_dump refuses
    "CREATE ROLE {role} LOGIN BYPASSRLS",
    "ALTER ROLE {role} SET lo_compat_privileges = on",
    "GRANT pg_read_all_data TO {role}",
    "GRANT CONNECT ON DATABASE {database} TO {role}",
)

MAY: typing.LiteralString = """\
SELECT d.datname FROM pg_database d, aclexplode(d.datacl) a, pg_roles r
WHERE r.oid = a.grantee AND r.rolname = {role}"""
"""The databases that it may enter: one, that it was made for."""
REVOKE: typing.LiteralString = "REVOKE ALL ON DATABASE {database} FROM {role}"


class Tool:
    """``dumping.Dumps`` of one server."""

    def __init__(self, host: Host, places: Places, port: int) -> None:
        self._host, self._places, self._port = host, places, port

    @contextlib.contextmanager
    def saying(self, database: str) -> typing.Iterator[tuple[Stage, ...]]:
        """The role is there as long as the block."""
        with self._open() as conversation:
            if not accounts.has_database(conversation, database):
                raise errors.DatabaseNotFound(database=database)
            self._leave(conversation)
            names = {"role": Identifier(DUMPER), "database": Identifier(database)}
            for statement in MADE:
                conversation.rows(fill(statement, **names), WITHIN)
        try:
            yield (self._stage(database),)
        finally:
            with self._open() as conversation:
                self._leave(conversation)

    def _stage(self, database: str) -> Stage:
        argv = (
            f"{programs(self._host)}/pg_dump",
            "--no-password",
            "--format=custom",
            "--compress=1",
            f"--host={self._places.runtime}",
            f"--port={self._port}",
            f"--username={DUMPER}",
            # a name may look like a connection string
            f"--dbname={conninfo.make_conninfo(dbname=database)}",
        )
        return Stage(argv, user=DATASTORE.user)

    def _leave(self, conversation: Talk) -> None:
        """Nobody comes by it, and it has nothing: its one right goes before it."""
        if not accounts.exists(conversation, "pg_roles", "rolname", DUMPER):
            return
        role = Identifier(DUMPER)
        for (name,) in conversation.rows(fill(MAY, role=Literal(DUMPER)), WITHIN):
            revoked = fill(REVOKE, database=Identifier(str(name)), role=role)
            conversation.rows(revoked, WITHIN)
        conversation.rows(fill("DROP ROLE {role}", role=role), WITHIN)

    @contextlib.contextmanager
    def _open(self) -> typing.Iterator[Talk]:
        """A full disk makes the server read-only for tenants, not for this."""
        with talk(self._places.runtime, self._port) as conversation:
            conversation.rows("SET default_transaction_read_only = off", WITHIN)
            yield conversation
