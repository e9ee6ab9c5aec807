# SPDX-License-Identifier: Apache-2.0
"""A fault of the database at each statement and each COMMIT of a life (T08).

Deadlocks, lock time-outs, serialisation failures, a connection that goes, and a COMMIT
that was done though nobody was told: whatever fails, one create is one instance, and
everything ends as if nothing had been (INV-1 to 8).
"""

import os
import signal

import pytest
import sqlalchemy as sa

from tests.contract.db.faulty import FAULTS, Chosen, Small
from trove.db.session import Database
from trove.db.tables import Record

EVERY = 1 if os.environ.get("TROVE_LONG") or os.environ.get("TROVE_CHAOS") else 149
"""Each n-th statement is faulted, each fault beginning at another one."""


@pytest.fixture
def chosen(server):
    made = Chosen(server)
    yield made
    made.close()


@pytest.fixture
def life(server, chosen):
    """``life(choose)``: create and delete, with the fault chosen first; how many
    statements and commits it took."""
    plain = Database(server.engine.url.render_as_string(hide_password=False))
    yield lambda choose: live(server, plain, chosen, choose)
    plain.close()


def live(server, plain, chosen, choose):
    with plain.transaction() as tx:
        for table in reversed(Record.metadata.sorted_tables):
            tx.execute(table.delete())
    small = Small(server, plain)
    chosen.statements = chosen.commits = 0
    choose()
    id = small.create()
    small.run()
    small.check(id, there=True)
    small.delete(id)
    small.run()
    small.check(id, there=False)
    return chosen.statements, chosen.commits


@pytest.mark.timeout(3600)
def test_each_statement_fails_once(server, chosen, life):
    statements, _ = life(lambda: None)
    assert statements > 100
    for start, fault in enumerate(FAULTS[server.engine.dialect.name]):
        for number in range(1 + start * EVERY // 3, statements, EVERY):
            print(fault, number)
            life(lambda: chosen.statement(number, fault))  # noqa: B023


@pytest.mark.timeout(3600)
def test_each_commit_is_done_and_nobody_is_told(chosen, life):
    _, commits = life(lambda: None)
    for number in range(1, commits + 1, max(1, EVERY // 8)):
        print("commit", number)
        life(lambda: chosen.reply(number))  # noqa: B023


@pytest.mark.postgresql
@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@pytest.mark.parametrize("number", [5, 60, 150])
def test_the_server_crashes_in_the_middle(server, chosen, life, number):
    """kill -9 of one of PostgreSQL's own: it drops everybody and recovers.

    (MariaDB is killed whole in tests/system/faults.)
    """
    killed = []

    def crash():
        engine = sa.create_engine(server.engine.url)
        with engine.connect() as line:
            [pid] = line.exec_driver_sql("SELECT pg_backend_pid()").scalars()
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            line.invalidate()
        engine.dispose()

    life(lambda: chosen.before(number, crash))
    assert killed
