# SPDX-License-Identifier: Apache-2.0
"""The store: every thing of the local cloud, in one SQLite file.

A row is written before the deed it stands for, and dropped after: a process that dies
in between leaves a row that says what was meant.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import sqlite3
import string
import threading
import time
import typing

from trove.localcloud import things

T = typing.TypeVar("T", bound=things.Thing)
ALPHABET = string.ascii_letters + string.digits
TABLE = """
CREATE TABLE IF NOT EXISTS things (
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""


class Transaction:
    """Reads and writes that count together or not at all."""

    def __init__(
        self, connection: sqlite3.Connection, clock: typing.Callable[[], float]
    ) -> None:
        self._connection = connection
        self._clock = clock

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def get(self, kind: type[T], id: str) -> T | None:
        """One thing, or None."""
        row = self._connection.execute(
            "SELECT body FROM things WHERE kind = ? AND id = ?", (kind.__name__, id)
        ).fetchone()
        return kind(**json.loads(row[0])) if row else None

    def all(self, kind: type[T]) -> list[T]:
        """Every thing of a kind, oldest first."""
        rows = self._connection.execute(
            "SELECT body FROM things WHERE kind = ?", (kind.__name__,)
        )
        found = [kind(**json.loads(row[0])) for row in rows]
        return sorted(found, key=lambda thing: (thing.created, thing.id))

    def put(self, thing: things.Thing) -> None:
        """Writes a thing as it is now."""
        thing.updated = self._clock()
        body = json.dumps(dataclasses.asdict(thing))
        self._connection.execute(
            "INSERT OR REPLACE INTO things VALUES (?, ?, ?)",
            (type(thing).__name__, thing.id, body),
        )

    def drop(self, thing: things.Thing) -> None:
        """The thing is no more."""
        self._connection.execute(
            "DELETE FROM things WHERE kind = ? AND id = ?",
            (type(thing).__name__, thing.id),
        )


class Store:
    """The file, used by one process; its threads take turns."""

    def __init__(
        self, path: pathlib.Path, clock: typing.Callable[[], float] = time.time
    ) -> None:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        # User data of servers not yet built is in it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._clock = clock
        self._turn = threading.RLock()
        self._connection = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None
        )
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(TABLE)

    @contextlib.contextmanager
    def transaction(self) -> typing.Iterator[Transaction]:
        """Committed at the end of the block; rolled back when the block raises."""
        with self._turn:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection, self._clock)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """The file is let go."""
        with self._turn:
            self._connection.close()


def random_word(length: int) -> str:
    """Letters and digits that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
