# SPDX-License-Identifier: Apache-2.0
"""How PostgreSQL is looked at, and what is written to see whether it takes a write."""

import psycopg

from trove.datastores.postgresql.agent.sql import NO_CONNECTION_FREE, Talk
from trove.datastores.protocol import Health
from trove.datastores.pulse import Left
from trove.model.states import Service

LOOK = """\
SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool,
CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
ELSE pg_current_wal_lsn() END::text, current_setting('server_version')"""
WRITE = """\
BEGIN READ WRITE; SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '1s';
UPDATE trove_internal.beat SET n = n + 1 WHERE id = 1; COMMIT"""


class Probe:
    """The server behind one socket."""

    failures = (psycopg.Error,)

    def __init__(self, directory: str, port: int) -> None:
        self._directory = directory
        self._port = port

    def connect(self) -> Talk:
        """A new connection, if it takes one in time."""
        return Talk(self._directory, self._port)

    def crowded(self, failed: Exception) -> bool:
        """Whether all connections are in use, also those in reserve."""
        return bool(NO_CONNECTION_FREE.search(str(failed)))

    def look(self, talk: Talk, left: Left) -> Health:
        """Who it is."""
        ((replica, read_only, position, version),) = talk.rows(LOOK, left())
        return Health(
            state=Service.READ_ONLY if read_only else Service.HEALTHY,
            role="replica" if replica else "source",
            position=position,
            version=str(version).partition(" ")[0],
        )

    def write(self, talk: Talk, found: Health, left: Left) -> None:
        """Also where transactions are read-only, but never in recovery."""
        if found.role != "replica":
            talk.rows(WRITE, left())
