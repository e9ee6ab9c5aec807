# SPDX-License-Identifier: Apache-2.0
"""The rows of a backup are those that there were: by the engines' own hashes (ADR 41).

Of each table that nobody wrote to since; what somebody did write to is left out,
whenever he began, so that no good backup is called another.
"""

import contextlib
import threading
import time
import typing

import pytest

from tests.contract.datastore.conftest import Lab, concerns, laboratory, param
from tests.contract.datastore.test_backups import (
    FULL,
    Link,
    Run,
    restored,
    said,
    save,
    working,
    written,
)
from trove import errors
from trove.datastores import registry, rows
from trove.datastores.rows import CHANGED, UNREAD, Different, Hashes, Limits, Where
from trove.datastores.saving import Mark

WITHIN = 300.0
SQL = ("mariadb", "mysql", "postgresql")
LATE = ("mariadb", "postgresql")
"""Whose moment is the end of what the tool says. The others have made a copy before it
says anything, and their rows are read then."""
NAMES = (
    "goods",
    'double"quoted',
    "back`ticked",
    "it's; DROP TABLE goods --",
    "two\nlines",
    "--dash",
    "größe_数",
    "%s%(x)s{0}",
    "n" * 63,
)
"""Of tables; all engines take them, quoted."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("all_datastores")
    if "kind" in metafunc.fixturenames:
        params = [
            param(each)
            for each in FULL
            if every or registry.get(each[0]).builds[0].version == each[1]
            if concerns(metafunc, *each)
        ]
        metafunc.parametrize("kind", params, scope="module")


@pytest.fixture(scope="module")
def source(kind: tuple[str, str]) -> typing.Iterator[Lab]:
    with laboratory(*kind) as lab:
        lab.account("ada", "the word", "shop")
        if lab.can.databases:
            with said(lab) as run:
                make(lab, run)
        yield lab


def quoted(lab: Lab, name: str) -> str:
    mark = '"' if lab.name == "postgresql" else "`"
    return mark + name.replace(mark, 2 * mark) + mark


def make(lab: Lab, run: Run) -> None:
    for number, name in enumerate(NAMES):
        table = quoted(lab, name)
        run(f"CREATE TABLE {table} (id INT PRIMARY KEY, {table} VARCHAR(40))")
        run(f"INSERT INTO {table} VALUES (1, 'one'), (2, NULL), ({3 + number}, '')")
    for statement in KINDS[lab.name]:
        run(statement)


KINDS = {
    "classic": (
        "CREATE TABLE kinds (a BIGINT UNSIGNED, b DECIMAL(30, 10), c FLOAT, d DOUBLE, "
        "e BIT(17), f DATE, g DATETIME(6), h TIMESTAMP(3) NULL, i TIME(2), j YEAR, "
        "k CHAR(9) CHARACTER SET latin1, l VARBINARY(99), m LONGTEXT, n LONGBLOB, "
        "o ENUM('x', 'y|'), p SET('x', 'y'), q JSON, r GEOMETRY, "
        "s BIGINT AS (a + 1) VIRTUAL, t BIGINT AS (a + 2) STORED)",
        "INSERT INTO kinds (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r) "
        "VALUES (18446744073709551, 1.5, 0.1, 1e-300, 5, '2024-02-29', NOW(6), "
        "NOW(3), '-838:59:58.5', 2155, 'é', 0x00ff27, REPEAT('long', 99999), "
        "0x00, 'y|', 'x,y', '{\"b\": [1, 2]}', ST_GeomFromText('POINT(1 2)'))",
        "INSERT INTO kinds (a) VALUES (1), (1)",
        "CREATE TABLE parents (id INT PRIMARY KEY)",
        "CREATE TABLE children (id INT PRIMARY KEY, of_ INT, FOREIGN KEY (of_) "
        "REFERENCES parents (id) ON DELETE CASCADE)",
        "INSERT INTO parents VALUES (1), (2)",
        "INSERT INTO children VALUES (1, 1), (2, 1), (3, 2)",
        "CREATE VIEW looks AS SELECT * FROM goods",
    ),
    "postgresql": (
        "CREATE TYPE mood AS ENUM ('well', 'sick')",
        "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9)",
        "CREATE TABLE kinds (a bigserial, b numeric, c real, d double precision, "
        "e bytea, f timestamptz, g interval, h jsonb, i int[], j mood, k short, "
        "l text, m uuid, n inet, o int4range, p bit varying, "
        "q int GENERATED ALWAYS AS (1 + 2) STORED)",
        "INSERT INTO kinds (b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) VALUES "
        "(1e40, 0.1, 1e-300, '\\x00ff', now(), '1 mon 2 days', '{\"b\": 1}', "
        "'{1,NULL}', 'sick', 'short', repeat('long', 99999), gen_random_uuid(), "
        "'::1', '[1,5)', B'101')",
        "INSERT INTO kinds (l) VALUES ('x'), ('x')",
        "CREATE UNLOGGED TABLE fleeting (id int)",
        "CREATE TABLE parts (id int, what text) PARTITION BY LIST (id)",
        "CREATE TABLE parts_one PARTITION OF parts FOR VALUES IN (1)",
        "INSERT INTO parts VALUES (1, 'x')",
        'CREATE SCHEMA "sche.ma"',
        'CREATE TABLE "sche.ma".elsewhere (id int)',
        "CREATE VIEW looks AS SELECT * FROM goods",
    ),
}
KINDS["mariadb"] = (
    *KINDS["classic"],
    "CREATE TABLE own (u UUID, i INET6, s INT) WITH SYSTEM VERSIONING",
    "INSERT INTO own VALUES (UUID(), '::1', 1)",
    "CREATE TABLE older (id INT PRIMARY KEY) ENGINE = Aria",
)
KINDS["mysql"] = KINDS["classic"]


def where(lab: Lab, name: str) -> Where:
    return ("shop", "public", name) if lab.name == "postgresql" else ("shop", name)


@contextlib.contextmanager
def ended(lab: Lab, since: Mark | None = None) -> typing.Iterator[typing.Any]:
    """The tool has made a backup; what happens in the block comes after it. Then it is
    asked for its hashes: they are the last of the list."""
    tool = lab.engine.backups()
    found: list[typing.Any] = []
    with working(lab, "backup") as work:
        tool.rows().expect(Limits(WITHIN))
        with lab.machine.reading(*tool.stages(work, since), within=60) as stream:
            while stream.read(2**20):
                pass
        yield found
        found.append(tool.rows().taken(tool.mark(work)))


def names(hashes: Hashes) -> set[str]:
    return {table.where[-1] for table in hashes.tables}


def hashed(lab: Lab, since: Mark | None = None) -> tuple[Link, Hashes]:
    link = save(lab, since, compared=False, hashing=WITHIN)
    assert link.hashes is not None
    return link, link.hashes


def compared(lab: Lab, before: Hashes) -> dict[str, int]:
    tables = [table.where for table in before.tables]
    return rows.compared(before, lab.engine.backups().rows().again(tables, WITHIN))


@pytest.mark.engines(*SQL)
def test_a_quiet_databases_hashes_are_found_again_in_what_is_restored(
    kind: tuple[str, str], source: Lab
) -> None:
    """By names that an agent has to quote, and for each type that there is."""
    full, hashes = hashed(source)
    assert hashes.none is None and set(NAMES) <= names(hashes)
    assert "looks" not in names(hashes) and CHANGED not in hashes.left_out
    again = rows.read(rows.write(hashes))
    assert again == hashes
    with restored(kind, [full]) as lab:
        lab.engine.backups().check()  # which comes before, and changes nothing
        assert compared(lab, again) == {
            "tables": len(hashes.tables),
            "equal": len(hashes.tables),
        }


FORGETS = {
    "mariadb": "RESET MASTER",
    "mysql": "RESET BINARY LOGS AND GTIDS",
    "postgresql": "SELECT",
}


def forget(lab: Lab) -> None:
    """The server's log does not say any more that somebody has written here."""
    lab.client.admin(FORGETS[lab.name])


