# SPDX-License-Identifier: Apache-2.0
"""A conversation with PostgreSQL over its socket; psycopg does all quoting."""

import contextlib
import os
import re
import socket
import typing

import psycopg
from psycopg import sql

from trove import errors
from trove.datastores.deadline import cut_after
from trove.datastores.unit import scrub

AT_ONCE = 2
"""Seconds for a log-in, where an engine that takes longer is one that does not answer;
libpq takes no fewer."""
IN_TIME = 10
"""Seconds for a log-in, where something is to be done: a busy server needs more."""
# Nothing that a tenant made may be found by an unqualified name, and a configuration
# group's bounds are for tenants.
OPTIONS = (
    "-c search_path=pg_catalog -c client_min_messages=error -c lock_timeout=20s "
    "-c statement_timeout=0 -c idle_session_timeout=0 "
    "-c idle_in_transaction_session_timeout=0 "
    "-c default_transaction_isolation=read\\ committed "
    # what the agent does is nobody's to read, and not a tenant's work
    "-c log_statement=none -c log_min_duration_statement=-1 "
    "-c log_min_error_statement=panic -c log_duration=off "
    "-c log_min_duration_sample=-1 -c log_transaction_sample_rate=0"
)

# A failed log-in carries no code, only what the server said; it says it in English, for
# we set lc_messages.
NO_CONNECTION_FREE = re.compile(
    "too many clients|too many connections|connection slots are reserved"
)
INVALID = ("22", "3D000", "42704", "42809", "0A000")
"""SQLSTATEs, or their classes, that mean: the order cannot be met."""

Statement = str | sql.Composed | sql.SQL


class Talk:
    """One connection as the superuser; the server asks the kernel who we are."""

    def __init__(
        self,
        directory: str,
        port: int,
        database: str = "postgres",
        within: int = AT_ONCE,
    ) -> None:
        self._connection = psycopg.connect(
            host=directory,
            port=port,
            user="postgres",
            dbname=database,
            connect_timeout=within,
            options=OPTIONS,
            client_encoding="UTF8",
            sslmode="disable",
            autocommit=True,
        )
        self._socket = socket.socket(fileno=os.dup(self._connection.fileno()))

    def rows(self, statement: Statement, within: float) -> list[tuple[typing.Any, ...]]:
        """Runs one statement and takes its rows, if it has any."""
        text: typing.Any = statement
        with cut_after(within, self._socket):
            cursor = self._connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def verifier(self, user: str, password: str) -> str:
        """What the server keeps of a password, made here: it never sees the text."""
        made = self._connection.pgconn.encrypt_password(
            password.encode(), user.encode(), b"scram-sha-256"
        )
        return made.decode()

    def close(self) -> None:
        """Ends it, without waiting for anyone."""
        self._connection.close()
        self._socket.close()


@contextlib.contextmanager
def talk(
    directory: str, port: int, database: str = "postgres"
) -> typing.Iterator[Talk]:
    """A connection for a few statements; an engine's refusal becomes our error."""
    try:
        with contextlib.closing(Talk(directory, port, database, IN_TIME)) as opened:
            yield opened
    except psycopg.Error as failed:
        raise error(failed) from failed


def error(failed: psycopg.Error) -> errors.TroveError:
    """What the engine refused, as an error of ours."""
    why = scrub(failed.diag.message_primary or str(failed))
    if (failed.sqlstate or "").startswith(INVALID):
        return errors.Invalid(why=why)
    return errors.EngineFailed(why=why)


def fill(template: typing.LiteralString, **parts: sql.Composable) -> sql.Composed:
    """A statement with quoted parts."""
    return sql.SQL(template).format(**parts)
