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

SAID = {
    1213: "Deadlock found when trying to get lock; try restarting transaction",
    1205: "Lock wait timeout exceeded; try restarting transaction",
    1020: "Record has changed since last read in table 'operations'",
    1047: "WSREP has not yet prepared node for application use",
    "40P01": "deadlock detected",
}
"""The servers' own words, where oslo.db reads those."""


def raised_by(url: str, cause: Exception) -> Exception:
    """What our engine makes of a driver's error."""
    engine = dialects.engine(url, {}, timeout=1, echo=False, clock=None)

    @sa.event.listens_for(engine, "do_connect")
    def refused(*about):
        raise cause

    with pytest.raises(dialects.Trouble) as raised:
        engine.connect()
    return raised.value


def of_mariadb(code: int) -> Exception:
    """As it comes from the wire: with an SQLSTATE, which says less than the number."""
    packet = b"\xff" + code.to_bytes(2, "little") + b"#HY000"
    with pytest.raises(pymysql.err.MySQLError) as raised:
        pymysql.err.raise_mysql_exception(packet + SAID.get(code, "?").encode())
    return raised_by("mariadb://nobody@localhost/x", raised.value)


def of_postgresql(state: str) -> Exception:
    cause = psycopg.errors.lookup(state)(SAID.get(state, "?"))
    return raised_by("postgresql://nobody@localhost/x", cause)


@pytest.mark.parametrize("code", [1213, 1205, 1020, 1040, 1047, 2003, 2006, 2013, 1053])
def test_mariadb_dropped_the_transaction(code):
    assert dialects.lost(of_mariadb(code))


@pytest.mark.parametrize(
    "state", ["40001", "40P01", "55P03", "53300", "57P01", "57P03", "25P03"]
)
def test_postgresql_dropped_the_transaction(state):
    assert dialects.lost(of_postgresql(state))


@pytest.mark.parametrize(
    "error",
    [
        of_mariadb(1064),
        of_mariadb(1146),
        of_mariadb(1062),
        of_postgresql("42601"),
        of_postgresql("23505"),
    ],
)
def test_a_mistake_of_ours_is_not_tried_again(error):
    assert not dialects.lost(error)
    assert not dialects.undecided(error)


@pytest.mark.parametrize(
    "error", [of_mariadb(1213), of_postgresql("40001"), of_postgresql("23505")]
)
def test_a_commit_that_was_refused_did_not_happen(error):
    assert not dialects.undecided(error)


@pytest.mark.parametrize(
    "error", [of_mariadb(2013), of_mariadb(1047), of_postgresql("57P01")]
)
def test_a_commit_without_an_answer_may_have_happened(error):
    assert dialects.undecided(error)


def test_a_deadlock_is_known_in_any_language():
    cause = psycopg.errors.lookup("40P01")("Verklemmung entdeckt")
    assert dialects.lost(raised_by("postgresql://nobody@localhost/x", cause))


def test_a_server_that_cannot_be_reached_is_lost():
    cause = psycopg.OperationalError("connection refused")
    assert dialects.lost(raised_by("postgresql://nobody@localhost/x", cause))


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
    assert database.engine.dialect.name in ("mysql", "postgresql")
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
