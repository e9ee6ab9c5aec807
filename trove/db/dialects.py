# SPDX-License-Identifier: Apache-2.0
"""What differs between SQLite, MariaDB and PostgreSQL: connecting, and their errors.

oslo.db reads the errors (ADR 15); here is what it leaves unread.
"""

import contextlib
import importlib
import os
import time
import typing
from collections.abc import Callable

import sqlalchemy as sa
from oslo_db import exception as oslo
from oslo_db.sqlalchemy import exc_filters
from pymysql.constants import SERVER_STATUS
from sqlalchemy import orm

BUSY_TIMEOUT = 20
"""Seconds that SQLite waits for another writer, unless the bound given is shorter."""

FRESH = 1.0
"""Seconds for which a connection that has just answered is believed to be there."""

DRIVERS = {
    # one dialect for both: oslo.db knows the errors of "mysql" alone
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}

Failed = (sa.exc.DBAPIError, oslo.DBError)
"""What a statement or a COMMIT that failed raises."""

Trouble = (sa.exc.SQLAlchemyError, oslo.DBError)
"""All that the database, or the way to it, may raise: to say so, not to decide."""

Violated = (
    sa.exc.IntegrityError,
    oslo.DBDuplicateEntry,
    oslo.DBReferenceError,
    oslo.DBConstraintError,
)
"""A constraint refused it; another's row may have come between our look and ours."""

# Only what oslo.db does not read (the tables of ADR 15).
# Too many connections: nothing was begun.
MARIADB_LOST = frozenset({1040})
# The server going down, and a packet that was cut off.
MARIADB_GONE = frozenset({1053, 2055})
# Serialisation failure, lock_timeout, too many connections; and a deadlock, which
# oslo.db knows by its English words only.
POSTGRESQL_LOST = frozenset({"40001", "40P01", "55P03", "53300"})
# The server going down, coming up, or tired of waiting for the rest of a transaction.
POSTGRESQL_GONE = frozenset({"57P01", "57P02", "57P03", "25P03"})
LOST = MARIADB_LOST | MARIADB_GONE | POSTGRESQL_LOST | POSTGRESQL_GONE
# 1180: an error during COMMIT that the server itself cannot place.
UNDECIDED = MARIADB_GONE | POSTGRESQL_GONE | {1180}


def engine(
    url: str,
    pool: dict[str, typing.Any],
    *,
    timeout: float,
    echo: bool,
    clock: Callable[[], float] | None,
) -> sa.Engine:
    """An engine for ``url`` whose connections are set up for that kind of database."""
    parsed = sa.make_url(url)
    parsed = parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))
    made = _made(parsed, timeout=timeout, pool=pool, echo=echo, clock=clock)
    exc_filters.register_engine(made)
    return made


def _made(
    url: sa.URL,
    *,
    timeout: float,
    pool: dict[str, typing.Any],
    echo: bool,
    clock: Callable[[], float] | None,
) -> sa.Engine:
    name = url.get_backend_name()
    # hide_parameters: an error's text may reach a log, and parameters may be secrets
    options: dict[str, typing.Any] = {"echo": echo, "hide_parameters": True, **pool}
    if name == "sqlite":
        return _sqlite(url, options, timeout, clock or time.time)
    if clock is not None:
        raise ValueError("only SQLite's clock can be replaced")
    options |= {"isolation_level": "READ COMMITTED", "pool_use_lifo": True}
    if name == "postgresql":
        return _alive(_postgresql(url, options, timeout))
    if name == "mysql":
        return _alive(_mariadb(url, options, timeout))
    raise ValueError(f"no such database is supported: {name}")


def reading(engine: sa.Engine) -> sa.Engine:
    """The same engine (one pool), whose transactions are for reading."""
    return engine.execution_options(trove_reading=True, **_read_only(engine))


