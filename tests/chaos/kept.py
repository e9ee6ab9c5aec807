# SPDX-License-Identifier: Apache-2.0
"""The rows of the one database of all worlds: a table is read, or written back, only
where it is not as it was.

Chaos takes the state at every write and puts one back for every turn; most of the
tables are then as they were. What is written is known by the statements of its engine,
which is given to ``watch``; who writes otherwise says ``forget``.
"""

import contextlib
import re
import typing

import sqlalchemy as sa

from trove.db.tables import Record

Row = tuple[typing.Any, ...]
Rows = dict[str, list[Row]]
"""Of the tables that have any, in the order in which they stand in ``NAMES``."""

NAMES = [table.name for table in Record.metadata.sorted_tables]
WRITES = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
HARMLESS = ("SELECT", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")
"""How what writes to no table begins; what is taken back was noted before."""

_known: Rows = {}
_written = set(NAMES)


def watch(engine: sa.Engine) -> None:
    """This one: others of the process, such as other tests', are no concern."""
    sa.event.listen(engine, "before_cursor_execute", _noted)


def _noted(connection: object, cursor: object, statement: str, *_: object) -> None:
    if not statement.startswith(HARMLESS):
        named = WRITES.match(statement)
        _written.update([named[1]] if named else NAMES)


def forget() -> None:
    """Nothing is known of any table."""
    _written.update(NAMES)


def read(engine: sa.Engine) -> Rows:
    """What every table has, in the order in which it came."""
    if _written:
        with contextlib.closing(engine.raw_connection()) as raw:
            cursor = raw.cursor()
            for name in _written:
                cursor.execute(f"SELECT * FROM {name} ORDER BY rowid")
                _known[name] = cursor.fetchall()
        _written.clear()
    return {name: _known[name] for name in NAMES if _known[name]}


def write(engine: sa.Engine, rows: Rows) -> None:
    """Every table has these."""
    read(engine)
    others = [name for name in NAMES if rows.get(name, []) is not _known[name]]
    with contextlib.closing(engine.raw_connection()) as raw:
        cursor = raw.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        for name in reversed(others):
            cursor.execute(f"DELETE FROM {name}")
        for name in others:
            _known[name] = rows.get(name, [])
            if _known[name]:
                marks = ", ".join("?" * len(_known[name][0]))
                cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", _known[name])
        cursor.execute("COMMIT")