@pytest.mark.engines(*SQL)
def test_one_row_that_was_changed_is_found_and_its_table_is_named(
    kind: tuple[str, str], source: Lab
) -> None:
    full, hashes = hashed(source)
    assert hashes.none is None and set(NAMES) <= names(hashes)
    with restored(kind, [full]) as lab, said(lab) as run:
        name = NAMES[4]
        run(f"UPDATE {quoted(lab, name)} SET {quoted(lab, name)} = 'two' WHERE id = 1")
        forget(lab)
        with pytest.raises(Different, match=r"two\?lines") as found:
            compared(lab, hashes)
        assert "goods" not in found.value.message
        run(f"DROP TABLE {quoted(lab, '--dash')}")
        forget(lab)
        with pytest.raises(Different, match="--dash"):
            compared(lab, hashes)


@pytest.mark.engines(*SQL)
def test_a_database_that_is_written_all_the_time_is_never_called_another(
    kind: tuple[str, str], source: Lab
) -> None:
    """Also the table that is written to is left out, or is as it is in the backup."""
    with written(source):
        links = [hashed(source)]
        if registry.get(kind[0]).chains(kind[1]):
            links.append(hashed(source, links[0][0].mark))
    for number, (_, hashes) in enumerate(links, 1):
        assert hashes.none is None, hashes.none
        assert {"goods", "kinds"} <= names(hashes) and "pairs" not in names(hashes)
        assert hashes.left_out[CHANGED] == 1
        with restored(kind, [link for link, _ in links[:number]]) as lab:
            equal = compared(lab, hashes)["equal"]
            assert equal == len(hashes.tables) >= len(NAMES)