def snapshot(engine: sa.Engine) -> sa.Engine:
    """The same, and one transaction sees one moment (SQLite's always do)."""
    if engine.dialect.name == "sqlite":
        return reading(engine)
    return reading(engine).execution_options(isolation_level="REPEATABLE READ")


def _read_only(engine: sa.Engine) -> dict[str, typing.Any]:
    return {"postgresql_readonly": True} if engine.dialect.name == "postgresql" else {}


def lost(error: Exception) -> bool:
    """Whether the database dropped the transaction: the whole may be tried again."""
    if isinstance(error, oslo.DBDeadlock | oslo.DBConnectionError):
        return True
    cause = _raised(error)
    if cause is None:
        return False
    return cause.connection_invalidated or _code(cause) in LOST | {"locked", "gone"}


def undecided(error: Exception) -> bool:
    """Whether an error *of COMMIT* leaves open if it happened.

    A server that answered with a roll-back or a violated constraint has decided;
    silence, a shutdown or a node thrown out of its cluster has not.
    """
    if isinstance(error, oslo.DBConnectionError):
        return True
    cause = _raised(error)
    if cause is None or isinstance(error, (*Violated, oslo.DBDeadlock)):
        return False
    code = _code(cause)
    if cause.connection_invalidated or code in UNDECIDED | {"gone"}:
        return True
    return isinstance(code, str) and code.startswith("08")


def matched(result: typing.Any) -> int:
    """How many rows an UPDATE matched (on MariaDB too, changed or not)."""
    return int(typing.cast("sa.CursorResult[typing.Any]", result).rowcount)


def insert_missing(tx: orm.Session, table: type[typing.Any], **values: object) -> None:
    """Inserts a row unless there is one with that key.

    Never an INSERT whose failure is caught: on MariaDB a duplicate key leaves a shared
    lock behind, and two such transactions deadlock at their next update. (Who must know
    which it was updates the row next, with a condition.)
    """
    name = tx.get_bind().dialect.name
    # only this database's own: each dialect is a megabyte, and time at the start
    dialect = importlib.import_module(f"sqlalchemy.dialects.{name}")
    insert = dialect.insert(table).values(**values)
    if name == "mysql":
        key = sa.inspect(table).primary_key[0]
        tx.execute(insert.on_duplicate_key_update({key.name: key}))
    else:
        tx.execute(insert.on_conflict_do_nothing())


def _raised(error: BaseException | None) -> sa.exc.DBAPIError | None:
    """SQLAlchemy's own error, in oslo.db's or by itself."""
    if isinstance(error, oslo.DBError):
        error = error.inner_exception
    return error if isinstance(error, sa.exc.DBAPIError) else None


def _code(error: sa.exc.DBAPIError) -> int | str | None:
    """MariaDB's number, PostgreSQL's SQLSTATE, or "locked" or "gone" in plain."""
    cause = error.orig
    if cause is None:
        return None
    if type(cause).__module__.startswith("psycopg"):
        if (state := getattr(cause, "sqlstate", None)) is not None:
            return str(state)
        # psycopg has no SQLSTATE for what libpq says without a server
        return "gone" if isinstance(error, sa.exc.OperationalError) else None
    # PyMySQL has an SQLSTATE too, since 1.2: HY000 for a lock's timeout and much else
    first = cause.args[0] if cause.args else None
    if isinstance(first, int):
        return first
    return "locked" if " is locked" in str(first) else None


