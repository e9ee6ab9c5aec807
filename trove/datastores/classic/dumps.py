# SPDX-License-Identifier: Apache-2.0
"""A database of a tenant's said in SQL, by the engine's own dump.

It comes in by the socket as an account that is made for it, reads that database alone,
and is gone when it is said. Its password is in a file for the dump's user, in memory;
one that an agent left that died says nothing to anybody: the next dump has another.
"""

import contextlib
import dataclasses
import secrets
import typing

from trove import errors
from trove.datastores.classic.accounts import WITHIN, Accounts, quoted
from trove.datastores.classic.places import Places
from trove.datastores.classic.sql import Talk, literal, opened
from trove.datastores.protocol import Host, Stage

DUMPER = "trove_backup"
"""A name that is reserved; it comes from this machine only."""
WHO = quoted(DUMPER, "localhost")
FOLDER = "/run/trove-dump"

WORDS = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    "--no-tablespaces",
    "--default-character-set=utf8mb4",
)
"""What every such tool is told: one moment of the whole database, bytes as digits."""
PRESS = ("zstd", "-1", "--quiet", "--stdout")


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine does it."""

    program: str
    words: tuple[str, ...]
    """What its tool is told beside ``WORDS``."""
    talk: type[Talk]
    accounts: Accounts
    rights: str
    """In the database."""
    beyond: str
    """What lets it read the bodies of stored programs: a statement."""
    user: str
    """As whom the tool runs."""


class Tool:
    """``dumping.Dumps`` of one server."""

    def __init__(self, host: Host, places: Places, dialect: Dialect) -> None:
        self._host, self._places, self._dialect = host, places, dialect

    @contextlib.contextmanager
    def saying(self, database: str) -> typing.Iterator[tuple[Stage, ...]]:
        """The account is there as long as the block."""
        own, password = self._dialect, secrets.token_urlsafe(32)
        try:
            with self._file(password) as file:
                self._enter(database, password)
                yield self._stages(database, file, password)
        finally:
            with opened(own.talk, self._places.socket, WITHIN) as talk:
                talk.rows(f"DROP USER IF EXISTS {WHO}", WITHIN)

    def _stages(self, database: str, file: str, password: str) -> tuple[Stage, ...]:
        own = self._dialect
        argv = (
            own.program,
            f"--defaults-file={file}",
            f"--socket={self._places.socket}",
            f"--user={DUMPER}",
            *WORDS,
            *own.words,
            "--",  # a name may look like an option
            database,
        )
        hide = (password,)
        return Stage(argv, user=own.user, hide=hide), Stage(PRESS, user=own.user)

    def _enter(self, database: str, password: str) -> None:
        own = self._dialect
        with opened(own.talk, self._places.socket, WITHIN) as talk:
            if not own.accounts.has_database(talk, database):
                raise errors.DatabaseNotFound(database=database)
            talk.rows(f"DROP USER IF EXISTS {WHO}", WITHIN)
            talk.rows(f"CREATE USER {WHO} {own.accounts.proof(password)}", WITHIN)
            where = own.accounts.written(database)
            talk.rows(f"GRANT {own.rights} ON {where}.* TO {WHO}", WITHIN)
            talk.rows(own.beyond, WITHIN)

    @contextlib.contextmanager
    def _file(self, password: str) -> typing.Iterator[str]:
        """The options that a tool of that user reads."""
        folder, user = self._host.path(FOLDER), self._dialect.user
        file = f"{folder}/client.cnf"
        self._host.make_directory(folder, mode=0o700, owner=user)
        text = f"[client]\npassword={literal(password)}\n"
        self._host.write_file(file, text, mode=0o600, owner=user)
        try:
            yield file
        finally:
            self._host.remove(folder)
