# SPDX-License-Identifier: Apache-2.0
"""A conversation over the engine's socket, and the quoting of what is said."""

import contextlib
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

TOO_MANY_CONNECTIONS = 1040
UNPARSED = 1064
NO_SUCH_SESSION = 1094
UNKNOWN_CHARACTER_SET, COLLATION_MISMATCH, UNKNOWN_COLLATION = 1115, 1253, 1273
INVALID = (UNKNOWN_CHARACTER_SET, COLLATION_MISMATCH, UNKNOWN_COLLATION)


class Talk:
    """One connection as root, by the socket: the engine asks the kernel who we are."""

    unbound: typing.ClassVar[str]
    """A group's bounds are for tenants. What the agent does has its own, and is in no
    log: the statement that has it so."""
    bounds: typing.ClassVar[str]
    """What has the server end a statement of the session's, whoever listens, after so
    many seconds, ``{0}``, which are ``{1}`` milliseconds."""

    def __init__(self, path: str, within: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(min(CONNECT_TIMEOUT, within))
            self._socket.connect(path)
            self._connection: Connection[Cursor] = pymysql.connect(
                user="root",
                charset="utf8mb4",
                sql_mode=SQL_MODE,
                init_command=self.unbound,
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

    def row(self, statement: str, within: float) -> dict[str, typing.Any]:
        """Its first row, by the names of its columns; nothing where there is none."""
        with cut_after(within, self._socket), self._connection.cursor() as cursor:
            cursor.execute(statement)
            names = [each[0] for each in cursor.description or ()]
            return dict(zip(names, cursor.fetchone() or (), strict=False))

    def close(self) -> None:
        """Ends it, without waiting for anyone."""
        with contextlib.suppress(pymysql.MySQLError, OSError):
            self._connection.close()
        self._socket.close()


Kind = typing.TypeVar("Kind", bound=Talk)


@contextlib.contextmanager
def opened(kind: type[Kind], path: str, within: float) -> typing.Iterator[Kind]:
    """A connection for a few statements; an engine's refusal becomes our error."""
    try:
        with contextlib.closing(kind(path, within)) as talk:
            yield talk
    except pymysql.MySQLError as failed:
        raise error(failed) from failed
    except OSError as failed:
        raise errors.EngineFailed(why=f"its socket does not answer: {failed}") from (
            failed
        )


def code(failed: BaseException) -> int:
    """The engine's number of an error; 0 when it has none."""
    number = failed.args[0] if failed.args else 0
    return number if isinstance(number, int) else 0


def error(failed: pymysql.MySQLError) -> errors.TroveError:
    """What the engine refused, as an error of ours."""
    if code(failed) == UNPARSED:
        # It repeats the statement, which may have a password in it.
        return errors.EngineFailed(why="it does not know a statement of the agent's")
    why = scrub(str(failed.args[1] if len(failed.args) > 1 else failed))
    if code(failed) in INVALID:
        return errors.Invalid(why=why)
    return errors.EngineFailed(why=why)


def crowded(failed: Exception) -> bool:
    """Whether all connections are in use, also the administrator's."""
    full = TOO_MANY_CONNECTIONS
    return isinstance(failed, pymysql.MySQLError) and code(failed) == full


def literal(text: str) -> str:
    """A string literal; right in ``SQL_MODE`` and on a utf8mb4 connection only."""
    return "'" + pymysql.converters.escape_string(text) + "'"


def identifier(name: str) -> str:
    """A quoted name."""
    return "`" + name.replace("`", "``") + "`"


def escaped(name: str) -> str:
    """A name where the engine reads a pattern (``a_b`` is not ``aXb``)."""
    return re.sub(r"([\\_%])", r"\\\1", name)


def unescaped(text: str) -> str:
    """The name that such a pattern means."""
    return re.sub(r"\\([\\_%])", r"\1", text)


def pattern(name: str) -> str:
    """The same, quoted."""
    return identifier(escaped(name))