def _sqlite(
    url: sa.URL,
    options: dict[str, typing.Any],
    timeout: float,
    clock: Callable[[], float],
) -> sa.Engine:
    arguments: dict[str, typing.Any] = {"check_same_thread": False}
    if url.database in (None, "", ":memory:"):
        # there is one such database per connection: have one, let others wait for it
        options |= {"pool_size": 1, "max_overflow": 0, "pool_recycle": -1}
    options["poolclass"] = sa.QueuePool
    made = sa.create_engine(url, connect_args=arguments, **options)
    busy = int(1000 * min(timeout or BUSY_TIMEOUT, BUSY_TIMEOUT))

    @sa.event.listens_for(made, "do_connect")
    def own_file(dialect: object, record: object, args: list[str], kw: object) -> None:
        # it holds sealed passwords; journal and shared memory inherit the mode
        path = args[0] if args else ""
        if path and path != ":memory:" and not path.startswith("file:"):
            # Only ever make it: closing a descriptor of a file that is in use would
            # drop this process's POSIX locks on it, and another process, closing, would
            # then delete the write-ahead log under us.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @sa.event.listens_for(made, "connect")
    def prepare(connection: typing.Any, record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.create_function("trove_now", 0, clock)
        for pragma in (
            f"busy_timeout = {busy}",
            "journal_mode = WAL",
            "synchronous = FULL",  # an accepted request survives a power cut
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(made, "begin")
    def begin(connection: sa.Connection) -> None:
        only_reads = connection.get_execution_options().get("trove_reading")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return made


def _alive(engine: sa.Engine) -> sa.Engine:
    """Connections that have rested are asked if they are there before they are used.

    ``pool_pre_ping`` would ask each time: a round trip more for every transaction.
    """

    @sa.event.listens_for(engine, "checkin")
    def rests(connection: object, record: typing.Any) -> None:
        record.info["rests"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def asked(connection: typing.Any, record: typing.Any, proxy: object) -> None:
        if time.monotonic() - record.info.get("rests", time.monotonic()) < FRESH:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # the server was away: the others are as old
            raise sa.exc.InvalidatePoolError("it is gone") from error

    return engine


def _idle(timeout: float) -> float:
    """Seconds that a transaction may rest: ours do nothing but SQL.

    A process that was stopped in the middle of one would keep its locks, a quota's row
    perhaps, for as long as it sleeps. Shorter than anybody waits for a lock.
    """
    return max(1.0, timeout / 6)


def _mariadb(url: sa.URL, options: dict[str, typing.Any], timeout: float) -> sa.Engine:
    arguments: dict[str, typing.Any] = {"connect_timeout": 10, "charset": "utf8mb4"}
    settings = ["sql_mode = 'TRADITIONAL'", "time_zone = '+00:00'"]
    if timeout:
        arguments |= {"read_timeout": timeout, "write_timeout": timeout}
        settings.append(f"innodb_lock_wait_timeout = {max(1, int(timeout / 2))}")
    if _is_here(url) and not any(name.startswith("ssl") for name in url.query):
        # PyMySQL would try TLS, and read all the system's authorities for it.
        arguments["ssl_disabled"] = True
    options["pool_reset_on_return"] = None  # but by ``tidy``
    made = sa.create_engine(url, connect_args=arguments, **options)

    @sa.event.listens_for(made, "connect")
    def prepare(connection: typing.Any, record: object) -> None:
        own = list(settings)
        if timeout and "MariaDB" in connection.get_server_info():
            own.append(f"idle_write_transaction_timeout = {int(_idle(timeout))}")
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION " + ", ".join(own))

    @sa.event.listens_for(made, "reset")
    def tidy(connection: typing.Any, record: object, state: object) -> None:
        # after a COMMIT there is nothing to roll back, and the server has said so
        if connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            connection.rollback()

    return made


def _is_here(url: sa.URL) -> bool:
    """Whether a server is this machine's own."""
    return url.host in ("localhost", "127.0.0.1", "::1")


def _postgresql(
    url: sa.URL, options: dict[str, typing.Any], timeout: float
) -> sa.Engine:
    arguments: dict[str, typing.Any] = {"connect_timeout": 10}
    if timeout:
        limits = {
            "statement_timeout": timeout,
            "lock_timeout": timeout / 2,
            "idle_in_transaction_session_timeout": _idle(timeout),
        }
        arguments["options"] = " ".join(
            f"-c {name}={int(1000 * seconds)}" for name, seconds in limits.items()
        )
    return sa.create_engine(url, connect_args=arguments, **options)