@pytest.mark.engines(*LATE)
def test_what_was_written_after_the_backup_is_left_out(source: Lab) -> None:
    with ended(source) as found, said(source) as run:
        run("INSERT INTO goods VALUES (1000, 'after')")
    assert found[0].left_out[CHANGED] == 1 and found[0].none is None
    assert "goods" not in names(found[0]) and "kinds" in names(found[0])
    with said(source) as run:
        run("DELETE FROM goods WHERE id = 1000")


@pytest.mark.engines(*LATE)
def test_what_began_before_the_end_and_was_committed_after_it_is_left_out(
    source: Lab,
) -> None:
    """Nothing of it is in the backup, and all of it is seen by who reads after it."""
    tool = source.engine.backups()
    tool.rows().expect(Limits(WITHIN))
    with working(source, "backup") as work, said(source) as run:
        with source.machine.reading(*tool.stages(work), within=60) as stream:
            run("START TRANSACTION")
            run("INSERT INTO goods VALUES (1001, 'before the end')")
            while stream.read(2**20):
                pass
        mark = tool.mark(work)
        run("COMMIT")
        found = tool.rows().taken(mark)
        run("DELETE FROM goods WHERE id = 1001")
    assert found.left_out[CHANGED] == 1 and found.none is None
    assert "goods" not in names(found) and "kinds" in names(found)


@pytest.mark.engines(*LATE)
def test_a_definition_that_is_changed_meanwhile_leaves_nothing_to_compare(
    source: Lab,
) -> None:
    with ended(source) as found, said(source) as run:
        run("ALTER TABLE goods ADD COLUMN more INT DEFAULT 7")
    assert found[0].none or "goods" not in names(found[0])
    with said(source) as run:
        run("ALTER TABLE goods DROP COLUMN more")


@pytest.mark.engines("mariadb")
def test_rows_that_go_with_those_of_another_table_are_left_out(source: Lab) -> None:
    """The server takes them away by itself, and its log does not say so."""
    with ended(source) as found, said(source) as run:
        run("DELETE FROM parents WHERE id = 1")
    assert not {"parents", "children"} & names(found[0]) and "goods" in names(found[0])
    assert found[0].left_out[CHANGED] == 2


@pytest.mark.engines("postgresql")
def test_what_is_reckoned_or_locked_is_no_change(source: Lab) -> None:
    """Which a server does by itself, at any time."""
    with ended(source) as found, said(source) as run:
        run("ANALYZE goods")
        run("SELECT * FROM goods FOR UPDATE")
        run("VACUUM goods")
    assert found[0].none is None and {"goods", "kinds"} <= names(found[0])


@pytest.mark.engines("postgresql")
def test_what_is_written_in_a_part_of_a_transaction_is_left_out(source: Lab) -> None:
    with ended(source) as found, said(source) as run:
        run("BEGIN")
        run("SAVEPOINT part")
        run("DELETE FROM parts WHERE id = 1")
        run("RELEASE part")
        run("COMMIT")
    assert "parts_one" not in names(found[0]) and "goods" in names(found[0])


