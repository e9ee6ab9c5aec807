# SPDX-License-Identifier: Apache-2.0
"""A tenant's and an administrator's view of PostgreSQL."""

import contextlib
import typing

import psycopg

from tests.contract.datastore.clients import Refused, Sql, shown
from tests.contract.datastore.machine import Machine


class Client(Sql):
    """A tenant's and an administrator's view of PostgreSQL."""

    unit = "trove-postgresql.service"
    memory = "SELECT pg_size_bytes(current_setting('shared_buffers'))"
    superuser = "postgres"
    lock = ("BEGIN", "LOCK TABLE t")
    timeouts: typing.ClassVar = {
        "statement_timeout": 1,
        "lock_timeout": 1,
        "idle_session_timeout": 100,
        "idle_in_transaction_session_timeout": 100,
    }
    words: typing.ClassVar = {"datestyle": "German, DMY", "timezone": "Europe/Berlin"}
    setting = "SHOW {}"
    live: typing.ClassVar = {"work_mem": 777, "statement_timeout": 60001}
    says: typing.ClassVar = ["777kB", "60001ms"]
    waiting: typing.ClassVar = {"max_connections": 61}
    fatal: typing.ClassVar = {
        "max_connections": 20000,
        "max_locks_per_transaction": 1000000,
    }
    noisy: typing.ClassVar = {
        "log_duration": True,
        "log_min_duration_sample": 0,
        "log_statement_sample_rate": 1.0,
        "log_transaction_sample_rate": 1.0,
        "log_min_messages": "info",
    }
    ends: typing.ClassVar = {"shared_buffers": ("min",)}
    huge = ("shared_buffers",)
    rounded = "work_mem"
    refused: typing.ClassVar = {"timezone": "Middle/Earth"}
    harmless = "commit_siblings"
    switched = ("general", "log_statement", "none")
    certified = None
    by_hand = (
        "CREATE ROLE {user} LOGIN PASSWORD $${password}$$",
        "GRANT CONNECT ON DATABASE {database} TO {user}",
    )
    beyond_root = (
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET log_statement = 'all'",
        "GRANT pg_execute_server_program TO root",
        "ALTER ROLE root SUPERUSER",
    )
    dialect: typing.ClassVar = {"default_transaction_isolation": "serializable"}

    def __init__(self, machine: Machine, port: int, ca: str) -> None:
        self._socket = machine.path("/run/postgresql")
        self._port = port
        self.ca = ca

    @contextlib.contextmanager
    def login(
        self,
        user: str,
        password: str,
        database: str | None = None,
        tls: bool = True,
        pair: tuple[str, str] | None = None,
    ) -> typing.Iterator[typing.Callable[[str], list[tuple[typing.Any, ...]]]]:
        certificate, key = pair or ("", "")
        yield from self._talk(
            host="127.0.0.1",
            user=user,
            password=password,
            dbname=database or "postgres",
            sslmode="verify-full" if tls else "disable",
            sslrootcert=self.ca,
            sslcert=certificate or "/none",
            sslkey=key or "/none",
        )

    def admin(
        self, statement: str, database: str = "postgres"
    ) -> list[tuple[typing.Any, ...]]:
        with contextlib.contextmanager(self._talk)(
            host=self._socket, user="postgres", dbname=database
        ) as run:
            return run(statement)

    def users(self) -> dict[str, str]:
        rows = self.admin("SELECT rolname, pg_authid::text FROM pg_authid")
        return dict(rows)

    def databases(self) -> set[str]:
        return {name for (name,) in self.admin("SELECT datname FROM pg_database")}

    def made_by_an_older_one(self) -> None:
        """Its indexes are sorted as another library sorts."""
        self.admin("UPDATE pg_database SET datcollversion = '0.1'")

    def is_older(self) -> bool:
        statement = "SELECT 1 FROM pg_database WHERE datcollversion = '0.1'"
        return bool(self.admin(f"{statement} AND datallowconn"))

    def takes(self, name: str, value: object, live: bool) -> bool:
        """Whether the engine takes a value, though not when."""
        with contextlib.suppress(Refused):
            self.admin(f"ALTER SYSTEM SET {name} = {value!r}")
            self.admin(f"ALTER SYSTEM RESET {name}")
            return True
        return False

    def shown(self) -> str:
        """The serial of the certificate that a new connection is shown."""
        return shown(self._port, "postgres")

    def log_everything(self, path: str) -> None:
        """Of each connection that comes; 17 refuses ``ALTER SYSTEM``."""
        self.admin("ALTER ROLE ALL SET log_statement = 'all'")

    def _talk(self, **how: typing.Any) -> typing.Iterator[typing.Any]:
        try:
            connection = psycopg.connect(
                port=self._port, autocommit=True, connect_timeout=5, **how
            )
        except psycopg.Error as failed:
            raise Refused(str(failed)) from failed

        def run(statement: str) -> list[tuple[typing.Any, ...]]:
            try:
                found = connection.execute(statement)
                return found.fetchall() if found.description else []
            except psycopg.Error as failed:
                raise Refused(str(failed)) from failed

        with contextlib.closing(connection):
            yield run
