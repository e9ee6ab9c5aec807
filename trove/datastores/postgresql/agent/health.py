# SPDX-License-Identifier: Apache-2.0
"""Whether PostgreSQL really serves: it lets us in, and takes a write, in bounded time.

Each look opens a new connection (does it still accept any?), writes through it, and
keeps it until the next look: when all connections are taken, also those in reserve, the
kept one still tells the truth.
"""

import time

import psycopg

from trove.datastores.postgresql.agent.sql import NO_CONNECTION_FREE, Talk
from trove.datastores.protocol import Health
from trove.datastores.unit import Unit, scrub
from trove.model.states import Service

BUDGET = 2.7
"""Seconds for everything."""

LOOK = """\
SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool,
CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
ELSE pg_current_wal_lsn() END::text, current_setting('server_version')"""
WRITE = """\
BEGIN READ WRITE; SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '1s';
UPDATE trove_internal.beat SET n = n + 1 WHERE id = 1; COMMIT"""


class Pulse:
    """Takes the health of the server behind one socket."""

    def __init__(self, directory: str, port: int, unit: Unit) -> None:
        self._directory = directory
        self._port = port
        self._unit = unit
        self._kept: Talk | None = None

    def forget(self) -> None:
        """Drops the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def take(self) -> Health:
        """Looks once; never raises for a sick engine."""
        end = time.monotonic() + BUDGET
        note = ""
        try:
            fresh = Talk(self._directory, self._port)
        except psycopg.Error as failed:
            if not NO_CONNECTION_FREE.search(str(failed)):
                self.forget()
                return self._unit.silent("the database does not answer")
            note = "all connections are in use"
        else:
            self.forget()
            self._kept = fresh
        if self._kept is None:
            return Health(state=Service.RUNNING, why=note)
        return self._look(self._kept, end, note)

    def _look(self, talk: Talk, end: float, note: str) -> Health:
        try:
            ((replica, read_only, position, version),) = talk.rows(
                LOOK, end - time.monotonic()
            )
        except psycopg.Error:
            self.forget()
            return self._unit.silent("the database does not answer in time")
        state, why = Service.HEALTHY, note
        if not replica:
            try:
                talk.rows(WRITE, end - time.monotonic())
            except psycopg.Error as failed:
                # It may hold half a transaction.
                self.forget()
                state, why = Service.RUNNING, f"a write failed: {scrub(str(failed))}"
        if read_only:
            state, why = Service.READ_ONLY, why or "the database is read-only"
        return Health(
            state=state,
            why=why,
            role="replica" if replica else "source",
            position=position,
            version=str(version).partition(" ")[0],
        )
