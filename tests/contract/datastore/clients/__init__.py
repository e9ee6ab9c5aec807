# SPDX-License-Identifier: Apache-2.0
"""How the suite sees each engine: a module of the datastore's name, with a ``Client``.

A package elsewhere names its own: an entry point of the group ``GROUP``. Beside what a
tenant and an administrator see, it says what the suite is to set, break and order in
this engine: what no two engines have in common.
"""

import importlib
import importlib.metadata
import pathlib
import subprocess
import typing

from cryptography import x509

GROUP = "trove.datastores.clients"


class Refused(Exception):
    """The server refused a log-in or a statement."""


def known() -> list[str]:
    """The datastores that the suite knows how to look at."""
    here = pathlib.Path(__file__).parent
    own = {path.stem for path in here.glob("*.py")} - {"__init__"}
    return sorted(own | _elsewhere().names)


def client(datastore: str) -> typing.Any:
    """The class of that datastore's client."""
    if datastore in _elsewhere().names:
        return _elsewhere()[datastore].load()
    return importlib.import_module(f"{__name__}.{datastore}").Client


def _elsewhere() -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group=GROUP)


def shown(port: int, protocol: str | None) -> str:
    """The serial of the certificate that a server shows, by openssl's own client.

    Without a protocol it speaks TLS from the first byte.
    """
    turns = [] if protocol is None else ["-starttls", protocol]
    said = subprocess.run(
        ["openssl", "s_client", *turns, "-connect", f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    ).stdout
    start = said.index(b"-----BEGIN CERTIFICATE")
    return f"{x509.load_pem_x509_certificate(said[start:]).serial_number:x}"


Run = typing.Callable[[str], list[tuple[typing.Any, ...]]]
"""A tenant's statement, and its rows."""


class Sql:
    """What a tenant does with tables of one number, in SQL, and what he may not."""

    connections = "max_connections"
    spare = True
    """Whether the engine has a connection left for whoever looks after it."""
    spoken = ("sql", "rows")
    """Where in its agent, and by what, everything is said to the engine."""
    breakable = True
    """Whether a group can pass every check, and keep it from starting."""
    ages = True
    """Whether data tell of which version they are."""
    ends: typing.ClassVar[dict[str, tuple[str, ...]]] = {}
    """Of a parameter that no machine runs with at both ends of its rule: at which."""
    huge: typing.ClassVar[tuple[str, ...]] = ()
    """Those that are refused already on trial at the most that they can be."""
    begin, commit = "BEGIN", "COMMIT"
    many = (150, 250)
    """More parameters than so many may be set, and more values are beyond them."""
    evil = (
        "CREATE DATABASE theirs",
        "CREATE ROLE evil",
        "SELECT LOAD_FILE('/etc/passwd')",
        "SELECT 1 INTO OUTFILE '/srv/x'",
        "COPY smalldb FROM PROGRAM 'id'",
        "SELECT pg_read_file('/etc/passwd')",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
        "SET GLOBAL read_only = 0",
        "ALTER SYSTEM SET ssl = off",
        "SELECT * FROM trove_internal.beat",
        "SELECT * FROM mysql.global_priv",
        "SELECT * FROM pg_authid",
    )

    def answers(self, run: Run) -> bool:
        return run("SELECT 1") == [(1,)]

    def make(self, run: Run, table: str) -> None:
        run(f"CREATE TABLE {table} (a INT)")

    def put(self, run: Run, table: str, number: int) -> None:
        run(f"INSERT INTO {table} VALUES ({number})")

    def numbers(self, run: Run, table: str) -> list[int]:
        return [number for (number,) in run(f"SELECT a FROM {table}")]

    def alter(self, run: Run, table: str) -> None:
        run(f"ALTER TABLE {table} ADD COLUMN b INT")

    def drop(self, run: Run, table: str) -> None:
        run(f"DROP TABLE {table}")

    def say(self, run: Run, words: str) -> None:
        run(f"SELECT '{words}'")

    def logged(self, path: str) -> str:
        """What is written since it was told to log everything."""
        return pathlib.Path(path).read_text()

    def slow(self) -> str:
        """What it keeps of slow statements, beside files."""
        return ""
