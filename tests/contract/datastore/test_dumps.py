# SPDX-License-Identifier: Apache-2.0
"""A dump is all of one database and of nothing else, for its users' own tools to read.

It is loaded again by the engine's own client, into another database of the server.
"""

import contextlib
import typing

import pytest

from tests.contract.datastore.conftest import Lab
from trove import errors
from trove.datastores import registry
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.protocol import Database, Stage

HOSTILE = ["the `own`", "--all-databases", "dbname=postgres", "größe", "%s;$(id)"]
RAW = bytes(range(256))
ROWS = "SELECT id, name, raw FROM"
DUMPER = "trove_backup"


@pytest.fixture
def sql(lab: Lab) -> typing.Any:
    """How the engine says it; a test of dumps is of engines that have some."""
    if not lab.can.dump:
        pytest.skip("there are no dumps of it")
    return Classic() if registry.get(lab.name).dumped == ".sql.zst" else PostgreSQL()


class Classic:
    """What is in a database, in SQL, and what loads it again."""

    bytes = "LONGBLOB"
    tail: typing.ClassVar = [
        "CREATE VIEW cheap AS SELECT id, name FROM goods WHERE id < 2",
        "CREATE PROCEDURE count_them() SELECT COUNT(*) FROM goods",
        "CREATE EVENT later ON SCHEDULE EVERY 1 DAY DO DELETE FROM goods",
    ]
    calls = (
        "CALL count_them()",
        "SHOW CREATE EVENT later",
        "SELECT COUNT(*) FROM cheap",
    )

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def raw(self, data: bytes) -> str:
        return f"x'{data.hex()}'"

    def rows(self, lab: Lab, database: str) -> typing.Any:
        """As the administrator sees them: whom no policy hides one from."""
        return lab.client.admin(f"{ROWS} {self.quoted(database)}.goods ORDER BY id")

    def loading(self, lab: Lab, database: str) -> tuple[Stage, ...]:
        socket = lab.machine.path("/run/mysqld/mysqld.sock")
        client = "mariadb" if lab.name == "mariadb" else "mysql"
        argv = (client, "--no-defaults", f"--socket={socket}", "--user=root")
        unpress = Stage(("zstd", "--decompress", "--stdout", "--quiet"))
        return unpress, Stage((*argv, "--", database))


class PostgreSQL(Classic):
    bytes = "BYTEA"
    tail: typing.ClassVar = [
        "CREATE VIEW cheap AS SELECT id, name FROM goods WHERE id < 2",
        "CREATE FUNCTION count_them() RETURNS bigint LANGUAGE sql AS "
        "'SELECT COUNT(*) FROM public.goods'",
        "ALTER TABLE goods ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE goods FORCE ROW LEVEL SECURITY",
        "CREATE POLICY none ON goods USING (false) WITH CHECK (true)",
        "SELECT lo_create(7)",
    ]
    calls = ("SELECT count_them()", "SELECT COUNT(*) FROM cheap", "SELECT lo_get(7)")

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def raw(self, data: bytes) -> str:
        return f"decode('{data.hex()}', 'hex')"

    def rows(self, lab: Lab, database: str) -> typing.Any:
        return lab.client.admin(f"{ROWS} goods ORDER BY id", database)

    def loading(self, lab: Lab, database: str) -> tuple[Stage, ...]:
        argv = (
            f"{programs(lab.machine)}/pg_restore",
            "--exit-on-error",
            f"--host={lab.machine.path('/run/postgresql')}",
            f"--port={lab.port}",
            "--username=postgres",
            f"--dbname={database}",
        )
        return (Stage(argv, user="postgres"),)


@contextlib.contextmanager
def said(lab: Lab, database: str) -> typing.Iterator[typing.BinaryIO]:
    with lab.engine.dumps().saying(database) as stages:
        with lab.machine.reading(*stages) as stream:
            yield stream


def filled(lab: Lab, sql: typing.Any, database: str) -> None:
    lab.account("ada", "the word", database)
    with lab.client.login("ada", "the word", database) as run:
        run(f"CREATE TABLE goods (id INT PRIMARY KEY, name TEXT, raw {sql.bytes})")
        run(f"INSERT INTO goods VALUES (1, 'o''ne \\\\ ü', {sql.raw(RAW)})")
        run("INSERT INTO goods VALUES (2, NULL, NULL)")
        for statement in sql.tail:
            run(statement)


@pytest.mark.parametrize("name", HOSTILE)
def test_all_of_a_database_comes_back(lab: Lab, sql: typing.Any, name: str) -> None:
    filled(lab, sql, name)
    with said(lab, name) as stream:
        dump = stream.read()
    try:
        lab.account("ada", "the word", "again")
        with lab.machine.writing(*sql.loading(lab, "again")) as sink:
            sink.write(dump)
        with lab.client.login("ada", "the word", "again") as run:
            assert all(map(run, sql.calls))
        rows = sql.rows(lab, "again")
        assert [row[0] for row in rows] == [1, 2]
        assert bytes(rows[0][2]) == RAW and rows[1][1:] == (None, None)
        assert rows == sql.rows(lab, name)
    finally:
        for database in (name, "again"):
            lab.engine.accounts.delete_database(database)


def test_who_dumps_sees_nothing_else_and_is_gone(lab: Lab, sql: typing.Any) -> None:
    filled(lab, sql, "shop")
    lab.account("eve", "her word", "secrets")
    with said(lab, "shop") as stream:
        users = lab.client.users()
        stream.read()
    assert DUMPER in users and DUMPER not in lab.client.users()
    assert "secrets" not in users[DUMPER], users[DUMPER]
    assert not lab.machine.exists(lab.machine.path("/run/trove-dump"))
    lab.engine.accounts.delete_database("secrets")
    lab.engine.accounts.delete_database("shop")


@pytest.mark.parametrize(
    "name", ["mysql", "postgres", "trove_internal", "template1", "no such"]
)
def test_a_database_of_the_services_is_none(
    lab: Lab, sql: typing.Any, name: str
) -> None:
    with pytest.raises(errors.DatabaseNotFound), said(lab, name):
        pass
    assert DUMPER not in lab.client.users()


def test_one_that_a_dead_agent_left_is_another(lab: Lab, sql: typing.Any) -> None:
    """The account of before is no more; the dump is whole all the same."""
    lab.engine.accounts.create_databases([Database("shop")])
    left = lab.engine.dumps().saying("shop")
    left.__enter__()  # and its process is gone
    with said(lab, "shop") as stream:
        assert stream.read()
    assert DUMPER not in lab.client.users()
    lab.engine.accounts.delete_database("shop")


def test_what_its_tool_cannot_say_is_no_dump(lab: Lab, sql: typing.Any) -> None:
    """It takes a quote in the name of a database with events for another name."""
    if isinstance(sql, PostgreSQL):
        pytest.skip("pg_dump has no such flaw")
    filled(lab, sql, "the 'own'")
    with pytest.raises(errors.CommandFailed), said(lab, "the 'own'") as stream:
        stream.read()
    assert DUMPER not in lab.client.users()
    lab.engine.accounts.delete_database("the 'own'")
