# SPDX-License-Identifier: Apache-2.0
"""A conversation with MariaDB over its socket, and the quoting of what is said."""

import contextlib
import hashlib
import re
import socket
import typing

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from trove import errors
from trove.datastores.deadline import cut_after
from trove.datastores.unit import scrub

CONNECT_TIMEOUT = 1.0
# Quoting below is right in this mode; a configuration group may have set another.
SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
# A group's bounds are for tenants. What the agent does has its own.
UNBOUND = (
    "SET SESSION max_statement_time = 0, wait_timeout = 3600, lock_wait_timeout = 5, "
    "innodb_lock_wait_timeout = 5, idle_transaction_timeout = 0, "
    "idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0, "
    "tx_isolation = 'REPEATABLE-READ', "
    # what the agent does is nobody's to read, and not a tenant's work
    "sql_log_off = ON, slow_query_log = OFF"
)

TOO_MANY_CONNECTIONS = 1040
UNKNOWN_CHARACTER_SET, COLLATION_MISMATCH, UNKNOWN_COLLATION = 1115, 1253, 1273
INVALID = (UNKNOWN_CHARACTER_SET, COLLATION_MISMATCH, UNKNOWN_COLLATION)


class Talk:
    """One connection as root, by the socket: the engine asks the kernel who we are."""

    def __init__(self, path: str, within: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(min(CONNECT_TIMEOUT, within))
            self._socket.connect(path)
            self._connection: Connection[Cursor] = pymysql.connect(
                user="root",
                charset="utf8mb4",
                sql_mode=SQL_MODE,
                init_command=UNBOUND,
                autocommit=True,
                defer_connect=True,
                # The kernel keeps a socket's words; and a context of TLS reads all the
                # authorities of the system, 30 ms of processor for each connection.
                ssl_disabled=True,
            )
            with cut_after(within, self._socket):
                self._connection.connect(self._socket)
        except BaseException:
            self._socket.close()
            raise

    def rows(self, statement: str, within: float) -> list[tuple[typing.Any, ...]]:
        """Runs one statement, already quoted, and takes its rows."""
        with cut_after(within, self._socket), self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def close(self) -> None:
        """Ends it, without waiting for anyone."""
        with contextlib.suppress(pymysql.MySQLError, OSError):
            self._connection.close()
        self._socket.close()


@contextlib.contextmanager
def talk(path: str, within: float = 10.0) -> typing.Iterator[Talk]:
    """A connection for a few statements; an engine's refusal becomes our error."""
    try:
        with contextlib.closing(Talk(path, within)) as opened:
            yield opened
    except pymysql.MySQLError as failed:
        raise error(failed) from failed
    except OSError as failed:
        raise errors.EngineFailed(why=f"its socket does not answer: {failed}") from (
            failed
        )


def code(failed: pymysql.MySQLError) -> int:
    """The engine's number of an error; 0 when it has none."""
    number = failed.args[0] if failed.args else 0
    return number if isinstance(number, int) else 0


def error(failed: pymysql.MySQLError) -> errors.TroveError:
    """What the engine refused, as an error of ours."""
    why = scrub(str(failed.args[1] if len(failed.args) > 1 else failed))
    if code(failed) in INVALID:
        return errors.Invalid(why=why)
    return errors.EngineFailed(why=why)


def literal(text: str) -> str:
    """A string literal; right in ``SQL_MODE`` and on a utf8mb4 connection only."""
    return "'" + pymysql.converters.escape_string(text) + "'"


def identifier(name: str) -> str:
    """A quoted name."""
    return "`" + name.replace("`", "``") + "`"


def pattern(name: str) -> str:
    """A quoted name where the engine reads a pattern (``a_b`` is not ``aXb``)."""
    return identifier(re.sub(r"([\\_%])", r"\\\1", name))


def native_hash(password: str) -> str:
    """What the server keeps of a password, made here so that it never sees the text."""
    # The engine's own format; every client can log in with it.
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    outer = hashlib.sha1(inner, usedforsecurity=False)
    return "*" + outer.hexdigest().upper()
