# SPDX-License-Identifier: Apache-2.0
"""Transactions: what is tried again, what is not, and the clock."""

import pytest
import sqlalchemy as sa

from trove import errors
from trove.db import dialects
from trove.db.session import (
    CommitUnknown,
    Database,
    DatabaseUnavailable,
    epoch_now,
    now,
)
from trove.db.tables import Record, Usage


def usage(project: str = "demo", used: int = 0) -> Usage:
    return Usage(project=project, resource="ram", used=used, reserved=0)


def stored(database: Database) -> list[int]:
    with database.reading() as tx:
        return list(tx.scalars(sa.select(Usage.used).order_by(Usage.project)))


class Refusal(Exception):
    """What a driver would raise."""


def failing(error: Exception, times: int):
    """A transaction's work that the database drops so many times."""
    tried = []

    def work(tx):
        tried.append(1)
        tx.add(usage(used=len(tried)))
        tx.flush()
        if len(tried) <= times:
            raise error
        return len(tried)

    return work


def locked() -> sa.exc.OperationalError:
    return sa.exc.OperationalError("UPDATE", None, Refusal("database is locked"))


def test_the_clock_is_the_databases_own(database, clock):
    with database.reading() as tx:
        assert now(tx) == clock.now
        clock.now += 5.5
        assert now(tx) == clock.now


def test_rows_are_usable_after_their_transaction(database):
    with database.transaction() as tx:
        row = usage(used=7)
        tx.add(row)
    assert row.used == 7


def test_an_exception_rolls_back(database):
    with pytest.raises(KeyError), database.transaction() as tx:
        tx.add(usage())
        tx.flush()
        raise KeyError
    assert stored(database) == []


def test_what_the_database_dropped_is_tried_again_from_the_start(database):
    naps = []
    database._sleep = naps.append
    assert database.run(failing(locked(), times=3)) == 4
    assert stored(database) == [4]
    assert len(naps) == 3 and all(0 <= nap <= 2 for nap in naps)


def test_it_is_not_tried_for_ever(database):
    database._sleep = lambda seconds: None
    with pytest.raises(DatabaseUnavailable) as raised:
        database.run(failing(locked(), times=99), attempts=3)
    assert isinstance(raised.value, errors.Unavailable)
    assert stored(database) == []


def test_another_error_is_not_tried_again(database):
    wrong = sa.exc.OperationalError("SELEKT", None, Refusal("syntax error"))
    work = failing(wrong, times=1)
    with pytest.raises(sa.exc.OperationalError):
        database.run(work)
    assert stored(database) == []


def test_a_twins_insert_is_seen_at_the_second_try(database):
    database._sleep = lambda seconds: None
    with database.transaction() as tx:
        tx.add(usage(used=1))
    blind = [True]

    def work(tx):
        row = None if blind.pop() else tx.get(Usage, ("demo", "ram"))
        blind.append(False)
        if row is None:
            tx.add(usage(used=1))
        else:
            row.used += 1
        tx.flush()

    database.run(work)
    assert stored(database) == [2]


def test_a_constraint_that_stays_violated_is_the_callers(database):
    database._sleep = lambda seconds: None
    with database.transaction() as tx:
        tx.add(usage())
    again = sa.insert(Usage).values(project="demo", resource="ram", used=1, reserved=0)
    with pytest.raises(dialects.Violated):
        database.run(lambda tx: tx.execute(again))


def test_reading_refuses_to_write(database):
    with pytest.raises(errors.Internal), database.reading() as tx:
        tx.execute(sa.update(Usage).values(used=1))
    with pytest.raises(errors.Internal), database.reading() as tx:
        tx.add(usage())
        tx.flush()


def test_a_commit_nobody_answered_is_unknown_and_never_repeated(database):
    tried = []

    @sa.event.listens_for(database.engine, "commit")
    def lost(connection):
        gone = sa.exc.OperationalError("COMMIT", None, Refusal(2013, "Lost connection"))
        gone.connection_invalidated = True
        raise gone

    with pytest.raises(CommitUnknown):
        database.run(lambda tx: tried.append(tx.add(usage())))
    assert len(tried) == 1


def test_no_free_connection_is_a_clear_error(tmp_path):
    database = Database(
        f"sqlite:///{tmp_path}/db", pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    Record.metadata.create_all(database.engine)
    with database.reading() as tx:
        now(tx)
        with pytest.raises(DatabaseUnavailable):
            database.run(now)
    database.close()


def test_errors_show_no_parameters(database):
    with pytest.raises(dialects.Failed) as raised, database.transaction() as tx:
        tx.execute(sa.insert(Usage).values(project="canary", resource=None))
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("mysql", "UNIX_TIMESTAMP(NOW(6))"),
        ("mariadb", "UNIX_TIMESTAMP(NOW(6))"),
        ("postgresql", "clock_timestamp()"),
        ("sqlite", "trove_now()"),
    ],
)
def test_every_database_has_its_own_clock(dialect, sql):
    compiled = epoch_now().compile(dialect=sa.make_url(f"{dialect}://").get_dialect()())
    assert sql in str(compiled)


def test_a_database_without_a_clock_is_refused():
    with pytest.raises(ValueError, match="oracle"):
        dialects.engine("oracle://x", {}, timeout=1, echo=False, clock=None)


@pytest.mark.parametrize("open", ["reading", "snapshot"])
def test_a_read_that_the_database_dropped_may_be_tried_again(database, open):
    with pytest.raises(DatabaseUnavailable), getattr(database, open)():
        raise locked()


def test_a_read_that_is_wrong_is_not(database):
    with pytest.raises(dialects.Failed), database.reading() as tx:
        tx.execute(sa.text("SELECT nothing FROM nowhere"))