@pytest.mark.engines("postgresql")
def test_where_a_transaction_began_before_the_backup_nothing_is_compared(
    source: Lab,
) -> None:
    """What it wrote before is in a log that nobody holds any more."""
    with said(source) as run:
        run("BEGIN")
        run("INSERT INTO goods VALUES (2000, 'long before')")
        with ended(source) as found:
            run("INSERT INTO parts VALUES (1, 'y')")
            run("COMMIT")
        run("DELETE FROM goods WHERE id = 2000")
    assert found[0].none is not None and "began before" in found[0].none


@pytest.mark.engines("mariadb", "mysql")
def test_what_runs_by_itself_where_it_is_restored_is_no_difference(
    kind: tuple[str, str], source: Lab
) -> None:
    """An event of a tenant's that changes rows as soon as the server starts."""
    every = "ON SCHEDULE EVERY 1 SECOND DO"
    source.client.admin("SET GLOBAL event_scheduler = OFF")
    with said(source) as run:
        run("CREATE TABLE ticks (n INT)")
        run(f"CREATE EVENT tick {every} INSERT INTO ticks VALUES (1)")
    full, hashes = hashed(source)
    assert {"ticks", "goods"} <= names(hashes)
    with said(source) as run:
        run("DROP EVENT tick")
    with restored(kind, [full]) as lab:
        lab.client.admin("SET GLOBAL event_scheduler = ON")
        end = time.monotonic() + 30
        while not lab.client.admin("SELECT 1 FROM shop.ticks LIMIT 1"):
            assert time.monotonic() < end
            time.sleep(0.1)
        found = compared(lab, hashes)
    assert found[CHANGED] == 1 and found["equal"] == len(hashes.tables) - 1


@pytest.mark.engines("mariadb", "mysql")
def test_what_a_job_that_died_has_left_reading_is_ended_by_the_next(
    source: Lab,
) -> None:
    running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE "
    begun = f"{running} 'SELECT /* trove_rows%'"

    def read() -> None:
        with contextlib.suppress(source.refused):
            source.client.admin("SELECT /* trove_rows */ SLEEP(300)")

    left_over = threading.Thread(target=read)
    left_over.start()
    end = time.monotonic() + 30
    while source.client.admin(begun) != [(1,)]:
        assert time.monotonic() < end
    source.engine.backups().rows().expect(Limits(WITHIN))
    left_over.join(30)
    assert not left_over.is_alive()


@pytest.mark.engines("mariadb", "mysql")
def test_a_value_that_may_not_be_said_at_once_is_no_other_value(
    kind: tuple[str, str], source: Lab
) -> None:
    """By the least that a group may say, and the default where it is restored."""
    wide = ", ".join(f"c{n} BIGINT" for n in range(200))
    with said(source) as run:
        run(f"CREATE TABLE wide ({wide}, g GEOMETRY)")
        run(f"INSERT INTO wide VALUES ({', '.join(['9' * 18] * 200)}, NULL)")
        line = "CONCAT('LINESTRING(', REPEAT('1 2,', 999), '3 4)')"
        run(f"UPDATE wide SET g = ST_GeomFromText({line})")
    source.client.admin("SET GLOBAL max_allowed_packet = 1024")
    full, hashes = hashed(source)
    source.client.admin("SET GLOBAL max_allowed_packet = 16777216")
    assert "goods" in names(hashes) and hashes.none is None
    assert "wide" not in names(hashes) and hashes.left_out[UNREAD] >= 1
    with restored(kind, [full]) as lab:
        assert compared(lab, hashes)["equal"] == len(hashes.tables)


@pytest.mark.engines("mariadb")
def test_temporary_tables_and_new_users_are_no_change(source: Lab) -> None:
    with ended(source) as found, said(source) as run:
        run("CREATE TEMPORARY TABLE fleeting (n INT)")
        run("INSERT INTO fleeting VALUES (1)")
        run("DROP TEMPORARY TABLE fleeting")
        source.account("bob", "a word", "other")
    assert found[0].none is None and {"goods", "kinds"} <= names(found[0])


@pytest.mark.engines("valkey")
def test_a_store_of_keys_has_none(source: Lab) -> None:
    with pytest.raises(errors.NotSupported, match="hashes of its rows"):
        source.engine.backups().rows()
