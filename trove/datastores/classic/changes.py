# SPDX-License-Identifier: Apache-2.0
"""Which tables were written to, by the binary log between two places in it.

It says a table's name before each change of its rows. What is no change of rows (a
definition, a statement, a transaction in two phases) may be one of any table: it is
``Unclear``, and so is whatever is not known here.
"""

import re
import typing

from trove import errors
from trove.datastores.archives import Lost
from trove.datastores.classic import archive, binlog
from trove.datastores.classic.places import Places
from trove.datastores.classic.sql import Talk
from trove.datastores.rows import Bound, Where

QUERY, NAMED = 2, 19
"""The types of an event that is a statement, and of one that names a table."""
SILENT = frozenset(
    (
        *(3, 4, 15, 16, 27, 29, 41),  # of the file, of a commit, of a statement's text
        *(33, 34, 35, 42),  # a transaction's name: MySQL
        *(160, 161, 162, 163),  # the same, MariaDB
        *(23, 24, 25, 30, 31, 32, 39),  # rows of a table that was named
        *(166, 167, 168, 169, 170, 171),  # the same, compressed
    )
)
"""The types of events that change nothing but what was named."""
PLAIN = (b"BEGIN", b"COMMIT")
POINTS = (b"SAVEPOINT ", b"ROLLBACK TO ")
"""Statements that are about a transaction, and in which no other begins."""
ADMIN = re.compile(
    rb"\s*((CREATE|ALTER|DROP|RENAME)\s+(USER|ROLE)|CREATE\s+(DATABASE|SCHEMA)|GRANT"
    rb"|REVOKE|SET\s+(PASSWORD|DEFAULT\s+ROLE)|FLUSH)\b",
    re.IGNORECASE,
)
"""How those begin that are about users, or about what is empty yet."""
FIXED, STATUS = 13, 11
"""Bytes of a statement's event before its variables, and where their length is."""
TABLE = 8
"""Bytes before the names in an event that names a table."""
SHORT = 251
"""A length of one byte is less than this."""


LOOKS = 4096
"""Events between two looks at the clock."""
TOO_LONG = "there is more of it than can be read in time"


class Unclear(errors.EngineFailed):
    """The log does not say which tables were changed."""

    sentence = "its log does not say which tables were written to meanwhile: {why}"


class Place(typing.NamedTuple):
    """A file's number, and where in it."""

    file: int
    at: int


def here(talk: Talk) -> Place:
    """Where the log is by now."""
    last = archive.listed(talk)[-1]
    return Place(last.place, last.size)


def beginning(talk: Talk) -> Place:
    """Where the log begins that there is."""
    return Place(archive.listed(talk)[0].place, len(binlog.MAGIC))


def between(
    places: Places, talk: Talk, begin: Place, end: Place, bound: Bound
) -> set[Where]:
    """Tables whose rows were changed by what was committed between these places."""
    if begin > end:
        raise Unclear(why="it was begun anew")
    names = {file.place: file.name for file in archive.listed(talk)}
    found: set[Where] = set()
    for number in range(begin.file, end.file + 1):
        if number not in names:
            raise Unclear(why="a file of it is gone")
        path = f"{places.binlogs}/{names[number]}"
        first = begin.at if number == begin.file else len(binlog.MAGIC)
        last = end.at if number == end.file else None
        found |= _changed(path, first, last, bound)
    return found


def _changed(path: str, begin: int, end: int | None, bound: Bound) -> set[Where]:
    found: set[Where | None] = set()
    try:
        for number, (kind, said) in enumerate(binlog.between(path, begin, end)):
            if number % LOOKS == 0:
                bound.wanted()
                if bound.left <= 0:
                    raise Unclear(why=TOO_LONG)
            found.add(_table(kind, said))
    except OSError:
        raise Unclear(why="a file of it cannot be read") from None
    except Lost as lost:
        raise Unclear(why=lost.message) from None
    return {table for table in found if table is not None}


def _table(kind: int, said: bytes) -> Where | None:
    """The table that an event names, if it is one of these."""
    if kind == NAMED:
        return _names(said)
    if kind == QUERY:
        if not _harmless(said):
            raise Unclear(why="there is more in it than rows")
    elif kind not in SILENT:
        raise Unclear(why=f"there is an event of type {kind} in it")
    return None


def _names(said: bytes) -> Where:
    schema, rest = _text(said[TABLE:])
    table, _ = _text(rest)
    return schema, table


def _text(said: bytes) -> tuple[str, bytes]:
    """A text with its length before it and a zero behind it, and what follows."""
    length = said[0] if said else SHORT
    if length >= SHORT or len(said) < length + 2 or said[length + 1] != 0:
        raise Unclear(why="there is a table in it without a name")
    try:
        return said[1 : length + 1].decode(), said[length + 2 :]
    except UnicodeDecodeError:
        raise Unclear(why="there is a table in it without a name") from None


def _harmless(said: bytes) -> bool:
    """Whether a statement changes no row of a table that there is."""
    if len(said) < FIXED:
        return False
    status = int.from_bytes(said[STATUS:FIXED], "little")
    statement = said[FIXED + status + said[8] + 1 :]
    about = statement in PLAIN or statement.startswith(POINTS)
    return about or ADMIN.match(statement) is not None
