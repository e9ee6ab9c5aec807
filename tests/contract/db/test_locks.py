# SPDX-License-Identifier: Apache-2.0
"""Somebody keeps a row: whoever needs it waits, tries again, and then says so (T08).

A process that is stopped in the middle of a transaction keeps what it has locked. A
request that meets that is "try again later", never "unexpected".
"""

import contextlib

import pytest
import sqlalchemy as sa

from trove.db import dialects
from trove.db.session import Database, DatabaseUnavailable
from trove.db.tables import Usage

ROW = {"project": "p", "resource": "instances", "used": 1, "reserved": 0}


@pytest.fixture
def hasty(database):
    """The same database, for somebody who waits a second for a lock."""
    made = Database(database.engine.url, timeout=2)
    yield made
    made.close()


@contextlib.contextmanager
def kept(database, comes_back=True):
    """Somebody holds the row of a quota while the block lasts."""
    with database.transaction() as tx:
        tx.execute(sa.insert(Usage).values(ROW))
    with database.engine.connect() as other:
        other.execute(sa.update(Usage).values(used=2))
        yield other
        if comes_back:
            other.rollback()
        else:
            with pytest.raises(dialects.Failed) as gone:
                other.execute(sa.select(Usage))
            assert dialects.lost(gone.value)


def spend(tx):
    tx.execute(sa.update(Usage).values(used=Usage.used + 10))


def test_a_row_that_is_kept_for_too_long_is_told_as_such(database, hasty):
    with kept(database), pytest.raises(DatabaseUnavailable):
        hasty.run(spend, attempts=2)


def test_who_sleeps_in_a_transaction_loses_it(server, migrated):
    """T05: stopped in the middle of one, a process would keep what it has locked."""
    sleepy = Database(server.engine.url, timeout=6)
    try:
        with kept(sleepy, comes_back=False):
            server.run(spend, attempts=1)
    finally:
        sleepy.close()
    with server.reading() as tx:
        assert tx.scalar(sa.select(Usage.used)) == 11


def test_a_row_that_comes_free_is_tried_again(database, hasty):
    tries = []

    with kept(database) as other:

        def work(tx):
            tries.append(1)
            if len(tries) == 2:
                other.rollback()
            spend(tx)

        hasty.run(work)
    assert len(tries) == 2
    with database.reading() as tx:
        assert tx.scalar(sa.select(Usage.used)) == 11
