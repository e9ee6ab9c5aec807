# SPDX-License-Identifier: Apache-2.0
"""Whether MariaDB really serves: it answers, and it takes a write, in bounded time.

Each look opens a new connection (does it still accept any?), writes through it, and
keeps it until the next look: when all connections are taken, also the one that an
administrator has in reserve, the kept one still tells the truth.
"""

import time

import pymysql

from trove.datastores.mariadb.agent.sql import TOO_MANY_CONNECTIONS, Talk, code
from trove.datastores.protocol import Health
from trove.datastores.unit import Unit, scrub
from trove.model.states import Service

BUDGET = 2.7
"""Seconds for everything."""
ANSWER_TIMEOUT = 1.0

LOOK = "SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_binlog_pos, @@GLOBAL.version"
# The probe is nobody's data: it must not travel to replicas or fill the binary log.
UNLOGGED = "SET SESSION sql_log_bin = 0"
WRITE = (
    "SET STATEMENT max_statement_time = 2, innodb_lock_wait_timeout = 1 "
    "FOR UPDATE trove_internal.beat SET n = n + 1 WHERE id = 1"
)


class Pulse:
    """Takes the health of the server behind one socket."""

    def __init__(self, path: str, unit: Unit) -> None:
        self._path = path
        self._unit = unit
        self._kept: Talk | None = None

    def forget(self) -> None:
        """Drops the kept connection, so that a stopping server need not."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def take(self) -> Health:
        """Looks once; never raises for a sick engine."""
        end = time.monotonic() + BUDGET
        note = ""
        try:
            fresh = Talk(self._path, ANSWER_TIMEOUT)
        except pymysql.MySQLError as failed:
            if code(failed) != TOO_MANY_CONNECTIONS:
                self.forget()
                return self._unit.silent("the database does not answer")
            note = "all connections are in use"
        except OSError:
            self.forget()
            return self._unit.silent("the database does not answer")
        else:
            self.forget()
            self._kept = fresh
        if self._kept is None:
            return Health(state=Service.RUNNING, why=note)
        return self._look(self._kept, end, note)

    def _look(self, conversation: Talk, end: float, note: str) -> Health:
        try:
            ((read_only, position, version),) = conversation.rows(
                LOOK, end - time.monotonic()
            )
            replicating = conversation.rows(
                "SHOW ALL SLAVES STATUS", end - time.monotonic()
            )
            try:
                conversation.rows(UNLOGGED, end - time.monotonic())
                conversation.rows(WRITE, end - time.monotonic())
                state, why = Service.HEALTHY, note
            except (pymysql.MySQLError, OSError) as failed:
                state, why = Service.RUNNING, f"a write failed: {scrub(str(failed))}"
        except (pymysql.MySQLError, OSError):
            self.forget()
            return self._unit.silent("the database does not answer in time")
        if read_only:
            state, why = Service.READ_ONLY, why or "the database is read-only"
        return Health(
            state=state,
            why=why,
            role="replica" if replicating else "source",
            position=position or None,
            version=str(version).partition("-")[0],
        )
