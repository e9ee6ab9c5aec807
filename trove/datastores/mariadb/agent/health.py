# SPDX-License-Identifier: Apache-2.0
"""How MariaDB is looked at, and what is written to see whether it takes a write."""

import pymysql

from trove.datastores.mariadb.agent.sql import TOO_MANY_CONNECTIONS, Talk, code
from trove.datastores.protocol import Health
from trove.datastores.pulse import Left
from trove.model.states import Service

ANSWER_TIMEOUT = 1.0

LOOK = "SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_binlog_pos, @@GLOBAL.version"
# The probe is nobody's data: it must not travel to replicas or fill the binary log.
UNLOGGED = "SET SESSION sql_log_bin = 0"
WRITE = (
    "SET STATEMENT max_statement_time = 2, innodb_lock_wait_timeout = 1 "
    "FOR UPDATE trove_internal.beat SET n = n + 1 WHERE id = 1"
)


class Probe:
    """The server behind one socket."""

    failures = (pymysql.MySQLError, OSError)

    def __init__(self, path: str) -> None:
        self._path = path

    def connect(self) -> Talk:
        """A new connection, if it takes one in time."""
        return Talk(self._path, ANSWER_TIMEOUT)

    def crowded(self, failed: Exception) -> bool:
        """Whether all connections are in use, also the administrator's."""
        full = TOO_MANY_CONNECTIONS
        return isinstance(failed, pymysql.MySQLError) and code(failed) == full

    def look(self, talk: Talk, left: Left) -> Health:
        """Who it is."""
        ((read_only, position, version),) = talk.rows(LOOK, left())
        replicating = talk.rows("SHOW ALL SLAVES STATUS", left())
        return Health(
            state=Service.READ_ONLY if read_only else Service.HEALTHY,
            role="replica" if replicating else "source",
            position=position or None,
            version=str(version).partition("-")[0],
        )

    def write(self, talk: Talk, found: Health, left: Left) -> None:
        """The administrator may write whatever the server is."""
        talk.rows(UNLOGGED, left())
        talk.rows(WRITE, left())
