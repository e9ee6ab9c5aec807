# SPDX-License-Identifier: Apache-2.0
"""A dump is all of one database and of nothing else, for its users' own tools to read.

It is loaded again by the engine's own client, into another database of the server.
"""

import contextlib
import pathlib
import re
import subprocess
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


DUMPED = [name for name in registry.names() if registry.get(name).can.dump]
IN_SQL = [name for name in DUMPED if registry.get(name).dumped == ".sql.zst"]
IN_ARCHIVES = [name for name in DUMPED if name not in IN_SQL]

pytestmark = pytest.mark.engines(*DUMPED)


@pytest.fixture
def sql(lab: Lab) -> typing.Any:
    """How the engine says it."""
    return Classic() if lab.name in IN_SQL else PostgreSQL()


class Classic:
    """What is in a database, in SQL, and what loads it again."""

    bytes = "LONGBLOB"
    tail: typing.ClassVar = [
        "CREATE VIEW cheap AS SELECT id, name FROM goods WHERE id < 2",
        "CREATE PROCEDURE count_them() SELECT COUNT(*) FROM goods",
        "CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' "
        "DO DELETE FROM goods",
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


def test_what_a_dead_agent_left_is_taken_away(lab: Lab, sql: typing.Any) -> None:
    """By the next order, which may be another's: nobody comes in by either account."""
    lab.engine.accounts.create_databases([Database("shop")])
    tool = lab.engine.dumps()
    begin = b"PGDMP" if isinstance(sql, PostgreSQL) else b"SELECT"
    left = [tool.saying("shop"), tool.taking("shop", begin)]
    for each in left:
        each.__enter__()  # and its process is gone
    (loader,) = (u for u in lab.client.users() if u.startswith("trove_loader"))
    assert DUMPER in lab.client.users() and not locked(lab, loader)
    for _ in range(2):
        tool.forget()
        tool.forget("shop")
    assert DUMPER not in lab.client.users()
    assert locked(lab, loader)
    lab.engine.accounts.delete_database("shop")


@pytest.mark.engines("mariadb")  # whose tool alone has such a flaw
def test_what_its_tool_cannot_say_is_no_dump(lab: Lab, sql: typing.Any) -> None:
    """It takes a quote in the name of a database with events for another name."""
    filled(lab, sql, "the 'own'")
    with pytest.raises(errors.CommandFailed), said(lab, "the 'own'") as stream:
        stream.read()
    assert DUMPER not in lab.client.users()
    lab.engine.accounts.delete_database("the 'own'")


# -- the way back


def locked(lab: Lab, user: str) -> bool:
    """Whether nobody comes in by an account; or there is none."""
    left = lab.client.users().get(user)
    if left is None:
        return True
    about = left.partition("[")[0]  # the rest are its grants
    return (
        '"account_locked":true' in about or re.search(" Y [NY]( |$)", about) is not None
    )


def loaded(lab: Lab, database: str, dump: bytes) -> None:
    """As the agent does it: the database is there, and empty."""
    lab.engine.accounts.create_databases([Database(database)])
    with lab.engine.dumps().taking(database, dump[:8]) as stages:
        with lab.machine.writing(*stages) as sink:
            sink.write(dump)


@pytest.mark.parametrize("name", ["shop", *HOSTILE])
def test_what_was_said_is_taken(lab: Lab, sql: typing.Any, name: str) -> None:
    """By another name too; a user who is granted it has all of it, and runs it."""
    filled(lab, sql, "source")
    with said(lab, "source") as stream:
        dump = stream.read()
    before = set(lab.client.users())
    try:
        loaded(lab, name, dump)
        assert sql.rows(lab, name) == sql.rows(lab, "source")
        lab.account("bob", "his word", name)
        with lab.client.login("bob", "his word", name) as run:
            assert all(map(run, sql.calls))
            run("CREATE TABLE more (id INT)")
        listed = {user.name for user in lab.engine.accounts.users(50)}
        assert "bob" in listed
        assert not [user for user in listed if user.startswith("trove_")]
    finally:
        for database in (name, "source"):
            lab.engine.accounts.delete_database(database)
        lab.engine.accounts.delete_account("bob")
    assert set(lab.client.users()) - before <= {"trove_admin"}  # the heir, of no one


@pytest.mark.engines(*IN_SQL)
@pytest.mark.parametrize("press", ["plain", "gzip", "zstd"])
def test_sql_is_taken_pressed_or_not(lab: Lab, sql: typing.Any, press: str) -> None:
    text = b"CREATE TABLE goods (id INT);\nINSERT INTO goods VALUES (7);\n"
    loaded(lab, "shop", pressed(text, press))
    assert lab.client.admin("SELECT * FROM shop.goods") == [(7,)]
    lab.engine.accounts.delete_database("shop")


def pressed(text: bytes, press: str) -> bytes:
    if press == "plain":
        return text
    argv = [press, "--stdout"]
    return subprocess.run(argv, input=text, capture_output=True, check=True).stdout


CLASSIC = {
    "another database": b"CREATE TABLE victim.more (id INT);\n",
    "another database's rows": b"CREATE TABLE t AS SELECT * FROM victim.t;\n",
    "a new database": b"CREATE DATABASE taken;\n",
    "use": b"USE victim;\nDROP TABLE t;\n",
    "the system": b"UPDATE mysql.user SET host = '%';\n",
    "a global": b"SET GLOBAL max_connections = 1;\n",
    "a user": b"CREATE USER eve@'%' IDENTIFIED BY 'x';\n",
    "a grant": b"GRANT ALL ON *.* TO trove_backup@localhost;\n",
    "a file is read": b"LOAD DATA INFILE '/etc/passwd' INTO TABLE t;\n",
    "a client's file": b"CREATE TABLE p (a TEXT);\n"
    b"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE p;\n",
    "a file is written": b"SELECT 1 INTO OUTFILE '/tmp/trove-dump-out';\n",
    "a shell": b"\\! touch @@\n",
    "a shell by its name": b"system touch @@\n",
    "a source": b"\\. /etc/passwd\n",
    "a source by its name": b"source /etc/passwd\n",
    "a tee": b"\\T @@\n",
    "a tee by its name": b"tee @@\n",
    "a pager": b"pager touch @@\nSELECT 1;\n",
    "an editor": b"\\e\n",
    "a plugin": b"INSTALL PLUGIN x SONAME 'x.so';\n",
    "a function": b"CREATE FUNCTION x RETURNS STRING SONAME 'x.so';\n",
    "a shutdown": b"SHUTDOWN;\n",
    "what is cut off": b"CREATE TABLE t (id INT,",
}


@pytest.mark.engines(*IN_SQL)
@pytest.mark.parametrize("what", CLASSIC)
def test_hostile_sql_reaches_nothing(
    lab: Lab, sql: typing.Any, what: str, tmp_path: pathlib.Path
) -> None:
    tmp_path.chmod(0o777)
    mark = tmp_path / "mark"
    lab.account("eva", "a word", "victim")
    lab.client.admin("CREATE TABLE IF NOT EXISTS victim.t (id INT)")
    users, databases = set(lab.client.users()), lab.client.databases()
    dump = CLASSIC[what].replace(b"@@", str(mark).encode())
    try:
        with pytest.raises(errors.CommandFailed):
            loaded(lab, "hostile", dump)
        assert not mark.exists()
        after = set(lab.client.users()) - users
        assert all(user.startswith("trove_loader_") for user in after)
        assert lab.client.databases() - databases == {"hostile"}
        assert lab.client.admin("SHOW TABLES FROM victim") == [("t",)]
    finally:
        lab.engine.accounts.delete_database("hostile")


@pytest.mark.engines(*IN_SQL)
def test_a_definer_is_nobody_else(lab: Lab, sql: typing.Any) -> None:
    """What is said to be root's runs with the rights of who loaded it."""
    lab.account("eva", "a word", "victim")
    lab.client.admin("CREATE TABLE IF NOT EXISTS victim.t (id INT)")
    loaded(
        lab,
        "hostile",
        b"DELIMITER ;;\n"
        b"CREATE DEFINER=`root`@`localhost` PROCEDURE p() SQL SECURITY DEFINER\n"
        b"SELECT * FROM victim.t ;;\n"
        b"DELIMITER ;\n",
    )
    lab.account("bob", "his word", "hostile")
    with (
        lab.client.login("bob", "his word", "hostile") as run,
        pytest.raises(lab.refused, match="denied"),
    ):
        run("CALL p()")
    lab.engine.accounts.delete_database("hostile")
    lab.engine.accounts.delete_account("bob")


def test_who_loads_cannot_enter_afterwards(lab: Lab, sql: typing.Any) -> None:
    lab.engine.accounts.create_databases([Database("shop")])
    begin = b"PGDMP" if isinstance(sql, PostgreSQL) else b"SELECT"
    with lab.engine.dumps().taking("shop", begin):
        (user,) = (u for u in lab.client.users() if u.startswith("trove_loader"))
    assert locked(lab, user)
    lab.engine.accounts.delete_database("shop")


@pytest.mark.engines(*IN_ARCHIVES)
def test_a_form_that_is_not_taken_is_said(lab: Lab, sql: typing.Any) -> None:
    """psql would run commands of its own that are in a text."""
    with pytest.raises(errors.Invalid, match="pg_dump"):
        loaded(lab, "shop", b"\\! touch /tmp/x\n")
    lab.engine.accounts.delete_database("shop")
    assert not [u for u in lab.client.users() if u.startswith("trove_loader")]


ARCHIVES = {
    "a function of the server's": "CREATE FUNCTION f(int) RETURNS int "
    "LANGUAGE internal AS 'int4abs'",
    "an event trigger": "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS "
    "'BEGIN END'; CREATE EVENT TRIGGER each ON ddl_command_end EXECUTE FUNCTION e()",
    "a program": "",
}


@pytest.mark.engines(*IN_ARCHIVES)
@pytest.mark.parametrize("what", ARCHIVES)
def test_a_hostile_archive_reaches_nothing(
    lab: Lab, sql: typing.Any, what: str
) -> None:
    """What none but a superuser can make, though he made the dump."""
    filled(lab, sql, "source")
    if ARCHIVES[what]:
        lab.client.admin(ARCHIVES[what], "source")
    with said(lab, "source") as stream:
        dump = stream.read()
    if not ARCHIVES[what]:
        copies = b"COPY public.goods (id, name, raw) FROM stdin;"
        assert copies in dump
        program = b"COPY public.goods FROM PROGRAM 'id';"
        dump = dump.replace(copies, program.ljust(len(copies)))
    before = set(lab.client.users())
    try:
        with pytest.raises(errors.CommandFailed, match="ermission denied|superuser"):
            loaded(lab, "hostile", dump)
        assert set(lab.client.users()) - before <= {"trove_admin"}
    finally:
        for database in ("hostile", "source"):
            lab.engine.accounts.delete_database(database)
