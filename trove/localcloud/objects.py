# SPDX-License-Identifier: Apache-2.0
"""The object store's contents: accounts, containers and objects of the local cloud.

What an object holds is a file of its own; everything else is in one SQLite file. The
file is whole on the disk before its row says so, and goes after its row: a process that
dies in between leaves a file that nobody knows, which the next start removes.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import sqlite3
import threading
import time
import typing
import uuid

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    account TEXT PRIMARY KEY, meta TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS containers (
    account TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL,
    meta TEXT NOT NULL, PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    account TEXT NOT NULL, container TEXT NOT NULL, name TEXT NOT NULL,
    file TEXT NOT NULL, bytes INTEGER NOT NULL, etag TEXT NOT NULL,
    type TEXT NOT NULL, modified REAL NOT NULL, expires REAL,
    meta TEXT NOT NULL, segments TEXT, manifest TEXT,
    PRIMARY KEY (account, container, name)
) WITHOUT ROWID;
"""
BLOCK = 1 << 18
"""Bytes that are held at once."""
MOST_LISTED = 10_000

Meta = dict[str, str]


class Short(Exception):
    """Less came than was announced."""


@dataclasses.dataclass(slots=True)
class Object:
    """One object. ``segments`` are a static large object's, in their order;
    ``manifest`` (``container/prefix``) makes it a dynamic one."""

    name: str
    file: str
    bytes: int
    etag: str
    type: str
    modified: float
    expires: float | None = None
    meta: Meta = dataclasses.field(default_factory=dict)
    segments: list[dict[str, typing.Any]] | None = None
    manifest: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """One container, and what is in it."""

    name: str
    meta: Meta
    created: float
    count: int
    bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for."""

    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    end: str = ""
    limit: int = MOST_LISTED


COLUMNS = ", ".join(field.name for field in dataclasses.fields(Object))
LIVING = "(expires IS NULL OR expires > ?)"


class Objects:
    """All of it; threads take turns, except for the objects' own bytes."""

    def __init__(
        self, home: pathlib.Path, clock: typing.Callable[[], float] = time.time
    ) -> None:
        self._data = home / "data"
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = home / "objects.sqlite"
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        self._clock = clock
        self._turn = threading.RLock()
        self._sql = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._sql.execute(f"PRAGMA {pragma}")
        self._sql.executescript(TABLES)
        self._sweep()

    def close(self) -> None:
        """The file is let go."""
        with self._turn:
            self._sql.close()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    @contextlib.contextmanager
    def _transaction(self) -> typing.Iterator[sqlite3.Connection]:
        with self._turn:
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield self._sql
            except BaseException:
                self._sql.execute("ROLLBACK")
                raise
            self._sql.execute("COMMIT")

    def _sweep(self) -> None:
        """What has expired goes, and every file that no object is."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM objects WHERE expires <= ?", (self._clock(),))
            known = {row[0] for row in sql.execute("SELECT file FROM objects")}
        for file in self._data.iterdir():
            if file.name not in known:
                file.unlink(missing_ok=True)

    # -- accounts and containers

    def account(self, account: str) -> Meta:
        """What is said of an account; every project has one."""
        with self._turn:
            row = self._sql.execute(
                "SELECT meta FROM accounts WHERE account = ?", (account,)
            ).fetchone()
        return typing.cast(Meta, json.loads(row[0])) if row else {}

    def describe_account(self, account: str, meta: Meta) -> None:
        """Some of what is said of it changes; an empty value is taken away."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?)",
                (account, json.dumps(_merged(self.account(account), meta))),
            )

    def containers(self, account: str) -> list[Container]:
        """By name."""
        return self._containers("c.account = ?", account)

    def container(self, account: str, name: str) -> Container | None:
        """One of them."""
        found = self._containers("c.account = ? AND c.name = ?", account, name)
        return found[0] if found else None

    def _containers(self, which: str, *names: str) -> list[Container]:
        counted = (
            "SELECT c.name, c.meta, c.created, count(o.name), sum(o.bytes) "  # noqa: S608 - our words
            "FROM containers c LEFT JOIN objects o ON o.account = c.account "
            f"AND o.container = c.name AND {LIVING} "
            f"WHERE {which} GROUP BY c.name ORDER BY c.name"
        )
        with self._turn:
            rows = self._sql.execute(counted, (self._clock(), *names)).fetchall()
        return [
            Container(name, json.loads(meta), created, count, size or 0)
            for name, meta, created, count, size in rows
        ]

    def describe_container(self, account: str, name: str, meta: Meta) -> bool:
        """It is there, with this said of it too; whether it was made by this."""
        with self._transaction() as sql:
            row = sql.execute(
                "SELECT meta, created FROM containers WHERE account = ? AND name = ?",
                (account, name),
            ).fetchone()
            old, created = (json.loads(row[0]), row[1]) if row else ({}, self._clock())
            sql.execute(
                "INSERT OR REPLACE INTO containers VALUES (?, ?, ?, ?)",
                (account, name, created, json.dumps(_merged(old, meta))),
            )
        return row is None

    def delete_container(self, account: str, name: str) -> None:
        """One that is empty."""
        with self._transaction() as sql:
            sql.execute(
                "DELETE FROM containers WHERE account = ? AND name = ?", (account, name)
            )

    # -- objects

    def listed(self, account: str, container: str, asked: Asked) -> list[Object | str]:
        """Objects by name; where names share what comes before the delimiter, that."""
        found: list[Object | str] = []
        with self._turn:
            rows = self._sql.execute(
                f"SELECT {COLUMNS} FROM objects WHERE account = ? AND container = ? "  # noqa: S608 - names of columns
                f"AND name > ? AND {LIVING} ORDER BY name",
                (account, container, asked.marker, self._clock()),
            )
            for row in rows:
                name = row[0]
                if not name.startswith(asked.prefix):
                    continue
                if asked.end and name >= asked.end or len(found) >= asked.limit:
                    break
                rest = name[len(asked.prefix) :]
                first, cut, _ = rest.partition(asked.delimiter or "\0")
                if asked.delimiter and cut:
                    group = asked.prefix + first + cut
                    if found[-1:] != [group] and group > asked.marker:
                        found.append(group)
                else:
                    found.append(_object(row))
        return found

    def find(self, account: str, container: str, name: str) -> Object | None:
        """One that has not expired."""
        with self._turn:
            row = self._sql.execute(
                f"SELECT {COLUMNS} FROM objects WHERE account = ? AND container = ? "  # noqa: S608 - names of columns
                f"AND name = ? AND {LIVING}",
                (account, container, name, self._clock()),
            ).fetchone()
        return None if row is None else _object(row)

    def receive(self, stream: io.BufferedIOBase, length: int) -> tuple[str, str]:
        """Bytes as a file that is nobody's yet: its name, and their MD5.

        Raises ``Short`` where fewer come than ``length``.
        """
        name, digest = uuid.uuid4().hex, hashlib.md5(usedforsecurity=False)
        path = self._data / name
        try:
            with path.open("xb") as file:
                for block in _blocks(stream, length):
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return name, digest.hexdigest()

    def put(self, account: str, container: str, one: Object) -> None:
        """It is there from now on, in the place of what had its name."""
        values = dataclasses.asdict(one)
        values["meta"] = json.dumps(one.meta)
        values["segments"] = None if one.segments is None else json.dumps(one.segments)
        marks = ", ".join("?" * (len(values) + 2))
        with self._transaction() as sql:
            old = self.find(account, container, one.name)
            sql.execute(
                f"INSERT OR REPLACE INTO objects (account, container, {COLUMNS}) "  # noqa: S608 - names of columns
                f"VALUES ({marks})",
                (account, container, *values.values()),
            )
        if old is not None and old.file != one.file:
            self.drop(old.file)

    def delete(self, account: str, container: str, name: str) -> None:
        """It is there no more."""
        with self._transaction() as sql:
            old = self.find(account, container, name)
            sql.execute(
                "DELETE FROM objects WHERE account = ? AND container = ? AND name = ?",
                (account, container, name),
            )
        if old is not None:
            self.drop(old.file)

    def drop(self, file: str) -> None:
        """A file goes; who reads it reads on."""
        (self._data / file).unlink(missing_ok=True)

    def path(self, one: Object) -> pathlib.Path:
        """Where its own bytes are."""
        return self._data / one.file


def _blocks(stream: io.BufferedIOBase, length: int) -> typing.Iterator[memoryview]:
    """So many bytes, each block in the place of the one before; or ``Short``."""
    held = memoryview(bytearray(BLOCK))
    while length:
        block = held[: stream.readinto(held[:length])]
        if not block:
            raise Short
        yield block
        length -= len(block)


def _object(row: tuple[typing.Any, ...]) -> Object:
    names = [field.name for field in dataclasses.fields(Object)]
    values = dict(zip(names, row, strict=True))
    values["meta"] = json.loads(values["meta"])
    if values["segments"] is not None:
        values["segments"] = json.loads(values["segments"])
    return Object(**values)


def _merged(old: Meta, new: Meta) -> Meta:
    return {name: value for name, value in {**old, **new}.items() if value}
