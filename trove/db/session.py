# SPDX-License-Identifier: Apache-2.0
"""Database: the engine, transactions, what is tried again, and the database's clock.

Every transaction is READ COMMITTED on a server and serial on SQLite, where a writing
one takes the lock when it begins (``BEGIN IMMEDIATE``): one that reads first and writes
later could otherwise only fail. Rows stay usable after their transaction, and nothing
is ever loaded lazily, for no table has a relationship.
"""

import contextlib
import random
import time
import typing
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import compiler, functions

from trove import errors
from trove.db import dialects

T = typing.TypeVar("T")

BACKOFF = 0.05
LONGEST_BACKOFF = 2.0


class DatabaseUnavailable(errors.Unavailable):
    """The control database could not carry a transaction out; nothing was changed."""

    sentence = "The control database does not answer at the moment; try again later."


class CommitUnknown(errors.Unavailable):
    """The connection was lost while committing: it may or may not have happened.

    Never simply try again: read back, by the fence or id that the transaction wrote.
    """

    sentence = "The connection to the control database was lost while committing."


class EpochNow(functions.FunctionElement[float]):
    """See ``epoch_now``."""

    type = sa.Double()
    name = "epoch_now"
    inherit_cache = True


@compiles(EpochNow)
def _no_clock(element: EpochNow, compiler: compiler.SQLCompiler, **how: object) -> str:
    raise NotImplementedError(f"no clock for {compiler.dialect.name}")


@compiles(EpochNow, "sqlite")
def _sqlite(element: EpochNow, compiler: compiler.SQLCompiler, **how: object) -> str:
    return "trove_now()"


@compiles(EpochNow, "mysql")
@compiles(EpochNow, "mariadb")
def _mariadb(element: EpochNow, compiler: compiler.SQLCompiler, **how: object) -> str:
    # + 0e0: a double, not a DECIMAL. The session is in UTC (dialects), where no hour of
    # the year comes twice.
    return "(UNIX_TIMESTAMP(NOW(6)) + 0e0)"


@compiles(EpochNow, "postgresql")
def _postgresql(
    element: EpochNow, compiler: compiler.SQLCompiler, **how: object
) -> str:
    # now() would be the time at which the transaction began
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def epoch_now() -> sa.ColumnElement[float]:
    """The database's clock, in seconds since the epoch: the only clock of leases."""
    return EpochNow()


class AmongLiving(functions.FunctionElement[typing.Any]):
    """The order of rows whose ``deleted_at`` is NULL: that column, then the others.

    They all have the same, so its name changes nothing but the plan: PostgreSQL reads
    an index in its order only when the order names every column of it, and MariaDB only
    when it does not name one that is known to be NULL.
    """

    name = "among_living"
    inherit_cache = True


@compiles(AmongLiving)
def _by_the_rest(
    element: AmongLiving, compiler: compiler.SQLCompiler, **how: typing.Any
) -> str:
    rest = list(element.clauses)[1:]
    return ", ".join(compiler.process(column, **how) for column in rest)


@compiles(AmongLiving, "postgresql")
def _by_all(
    element: AmongLiving, compiler: compiler.SQLCompiler, **how: typing.Any
) -> str:
    return ", ".join(compiler.process(column, **how) for column in element.clauses)


def now(tx: orm.Session) -> float:
    """The database's clock, read."""
    return float(tx.execute(sa.select(epoch_now())).scalar_one())


class ReadingSession(orm.Session):
    """A session that refuses to write, so that a mistake shows on every database."""


@sa.event.listens_for(ReadingSession, "do_orm_execute")
def _refuse_statement(state: orm.ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        raise errors.Internal(why="a transaction opened for reading tried to write.")


@sa.event.listens_for(ReadingSession, "before_flush")
def _refuse_flush(session: orm.Session, *context: object) -> None:
    if session.new or session.dirty or session.deleted:
        raise errors.Internal(why="a transaction opened for reading tried to write.")


@contextlib.contextmanager
def _available() -> Iterator[None]:
    """What is read can be read again: only who asked knows when."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise DatabaseUnavailable() from error
    except dialects.Failed as error:
        if not dialects.lost(error):
            raise
        raise DatabaseUnavailable() from error


class Database:
    """The control database.

    ``clock`` replaces SQLite's clock, and ``sleep`` the waits between tries, in tests.
    ``timeout`` bounds a statement and a wait for a lock, in seconds; 0 means no bound
    (migrations).
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        max_overflow: int = 20,
        pool_timeout: float = 30,
        recycle: int = 1800,
        timeout: float = 60,
        echo: bool = False,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        pool = {
            "pool_size": pool_size,
            "max_overflow": max_overflow,
            "pool_timeout": pool_timeout,
            "pool_recycle": recycle,
        }
        self.engine = dialects.engine(
            url, pool, timeout=timeout, echo=echo, clock=clock
        )
        self._reading = dialects.reading(self.engine)
        self._snapshot = dialects.snapshot(self.engine)
        self._sleep = sleep

    def close(self) -> None:
        """Closes every pooled connection; they are made anew when needed."""
        self.engine.dispose()

    def forget(self) -> None:
        """To call in a child after fork: the parent's connections are not ours."""
        self.engine.dispose(close=False)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[orm.Session]:
        """One transaction: committed at the end, rolled back by any exception."""
        with orm.Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                session.flush()
            except BaseException:
                # on a broken connection there is nothing left to roll back, and the
                # first error is the one to hear of
                with contextlib.suppress(*dialects.Failed):
                    session.rollback()
                raise
            self._commit(session)

    @contextlib.contextmanager
    def reading(self) -> Iterator[orm.Session]:
        """A transaction that only reads; it never takes SQLite's write lock.

        Raises ``DatabaseUnavailable`` when the database dropped it.
        """
        with _available(), ReadingSession(self._reading, expire_on_commit=False) as tx:
            yield tx

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[orm.Session]:
        """Like ``reading``; all its statements see the same moment."""
        with _available(), ReadingSession(self._snapshot, expire_on_commit=False) as tx:
            yield tx

    def run(self, work: Callable[[orm.Session], T], attempts: int = 5) -> T:
        """``work`` in a transaction; the whole again when the database lost it.

        That is: on a deadlock, a lock's timeout, a serialisation or certification
        failure, "database is locked", or a connection lost before COMMIT; and once
        after a violated constraint, for another's insert may have come between our look
        and ours. ``work`` must do nothing but SQL. Raises ``DatabaseUnavailable`` when
        it never succeeded and ``CommitUnknown`` when nobody can tell.
        """
        raced = False
        last: Exception | None = None
        for attempt in range(attempts):
            if attempt:
                ceiling = min(LONGEST_BACKOFF, BACKOFF * 2**attempt)
                self._sleep(random.uniform(0, ceiling))  # noqa: S311 - no secret
            try:
                with self.transaction() as session:
                    return work(session)
            except sa.exc.TimeoutError as error:  # no free connection: it waited enough
                raise DatabaseUnavailable() from error
            except dialects.Violated as error:
                if raced:
                    raise
                raced, last = True, error
            except dialects.Failed as error:
                if not dialects.lost(error):
                    raise
                last = error
        raise DatabaseUnavailable() from last

    def _commit(self, session: orm.Session) -> None:
        try:
            session.commit()
        except dialects.Failed as error:
            with contextlib.suppress(*dialects.Failed):
                session.rollback()
            if dialects.undecided(error):
                raise CommitUnknown() from error
            raise
