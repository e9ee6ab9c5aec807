# SPDX-License-Identifier: Apache-2.0
"""Which files were written to, by the write-ahead log; ``pg_waldump`` reads it.

A backup has what was committed before its end, and a snapshot what was committed before
that. So what counts is written by transactions that were committed in between, at
whatever time: of each that began after the log that is held all writes are in it. One
that began before it is ``Unclear``, as is one of two phases.

Nothing that a tenant chose is read: the kinds of records that are asked for have none
of his words in them.
"""

import collections
import re
import typing

from trove import errors
from trove.datastores.places import Places
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host, Stage
from trove.datastores.rows import Bound

ENDS = 60.0
LINE = re.compile(
    rb"rmgr: (\w+) .*?, tx: +(\d+), lsn: ([0-9A-F]+)/([0-9A-F]+), prev [^,]+, "
    rb"desc: (\w+)(.*)"
)
WHOSE = re.compile(rb", tx: +(\d+),")
CHILDREN = re.compile(rb"; subxacts:((?: \d+)+)")
BLOCK = re.compile(rb"\brel \d+/(\d+)/(\d+)\b")
PATH = re.compile(rb"\b(?:base|pg_tblspc/\d+/\w+)/(\d+)/(\d+)\b")
SHARED = re.compile(rb"\bglobal/(\d+)\b")
QUIET = frozenset(
    b"LOCK LOCK_UPDATED INPLACE PRUNE PRUNE_ON_ACCESS PRUNE_VACUUM_SCAN "
    b"PRUNE_VACUUM_CLEANUP VACUUM FREEZE_PAGE VISIBLE".split()
)
"""What changes no row: who locked it, what is reckoned of its table, and what is
cleared of those that are gone."""
TOLD = b"; inval msgs:"
"""In a commit that others must forget something for: of every definition."""
MOST = 300_000
"""Transactions that are kept in mind: some 50 MiB of them."""
TOO_LONG = "there is more of it than can be read in time"
LOOKS = 4096
"""Lines between two looks at the clock."""

File = tuple[int, int]
"""By the ids of its database (0: it is all databases') and of itself."""


class Unclear(errors.EngineFailed):
    """The log does not say which tables were changed."""

    sentence = "its log does not say which tables were written to meanwhile: {why}"


class Record(typing.NamedTuple):
    """What is said of one: of which kind, whose, where, and what it does."""

    manager: bytes
    transaction: int
    place: int
    deed: bytes
    rest: bytes


class Log:
    """A stretch of the log of one timeline, as bytes from its beginning."""

    def __init__(
        self, host: Host, places: Places, timeline: int, begin: int, end: int
    ) -> None:
        self._host, self._places, self._timeline = host, places, timeline
        self._begin, self._end = begin, end

    def records(
        self, bound: Bound, *managers: str, of: typing.Container[int] | None = None
    ) -> typing.Iterator[Record]:
        """Those of these kinds; only of these transactions, where they are said."""
        argv = [f"{programs(self._host)}/pg_waldump"]
        argv += [f"--path={self._places.data}/pg_wal", f"--timeline={self._timeline}"]
        argv += [f"--start={_written(self._begin)}", f"--end={_written(self._end)}"]
        argv += [f"--rmgr={name}" for name in managers]
        stage = Stage(tuple(argv), user=DATASTORE.user)
        with self._host.reading(stage, within=ENDS) as said:
            for number, line in enumerate(said):
                if number % LOOKS == 0:
                    bound.wanted()
                    if bound.left <= 0:
                        raise Unclear(why=TOO_LONG)
                if of is None or _whose(line) in of:
                    yield _record(line)


def _whose(line: bytes) -> int:
    """The transaction of a line: of most of them no more is wanted."""
    found = WHOSE.search(line)
    if found is None:
        raise Unclear(why="a line of it is not understood")
    return int(found[1])


def _record(line: bytes) -> Record:
    found = LINE.match(line)
    if found is None:
        raise Unclear(why="a line of it is not understood")
    manager, transaction, high, low, deed, rest = found.groups()
    place = (int(high, 16) << 32) + int(low, 16)
    return Record(manager, int(transaction), place, deed, rest)


