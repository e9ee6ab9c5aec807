# SPDX-License-Identifier: Apache-2.0
"""The databases' errors, sorted; and the file of a SQLite database."""

import subprocess
import sys

import psycopg
import pymysql
import pytest
import sqlalchemy as sa

from trove.db import dialects
from trove.db.session import Database


def of_mariadb(code: int) -> sa.exc.DBAPIError:
    """As it comes from the wire: with an SQLSTATE, which says less than the number."""
    packet = b"\xff" + code.to_bytes(2, "little") + b"#HY000?"
    with pytest.raises(pymysql.err.MySQLError) as raised:
        pymysql.err.raise_mysql_exception(packet)
    return sa.exc.OperationalError("X", None, raised.value)


def of_postgresql(state: str) -> sa.exc.DBAPIError:
    cause = psycopg.errors.lookup(state)("?")
    return sa.exc.OperationalError("X", None, cause)


@pytest.mark.parametrize("code", [1213, 1205, 1020, 1047, 2003, 2006, 2013])
def test_mariadb_dropped_the_transaction(code):
    assert dialects.lost(of_mariadb(code))


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57P01", "25P03"])
def test_postgresql_dropped_the_transaction(state):
    assert dialects.lost(of_postgresql(state))


@pytest.mark.parametrize(
    "error", [of_mariadb(1064), of_mariadb(1146), of_postgresql("42601")]
)
def test_a_mistake_of_ours_is_not_tried_again(error):
    assert not dialects.lost(error)
    assert not dialects.undecided(error)


@pytest.mark.parametrize("error", [of_mariadb(1213), of_postgresql("40001")])
def test_a_commit_that_was_refused_did_not_happen(error):
    assert not dialects.undecided(error)


@pytest.mark.parametrize(
    "error", [of_mariadb(2013), of_mariadb(1047), of_postgresql("57P01")]
)
def test_a_commit_without_an_answer_may_have_happened(error):
    assert dialects.undecided(error)


def test_a_server_that_cannot_be_reached_is_lost():
    cause = psycopg.OperationalError("connection refused")
    assert dialects.lost(sa.exc.OperationalError("X", None, cause))


def test_only_root_reads_the_file(tmp_path):
    path = tmp_path / "trove.sqlite"
    database = Database(f"sqlite:///{path}")
    with database.transaction() as tx:
        tx.execute(sa.text("CREATE TABLE t (x)"))
        modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {0o600}
    database.close()


def test_only_sqlites_clock_can_be_replaced():
    with pytest.raises(ValueError, match="clock"):
        Database("postgresql://localhost/x", clock=lambda: 0.0)


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "postgresql", "postgres"])
def test_a_url_needs_no_drivers_name(scheme):
    database = Database(f"{scheme}://user:canary@localhost/x")
    assert database.engine.dialect.name in ("mysql", "mariadb", "postgresql")
    assert "canary" not in repr(database.engine)


def test_a_second_connection_keeps_the_first_ones_hold_of_the_file(tmp_path):
    """Else another process that closes deletes the log that this one writes to."""
    file = tmp_path / "db.sqlite"
    first = Database(f"sqlite:///{file}")
    with first.transaction() as tx:
        tx.execute(sa.text("CREATE TABLE t (i INTEGER)"))
        with first.reading() as other:  # a second connection of the same pool
            other.execute(sa.text("SELECT 1"))
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "print(c.execute('SELECT count(*) FROM t').fetchone()[0]); c.close()"
    )
    subprocess.run([sys.executable, "-c", look, str(file)], check=True)
    assert (tmp_path / "db.sqlite-wal").exists()
    with first.transaction() as tx:
        tx.execute(sa.text("INSERT INTO t VALUES (1)"))
    told = subprocess.run(
        [sys.executable, "-c", look, str(file)], check=True, capture_output=True
    )
    assert told.stdout.strip() == b"1"
    first.close()
