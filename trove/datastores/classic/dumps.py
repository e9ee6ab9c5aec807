# SPDX-License-Identifier: Apache-2.0
"""A database of a tenant's said in SQL, by the engine's own dump; and SQL taken.

Who says it comes in by the socket as an account that is made for it, reads that
database alone, and is gone when it is said. Its password is in a file for the tool's
user, in memory; one that a process left that died says nothing to anybody.

SQL is taken by the engine's own client, with its own commands switched off, as an
account with a tenant's rights in the one database. What is made runs with the rights of
that account (a tenant's SQL may name no other definer): it stays, locked, one for each
database.
"""

import contextlib
import dataclasses
import secrets
import typing

from trove import errors
from trove.datastores.classic.accounts import WITHIN, Accounts, quoted
from trove.datastores.classic.names import loader
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

CLIENT = (
    # switches off all commands of the client's own, but for the delimiter
    "--binary-mode",
    "--batch",
    "--local-infile=0",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
)
UNPRESS = {
    b"\x28\xb5\x2f\xfd": ("zstd", "--quiet", "--decompress", "--stdout"),
    b"\x1f\x8b": ("gzip", "--quiet", "--decompress", "--stdout"),
}
"""By how what is pressed begins; what begins otherwise is SQL."""
NAME = r"(`([^`]|``)*`|'[^']*'|[A-Za-z0-9_$.]+)"
WITHOUT_DEFINERS = (
    rf"s;^((/\*!5[0-9]{{4,5}} )?(CREATE ?(\*/ )?)?(/\*!5[0-9]{{4,5}} )?)"
    rf"DEFINER=({NAME}@{NAME}|CURRENT_USER(\(\))?) ?;\1;"
)
"""For sed: of lines as the engines' dumps begin statements with."""


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
    client: tuple[str, ...]
    """The engine's own client, and what it alone is told."""
    user: str
    """As whom the tools run."""


class Tool:
    """``dumping.Dumps`` of one server."""

    def __init__(self, host: Host, places: Places, dialect: Dialect) -> None:
        self._host, self._places, self._dialect = host, places, dialect

    @contextlib.contextmanager
    def saying(self, database: str) -> typing.Iterator[tuple[Stage, ...]]:
        """The account is there as long as the block."""
        password = secrets.token_urlsafe(32)
        try:
            with self._file(password) as file:
                self._enter(database, password)
                yield self._stages(database, file, password)
        finally:
            self.forget()

    @contextlib.contextmanager
    def taking(self, database: str, begin: bytes) -> typing.Iterator[tuple[Stage, ...]]:
        """The account may enter as long as the block."""
        own, password, name = self._dialect, secrets.token_urlsafe(32), loader(database)
        account = quoted(name, "localhost")
        proof, where = own.accounts.proof(password), own.accounts.written(database)
        try:
            with self._file(password) as file:
                with self._open() as talk:
                    talk.rows(f"CREATE USER IF NOT EXISTS {account} {proof}", WITHIN)
                    talk.rows(f"ALTER USER {account} {proof} ACCOUNT UNLOCK", WITHIN)
                    talk.rows(f"GRANT ALL PRIVILEGES ON {where}.* TO {account}", WITHIN)
                yield self._loading(database, begin, file, name)
        finally:
            self.forget(database)

    def forget(self, database: str | None = None) -> None:
        """The one is gone, the other locked: what it made is its own."""
        self._host.remove(self._host.path(FOLDER))
        with self._open() as talk:
            if database is None:
                talk.rows(f"DROP USER IF EXISTS {WHO}", WITHIN)
            else:
                account = quoted(loader(database), "localhost")
                talk.rows(f"ALTER USER IF EXISTS {account} ACCOUNT LOCK", WITHIN)

    def _loading(
        self, database: str, begin: bytes, file: str, name: str
    ) -> tuple[Stage, ...]:
        own = self._dialect
        pressed = [argv for magic, argv in UNPRESS.items() if begin.startswith(magic)]
        client = (
            own.client[0],
            f"--defaults-file={file}",
            f"--socket={self._places.socket}",
            f"--user={name}",
            *CLIENT,
            *own.client[1:],
            f"--database={database}",
        )
        # bytes that are no text in any language have to pass, too
        definers = ("env", "LC_ALL=C", "sed", "--regexp-extended", WITHOUT_DEFINERS)
        return tuple(
            Stage(argv, user=own.user) for argv in (*pressed, definers, client)
        )

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
        with self._open() as talk:
            if not own.accounts.has_database(talk, database):
                raise errors.DatabaseNotFound(database=database)
            talk.rows(f"DROP USER IF EXISTS {WHO}", WITHIN)
            talk.rows(f"CREATE USER {WHO} {own.accounts.proof(password)}", WITHIN)
            where = own.accounts.written(database)
            talk.rows(f"GRANT {own.rights} ON {where}.* TO {WHO}", WITHIN)
            talk.rows(own.beyond, WITHIN)

    def _open(self) -> contextlib.AbstractContextManager[Talk]:
        return opened(self._dialect.talk, self._places.socket, WITHIN)

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
