# SPDX-License-Identifier: Apache-2.0
"""Hashes of rows of PostgreSQL, by the same statement as those of an upgrade.

Each database has a snapshot of its own, a little after the backup's end. What was
committed in between is in the write-ahead log, which the backup has held since before
its beginning. A table is locked against a change of its definition while it is read,
and no longer: the lock goes with the savepoint. Nothing of a tenant's is executed
(``measures``).
"""

import collections
import contextlib
import typing

import psycopg
from psycopg.sql import SQL, Identifier

from trove.datastores.places import Places
from trove.datastores.postgresql.agent import changes
from trove.datastores.postgresql.agent.changes import (
    Log,
    Sight,
    Unseen,
)
from trove.datastores.postgresql.agent.measures import (
    NAMES,
    RELATIONS,
    ROWS,
    SAME_WORDS,
)
from trove.datastores.postgresql.agent.sql import Talk, error, fill, talk
from trove.datastores.protocol import Host
from trove.datastores.rows import (
    CHANGED,
    UNLOGGED,
    Bound,
    Hashes,
    Limits,
    Table,
    Where,
    taken_of,
    tried,
)
from trove.datastores.saving import Mark

LOOK = 60.0
MARK = "trove_rows"
FIRST = "SELECT pg_current_xact_id()::text::bigint"
"""A number of our own: whoever begins later has a later one. (The end of a snapshot is
no such number: it is behind the last that is over, and others may run.)"""
QUIETLY = (
    "SET max_parallel_workers_per_gather = 0; SET jit = off; SET lock_timeout = '5s'; "
    # a group may say otherwise, and the restored server has none
    "SET lc_monetary = 'C'; SET quote_all_identifiers = off; "
    # who is gone has nothing read for him
    "SET client_connection_check_interval = '10s'"
)
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
SEEN = """\
SELECT d.oid::bigint, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
ARRAY(SELECT pg_snapshot_xip(pg_current_snapshot())::text::bigint)
FROM pg_database d WHERE d.datname = current_database()"""
HERE = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
TABLES = SQL("""\
SELECT n.nspname, c.relname, c.oid::bigint, c.relpersistence::text, \
c.relpages::bigint * 8192 FROM {relations} \
AND c.relkind = 'r' ORDER BY 1, 2""").format(relations=RELATIONS)
FILES = """\
SELECT f.relfilenode::bigint, CASE WHEN c.oid >= 16384 THEN c.oid::bigint END
FROM pg_class c JOIN pg_class f ON f.oid IN (c.oid, nullif(c.reltoastrelid, 0))
WHERE c.relkind = 'r' AND f.relfilenode <> 0 AND (c.oid >= 16384 OR c.oid IN
('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass))"""
"""Of rows, and of what is kept out of line of them. What is reckoned of a table is no
row of one; all else in the catalogues may be a definition."""
WRITTEN = (
    "SET default_transaction_read_only = off; SET synchronous_commit = on",
    "UPDATE trove_internal.beat SET n = n + 1",
)
"""A commit: all of the log that is before it is on the disk."""
FLUSHED = "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"


