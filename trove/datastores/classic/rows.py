# SPDX-License-Identifier: Apache-2.0
"""The rows of tables as one transaction sees them, hashed by the server itself.

Each column's value goes in as the bytes that it has. Nothing of a tenant's is executed:
views are not read, no column is that is computed when it is read, and no trigger is
there for a SELECT. A table is locked against a change of its definition for as long as
it is read, and no longer: the lock goes with the savepoint.
"""

import collections
import contextlib
import dataclasses
import re
import typing

import pymysql

from trove import errors
from trove.datastores.classic.names import RESERVED_DATABASES
from trove.datastores.classic.sql import Talk, error, identifier, literal
from trove.datastores.rows import (
    CHANGED,
    UNTRANSACTIONAL,
    Bound,
    Hashes,
    Table,
    Where,
    taken_of,
)

LOOK = 60.0
SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
ONE_CLOCK = "SET SESSION time_zone = '+00:00'"
"""So that the text of a moment is the same on every server."""
MARK = "trove_rows"
"""A savepoint; in each statement too, by which one is known that is left over."""
SAFE = ("InnoDB",)
"""Whose rows are those of the transaction's moment."""

OURS = ", ".join(literal(name) for name in sorted(RESERVED_DATABASES))
TABLES = f"""\
SELECT table_schema, table_name, engine, COALESCE(data_length, 0)
FROM information_schema.tables WHERE table_schema NOT IN ({OURS})
AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1, 2"""  # noqa: S608 - ours
POINTS = """\
SELECT constraint_schema, table_name, unique_constraint_schema, referenced_table_name
FROM information_schema.referential_constraints"""
BEGINS = f"SELECT /* {MARK} */ "
LEFT_OVER = f"user = 'root' AND host = 'localhost' AND info LIKE '{BEGINS}%'"

NO_HASH = 10**45
"""More than the sum of all that are hashes. A server that may not say so much at once
(``max_allowed_packet``) says that there is nothing: that would be another hash where it
may say more."""
WORD = re.compile(r"\w+")
COMPUTED = "VIRTUAL"
"""In what is said beside a column that is computed when it is read."""
PLAIN = frozenset(
    "tinyint smallint mediumint int bigint decimal year date time datetime "
    "timestamp".split()
)
"""Types whose text is short, says all, and has no bar in it."""
NUMBERS = frozenset("float double bit".split())
"""Those whose text says all once they are reckoned with."""
BYTES = frozenset(
    "char varchar tinytext text mediumtext longtext binary varbinary tinyblob blob "
    "mediumblob longblob enum set".split()
)


def hash_all(
    talk: Talk,
    bound: Bound,
    changed: typing.Container[Where] = (),
    only: typing.Container[Where] | None = None,
) -> Hashes:
    """Of all tables, or of these, as a transaction of the conversation's sees them: but
    for those that were changed, which are left out."""
    left_out: collections.Counter[str] = collections.Counter()
    unread: set[Where] = set()
    wanted: list[tuple[Where, int]] = []
    for where, engine, size in _found(talk):
        if only is not None and where not in only:
            continue
        why = UNTRANSACTIONAL if engine not in SAFE else None
        why = CHANGED if why is None and where in changed else why
        if why is None:
            wanted.append((where, size))
        else:
            left_out[why] += 1
            unread.add(where)
    found = taken_of(wanted, left_out, bound, lambda *each: _hashed(talk, *each))
    return dataclasses.replace(found, unread=found.unread | unread)


def _found(talk: Talk) -> typing.Iterator[tuple[Where, str, int]]:
    """Each table, its engine, and how many bytes it has."""
    for schema, name, engine, size in talk.rows(TABLES, LOOK):
        yield (str(schema), str(name)), str(engine), int(size)


def pointing(talk: Talk) -> dict[Where, set[Where]]:
    """The tables that a change of one may change: the server itself does that for a
    foreign key, and its log says nothing of it."""
    found: dict[Where, set[Where]] = collections.defaultdict(set)
    for schema, table, to_schema, to in talk.rows(POINTS, LOOK):
        found[str(to_schema), str(to)].add((str(schema), str(table)))
    return found


def spread(changed: set[Where], pointing: dict[Where, set[Where]]) -> set[Where]:
    """These, and all that a change of theirs may change."""
    found, todo = set(changed), list(changed)
    while todo:
        for each in pointing.get(todo.pop(), set()) - found:
            found.add(each)
            todo.append(each)
    return found


def _hashed(talk: Talk, where: Where, within: float) -> Table:
    schema, name = where
    table = f"{identifier(schema)}.{identifier(name)}"
    try:
        talk.rows(f"SAVEPOINT {MARK}", LOOK)
        with _released(talk):
            columns = talk.rows(f"SHOW COLUMNS FROM {table}", LOOK)
            values = [_value(str(c[0]), str(c[1])) for c in columns if _kept(c)]
            talk.rows(talk.bounds.format(within, int(1000 * within)), LOOK)
            ((count, total),) = talk.rows(_statement(table, values), within)
    except pymysql.MySQLError as failed:
        raise error(failed) from None
    if int(total) >= NO_HASH:
        raise errors.EngineFailed(why="a value is larger than it may be said at once")
    return Table(where, int(count), f"{int(total):x}")


@contextlib.contextmanager
def _released(talk: Talk) -> typing.Iterator[None]:
    try:
        yield
    finally:
        talk.rows(f"ROLLBACK TO SAVEPOINT {MARK}", LOOK)


def _statement(table: str, values: list[str]) -> str:
    """The sum of the hashes of all rows: no order matters, and a row that is there
    twice counts twice."""
    together = ", '|', ".join(values)
    row = f"SHA2(CONCAT({together}), 256)"
    number = f"CAST(CONV(LEFT({row}, 16), 16, 10) AS UNSIGNED)"
    number = f"IFNULL({number}, {NO_HASH})"
    return f"{BEGINS}COUNT(*), COALESCE(SUM({number}), 0) FROM {table}"


def _kept(column: tuple[typing.Any, ...]) -> bool:
    return COMPUTED not in str(column[-1]).upper().split()


def _value(name: str, kind: str) -> str:
    """What stands for a column's value: a text without a bar, that no other value has;
    the bar alone for no value."""
    column, word = identifier(name), WORD.match(kind.lower())
    kind = word[0] if word else ""
    if kind in PLAIN:
        value = column
    elif kind in NUMBERS:
        value = f"({column} + 0e0)" if kind != "bit" else f"({column} + 0)"
    elif kind in BYTES:
        value = f"SHA2({column}, 256)"
    elif kind == "json":
        value = f"SHA2(CAST({column} AS CHAR), 256)"
    else:
        value = f"SHA2(HEX({column}), 256)"
    return f"IF({column} IS NULL, '|', {value})"