def _written(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


class Unseen(typing.NamedTuple):
    """Whom a snapshot does not see: those that ran then, and all from a number on."""

    behind: int
    running: typing.Collection[int] = ()

    def has(self, one: int) -> bool:
        """Whether a transaction is one of them."""
        return one in self.running or not _before(one, self.behind)


class Sight(typing.NamedTuple):
    """What was seen of a database: from when on, until when, whom it did not see, and
    which tables the files are of. No table: nothing of that file matters."""

    database: int
    at: int
    until: int
    unseen: Unseen
    files: dict[int, int | None]


class Commits:
    """The transactions that may matter to one of these who looked, and the end of the
    backup. ``first``: of whom has a number before it not all is in the log."""

    def __init__(
        self, log: Log, first: int, sights: typing.Sequence[Sight], bound: Bound
    ) -> None:
        self._first, self._sights = first % 2**32, sights
        self._last = max(each.at for each in sights)
        self.end: int | None = None
        self._at: dict[int, int] = {}
        """Where each was committed, and each part of it."""
        self._whole: set[int] = set()
        for one in log.records(bound, "Transaction", "XLOG"):
            self._note(one)

    def _note(self, one: Record) -> None:
        if one.deed == b"BACKUP_END" and self.end is None:
            # of several the first: what is left out is more then
            self.end = one.place
        elif one.deed == b"COMMIT":
            self._committed(one)
        elif one.deed.endswith(b"_PREPARED") or one.deed == b"PREPARE":
            raise Unclear(why="there is a transaction of two phases in it")

    def _committed(self, one: Record) -> None:
        children = CHILDREN.search(one.rest)
        parts = [int(child) for child in children[1].split()] if children else []
        parts.append(one.transaction)
        if not self._matters(one, parts):
            return
        self._whole.add(one.transaction)
        self._at.update(dict.fromkeys(parts, one.place))
        if len(self._at) > MOST:
            raise Unclear(why="there was more committed than can be looked at")

    def _matters(self, one: Record, parts: list[int]) -> bool:
        """A million others do not: they were over before the backup's end, or came
        after the last snapshot and defined nothing."""
        if one.place >= self._last:
            return TOLD in one.rest
        if self.end is not None:
            return True
        return any(each.unseen.has(part) for each in self._sights for part in parts)

    def seen(self, sight: Sight) -> set[int]:
        """Those of which this one may have seen something that is not in the backup, or
        the other way: also who is committed by the log, and was not yet by what could
        be seen."""
        late = {
            at
            for one, at in self._at.items()
            if at < sight.at and sight.unseen.has(one)
        }
        return self._between(sight.at, late)

    def later(self, sight: Sight) -> set[int]:
        """Those who were over before all was read."""
        return self._between(sight.until, frozenset())

    def _between(self, end: int, late: typing.Collection[int]) -> set[int]:
        begin = typing.cast(int, self.end)
        found = {one for one, at in self._at.items() if begin <= at < end or at in late}
        if any(_before(one, self._first) for one in found & self._whole):
            raise Unclear(why="a transaction began before it")
        return found


def _files(one: Record) -> set[File]:
    found = {(int(d), int(f)) for d, f in BLOCK.findall(one.rest)}
    found |= {(int(d), int(f)) for d, f in PATH.findall(one.rest)}
    found |= {(0, int(f)) for f in SHARED.findall(one.rest)}
    if not found:
        raise Unclear(why="a record of it names no file")
    return found


def _before(one: int, other: int) -> bool:
    """Whether a transaction's number is an earlier one; they go round."""
    return (one - other) % 2**32 >= 2**31


def changed(
    log: Log, first: int, sights: typing.Sequence[Sight], bound: Bound
) -> dict[int, set[int] | None]:
    """By database: the tables that may be others by now; None: any may.

    What is no file of a table's rows is a definition, or something else that is not
    known: it may be of any table, and of any moment until all were read.
    """
    commits = Commits(log, first, sights, bound)
    if commits.end is None:
        raise Unclear(why="the end of the backup is not in it")
    found: dict[int, set[int] | None] = {each.database: set() for each in sights}
    seen = {each.database: commits.seen(each) for each in sights}
    later = {each.database: commits.later(each) for each in sights}
    every = frozenset().union(*seen.values(), *later.values())
    if not every:
        return found
    known = {each.database: each for each in sights}
    for one, (database, file), rows in _written_by(log, every, bound):
        for sight in known.values() if database == 0 else _one(known, database):
            mine, tables = sight.database, found[sight.database]
            if rows and database and file in sight.files:
                table = sight.files[file]
                if one in seen[mine] and table is not None and tables is not None:
                    tables.add(table)
            elif one in seen[mine] or one in later[mine]:
                found[mine] = None
    return found


def _written_by(
    log: Log, some: typing.Container[int], bound: Bound
) -> typing.Iterator[tuple[int, File, bool]]:
    """What these wrote to: by whom, the file, and whether it is only rows."""
    for one in log.records(bound, "Heap", "Heap2", "Storage", of=some):
        if one.deed not in QUIET:
            rows = one.manager != b"Storage"
            for file in _files(one):
                yield one.transaction, file, rows


def _one(known: dict[int, Sight], database: int) -> list[Sight]:
    return [known[database]] if database in known else []


def counted(files: typing.Iterable[tuple[int, int | None]]) -> dict[int, int | None]:
    """Files and their tables; of what two tables have, neither is known."""
    found: dict[int, int | None] = {}
    twice: collections.Counter[int] = collections.Counter()
    for file, table in files:
        twice[file] += 1
        found[file] = table
    return {file: table for file, table in found.items() if twice[file] == 1}