class Rows:
    """What its ``Backups`` answers with. ``held`` ends what holds the log."""

    def __init__(
        self, host: Host, places: Places, port: int, held: contextlib.ExitStack
    ) -> None:
        self._host, self._places, self._port = host, places, port
        self._held = held
        self.expected = False
        self._limits = Limits(0.0)
        self._begin, self._first = 0, 0

    def expect(self, limits: Limits) -> None:
        """The log is held until they were taken."""
        self.expected, self._limits = True, limits

    def begin(self, line: Talk) -> None:
        """The log is held from before here on."""
        ((self._begin,),) = line.rows(HERE, LOOK)
        # in this order: who has a later number writes after that place
        ((self._first,),) = line.rows(FIRST, LOOK)

    def taken(self, mark: Mark) -> Hashes:
        """Database by database."""
        try:
            return tried(lambda: self._taken(int(mark.words["timeline"])))
        finally:
            self._held.close()

    def again(self, tables: typing.Sequence[Where], seconds: float) -> Hashes:
        """As they are."""
        bound, wanted = Bound(Limits(seconds)), frozenset(tables)
        found: list[Hashes] = []
        for name in self._names():
            if any(where[0] == name for where in wanted):
                with self._reading(name) as line:
                    found.append(_hashed(line, name, bound, wanted)[0])
        return _together(found)

    def _taken(self, timeline: int) -> Hashes:
        bound = Bound(self._limits)
        found: list[tuple[Hashes, dict[Where, int]]] = []
        sights: list[Sight] = []
        for name in self._names():
            with self._reading(name) as line:
                ((database, at, behind, running),) = line.rows(SEEN, LOOK)
                files = changes.counted(line.rows(FILES, LOOK))
                found.append(_hashed(line, name, bound))
                ((until,),) = line.rows(HERE, LOOK)
            unseen = Unseen(int(behind) % 2**32, {int(n) % 2**32 for n in running})
            sights.append(Sight(database, at, until, unseen, files))
        if not sights:
            return Hashes()
        log = Log(self._host, self._places, timeline, self._begin, self._written())
        # reading the log has as long again: it is of no use to stop half-way
        which = changes.changed(log, self._first, sights, bound.again())
        return _together(
            [
                _without(hashes, ids, which[sight.database])
                for (hashes, ids), sight in zip(found, sights, strict=True)
            ]
        )

    def _names(self) -> list[str]:
        with talk(self._places.runtime, self._port) as line:
            return [str(name) for (name,) in line.rows(NAMES, LOOK)]

    def _written(self) -> int:
        """The end of what is on the disk by now, which is the end of a record."""
        with talk(self._places.runtime, self._port) as line:
            for statement in WRITTEN:
                line.rows(statement, LOOK)
            ((end,),) = line.rows(FLUSHED, LOOK)
        return int(end)

    @contextlib.contextmanager
    def _reading(self, database: str) -> typing.Iterator[Talk]:
        """A snapshot of a database, in the words that hashes are made of."""
        with talk(self._places.runtime, self._port, database) as line:
            for statement in (SAME_WORDS, QUIETLY, BEGIN):
                line.rows(statement, LOOK)
            yield line


def _hashed(
    line: Talk,
    database: str,
    bound: Bound,
    only: typing.Container[Where] | None = None,
) -> tuple[Hashes, dict[Where, int]]:
    """Of all its tables, or of these; and their ids."""
    left_out: collections.Counter[str] = collections.Counter()
    wanted: list[tuple[Where, int]] = []
    ids: dict[Where, int] = {}
    for schema, name, id, persistence, size in line.rows(TABLES, LOOK):
        where = (database, str(schema), str(name))
        if only is not None and where not in only:
            continue
        if persistence != "p":
            left_out[UNLOGGED] += 1
            continue
        wanted.append((where, int(size)))
        ids[where] = int(id)
    hashes = taken_of(wanted, left_out, bound, lambda *each: _of(line, *each))
    return hashes, ids


def _of(line: Talk, where: Where, within: float) -> Table:
    try:
        line.rows(f"SAVEPOINT {MARK}", LOOK)
        try:
            line.rows(f"SET LOCAL statement_timeout = {int(1000 * within)}", LOOK)
            statement = fill(ROWS, table=Identifier(*where[1:]))
            ((count, sums),) = line.rows(statement, within + LOOK)
        finally:
            line.rows(f"ROLLBACK TO SAVEPOINT {MARK}", LOOK)
    except psycopg.Error as failed:
        raise error(failed) from None
    return Table(where, int(count), str(sums))


def _without(hashes: Hashes, ids: dict[Where, int], changed: set[int] | None) -> Hashes:
    """Those of tables that nobody may have changed."""
    kept = tuple(
        table
        for table in hashes.tables
        if changed is not None and ids[table.where] not in changed
    )
    gone = len(hashes.tables) - len(kept)
    left = {**hashes.left_out, **({CHANGED: gone} if gone else {})}
    return Hashes(kept, left, unread=hashes.unread)


def _together(found: typing.Sequence[Hashes]) -> Hashes:
    left_out: collections.Counter[str] = collections.Counter()
    for each in found:
        left_out.update(each.left_out)
    return Hashes(
        tuple(table for each in found for table in each.tables),
        dict(left_out),
        unread=frozenset().union(*(each.unread for each in found)),
    )
