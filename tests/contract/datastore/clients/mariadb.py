# SPDX-License-Identifier: Apache-2.0
"""A tenant's and an administrator's view of MariaDB."""

import contextlib
import pathlib
import ssl
import typing

import pymysql

from tests.contract.datastore.clients import Refused, Sql, shown
from tests.contract.datastore.machine import Machine


class Client(Sql):
    """A tenant's and an administrator's view of MariaDB."""

    unit = "mariadb.service"
    memory = "SELECT @@innodb_buffer_pool_size"
    superuser = "root"
    lock = ("LOCK TABLES t WRITE",)
    timeouts: typing.ClassVar = {
        "max_statement_time": 0.001,
        "wait_timeout": 1,
        "lock_wait_timeout": 0,
        "innodb_lock_wait_timeout": 0,
        "idle_transaction_timeout": 1,
        "idle_readonly_transaction_timeout": 1,
        "idle_write_transaction_timeout": 1,
    }
    words: typing.ClassVar = {
        "character_set_server": "latin1",
        "collation_server": "latin1_bin",
        "default_storage_engine": "Aria",
        "default_time_zone": "+02:00",
        "lc_time_names": "de_DE",
        "optimizer_switch": "index_merge=off,mrr=on",
    }
    setting = "SELECT @@global.{}"
    live: typing.ClassVar = {"max_connections": 77, "wait_timeout": 601}
    says: typing.ClassVar = ["77", "601"]
    waiting: typing.ClassVar = {"performance_schema": True}
    fatal: typing.ClassVar = {"default_time_zone": "Middle/Earth"}
    noisy: typing.ClassVar = {
        "slow_query_log": True,
        "long_query_time": 0,
        "log_warnings": 9,
    }
    ends: typing.ClassVar = {
        "innodb_buffer_pool_size": (),  # how small it may become is its own sum
        "innodb_log_file_size": ("min",),
    }
    huge = ("innodb_buffer_pool_size",)
    rounded = "tmp_table_size"
    refused: typing.ClassVar = {"character_set_server": "klingon"}
    harmless = "join_cache_level"
    switched = ("slow_query", "slow_query_log", False)
    certified = ("ALTER USER {} REQUIRE X509", "ALTER USER {} REQUIRE NONE")
    by_hand = (
        'CREATE USER {user} IDENTIFIED BY "{password}"',
        "GRANT SELECT ON {database}.* TO {user}",
    )
    beyond_root = (
        "SELECT LOAD_FILE('/etc/passwd')",
        "SHUTDOWN",
        "SET GLOBAL general_log_file = '/tmp/x'",
    )
    dialect: typing.ClassVar = {
        "sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
        "character_set_server": "gbk",
    }

    def __init__(self, machine: Machine, port: int, ca: str) -> None:
        self._machine = machine
        self._socket = machine.path("/run/mysqld/mysqld.sock")
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
        context = ssl.create_default_context(cafile=self.ca) if tls else None
        if context is not None and pair is not None:
            context.load_cert_chain(*pair)
        where: dict[str, typing.Any] = {"host": "127.0.0.1", "port": self._port}
        yield from self._talk(
            **where,
            user=user,
            password=password.encode(),
            database=database,
            ssl=context,
            ssl_disabled=not tls,
        )

    def admin(self, statement: str) -> list[tuple[typing.Any, ...]]:
        with contextlib.contextmanager(self._talk)(
            unix_socket=self._socket, user="root"
        ) as run:
            return run(statement)

    def users(self) -> dict[str, str]:
        rows = self.admin("SELECT User, Host, Priv FROM mysql.global_priv")
        grants = self.admin("SELECT User, Host, Db, Select_priv FROM mysql.db")
        return {
            user: f"{host} {priv} {sorted(g for g in grants if g[0] == user)}"
            for user, host, priv in rows
        }

    def databases(self) -> set[str]:
        return {name for (name,) in self.admin("SHOW DATABASES")}

    def made_by_an_older_one(self) -> None:
        self._info().write_text("5.5.68-MariaDB")

    def is_older(self) -> bool:
        ((version,),) = self.admin("SELECT VERSION()")
        return self._info().read_text().split("-")[0] not in version

    def _info(self) -> pathlib.Path:
        """Where mariadb-upgrade notes for which version it has been run."""
        ((data,),) = self.admin("SELECT @@datadir")
        names = ("mariadb_upgrade_info", "mysql_upgrade_info")
        found = [pathlib.Path(data) / name for name in names]
        return next((path for path in found if path.exists()), found[1])

    def takes(self, name: str, value: object, live: bool) -> bool:
        """Whether the engine takes a value as it is, set live or as an option.

        What it would only adjust, and warn, is an error in its strict mode.
        """
        if not live:
            words = ["/usr/sbin/mariadbd", "--no-defaults", f"--{name}={value}"]
            done = self._machine.run(
                [*words, "--help", "--verbose"], user="mysql", check=False
            )
            told = "adjusted" in done.stderr or "[ERROR]" in done.stderr
            return not (done.returncode or told)
        with contextlib.contextmanager(self._talk)(
            unix_socket=self._socket, user="root"
        ) as run:
            run("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
            with contextlib.suppress(Refused):
                run(f"SET GLOBAL {name} = {value!r}")
                return True
        return False

    def shown(self) -> str:
        """The serial of the certificate that a new connection is shown."""
        return shown(self._port, "mysql")

    def log_everything(self, path: str) -> None:
        self.admin(f"SET GLOBAL general_log_file = '{path}'")
        self.admin("SET GLOBAL general_log = ON")

    def _talk(self, **how: typing.Any) -> typing.Iterator[typing.Any]:
        try:
            connection = pymysql.connect(charset="utf8mb4", autocommit=True, **how)
        except pymysql.MySQLError as failed:
            raise Refused(str(failed)) from failed

        def run(statement: str) -> list[tuple[typing.Any, ...]]:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                    return list(cursor.fetchall())
            except pymysql.MySQLError as failed:
                raise Refused(str(failed)) from failed

        with contextlib.closing(connection):
            yield run
