# SPDX-License-Identifier: Apache-2.0
"""Every engine on a machine where a unit is an ordinary process below a new root."""

import contextlib
import dataclasses
import functools
import importlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import typing

import psycopg
import pymysql
import pytest
from cryptography import x509

from trove import errors
from trove.datastores import registry, rules
from trove.datastores.policy import Rule, Rules
from trove.datastores.protocol import Account, Database, Engine, Sizing, Tls
from trove.guestagent.host import Host
from trove.service.certificates import Authority

SIZING = Sizing(memory=512, vcpus=1)


class Machine(Host):
    """The agent's own host, but below ``root``, and with processes for units."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__()
        self.root = root
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: dict[str, str] = {}
        self.make_directory(self.path("/etc/systemd/system"))

    def path(self, path: str) -> str:
        return f"{self.root}{path}"

    def service(self, action: str, unit: str, *, timeout: float = 60.0) -> None:
        match action:
            case "start":
                self._start(unit, timeout)
            case "stop":
                self._stop(unit, timeout)
            case "restart":
                self._stop(unit, timeout)
                self._start(unit, timeout)

    def service_state(self, unit: str) -> str:
        if unit not in self.processes:
            return self.ended.get(unit, "inactive")
        return "active" if self.processes[unit].poll() is None else "failed"

    def service_result(self, unit: str) -> str:
        process = self.processes.get(unit)
        code = process.poll() if process is not None else 0
        return "success" if not code else "signal" if code < 0 else "exit-code"

    def service_log(self, unit: str, lines: int = 50) -> str:
        with contextlib.suppress(FileNotFoundError):
            text = self._log(unit).read_text(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def close(self) -> None:
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait()

    def _log(self, unit: str) -> pathlib.Path:
        return self.root / f"{unit}.log"

    def _settings(self, unit: str) -> dict[str, str]:
        text = pathlib.Path(self.path(f"/etc/systemd/system/{unit}")).read_text()
        pairs = (line.partition("=") for line in text.splitlines())
        return {key: value for key, _, value in pairs if value}

    def _start(self, unit: str, timeout: float) -> None:
        if self.service_state(unit) == "active":
            return
        settings = self._settings(unit)
        mount = settings.get("AssertPathIsMountPoint", "/")
        directory = settings["AssertPathIsDirectory"]
        if not (os.path.isdir(directory) and os.path.ismount(mount)):
            raise errors.CommandFailed(program="systemctl", code=1, why="assertion")
        user = settings["User"]
        runtime = self.path(f"/run/{settings['RuntimeDirectory']}")
        self.make_directory(runtime, owner=user)
        address = str(self.root / "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(address)
            os.chmod(address, 0o777)
            notices.settimeout(0.2)
            with self._log(unit).open("ab") as log:
                # The server must not outlive the tests, whatever happens to them.
                words = ["setpriv", "--pdeathsig=KILL", f"--reuid={user}"]
                words += [f"--regid={user}", "--clear-groups", "--"]
                self.processes[unit] = subprocess.Popen(
                    words + settings["ExecStart"].split(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={"NOTIFY_SOCKET": address, "PATH": os.environ["PATH"]},
                    cwd="/",
                    start_new_session=True,
                )
            self._wait(unit, notices, time.monotonic() + timeout)

    def _wait(self, unit: str, notices: socket.socket, end: float) -> None:
        while time.monotonic() < end and self.service_state(unit) == "active":
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notices.recv(4096):
                    return
        raise errors.CommandFailed(program="systemctl", code=1, why="not ready")

    def _stop(self, unit: str, timeout: float) -> None:
        process = self.processes.get(unit)
        if process is None:
            return
        number = getattr(signal, self._settings(unit)["KillSignal"])
        if process.poll() is None:
            process.send_signal(number)
        process.wait(timeout)
        del self.processes[unit]
        self.ended[unit] = "inactive"


class Refused(Exception):
    """The server refused a log-in or a statement."""


def shown(port: int, protocol: str) -> str:
    """The serial of the certificate that a server shows, by openssl's own client."""
    said = subprocess.run(
        ["openssl", "s_client", "-starttls", protocol, "-connect", f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    ).stdout
    start = said.index(b"-----BEGIN CERTIFICATE")
    return f"{x509.load_pem_x509_certificate(said[start:]).serial_number:x}"


class MariaDBClient:
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
    dialect: typing.ClassVar = {
        "sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
        "character_set_server": "gbk",
    }

    def __init__(self, machine: Machine, port: int, ca: str) -> None:
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
            words = ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups"]
            words += ["mariadbd", "--no-defaults", f"--{name}={value}"]
            done = subprocess.run(
                [*words, "--help", "--verbose"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
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


class PostgreSQLClient:
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
        self.admin("ALTER SYSTEM SET log_statement = 'all'")
        self.admin("SELECT pg_reload_conf()")

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


CLIENTS = {"mariadb": MariaDBClient, "postgresql": PostgreSQLClient}


@dataclasses.dataclass
class Lab:
    """One engine, prepared and running, and who looks at it."""

    machine: Machine
    engine: Engine
    client: typing.Any
    tls: Tls
    name: str
    refused: typing.ClassVar[type[Exception]] = Refused

    @property
    def rules(self) -> Rules:
        """What this engine takes of what the policy allows, as an image has it."""
        policy = registry.get(self.name).policy
        return rules.narrowed(policy, described(self.name)[1])

    def end(self, name: str, end: str) -> typing.Any:
        """A value at an end of what a parameter can be: the least, or the most."""
        return at_end(self.rules[name], end, self.client.words.get(name))

    def configure(self, **group: typing.Any) -> None:
        self.engine.configure(SIZING, self.tls, group, 7)

    def certify(self) -> str:
        """A new certificate, loaded; its serial."""
        serial = certify(self.machine.root)
        self.engine.load_certificate(self.tls)
        return serial

    def process(self) -> int:
        return self.machine.processes[self.client.unit].pid

    def account(self, name: str, password: str, *databases: str) -> None:
        self.engine.accounts.create_databases([Database(each) for each in databases])
        self.engine.accounts.create_accounts([Account(name, "%", databases, password)])


def at_end(rule: Rule, end: str, word: str | None) -> typing.Any:
    """``min`` or ``max``: of a number, of what is on or off, of a list of words."""
    first = end == "min"
    match rule:
        case {"type": "boolean"}:
            return not first
        case {"type": "string", "pattern": _}:
            return word
        case {"values": words}:
            return words[0 if first else -1]
        case {"members": words}:
            return "" if first else f"{words[0]},{words[-1]}"
    return rule[end]


@functools.cache
def described(name: str) -> tuple[str, Rules]:
    """The version of an engine, and all that it says of its parameters."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="trove-"))
    root.chmod(0o755)
    try:
        said = registry.engine(name, Machine(root)).describe()
    finally:
        shutil.rmtree(root)
    return said.version, said.rules


def certificates(root: pathlib.Path) -> Tls:
    """A CA, and a certificate of 127.0.0.1 by it."""
    Authority.create(root / "ca")
    tls = Tls(str(root / "server.pem"), str(root / "ca/ca.pem"))
    certify(root)
    return tls


def certify(root: pathlib.Path) -> str:
    """The next certificate in the place of the one before; its serial."""
    authority = Authority.load(root / "ca")
    certificate, key = authority.server_certificate([], ["127.0.0.1"])
    (root / "server.pem").write_text(key + certificate)
    return f"{x509.load_pem_x509_certificate(certificate.encode()).serial_number:x}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[getattr(pytest.mark, name), pytest.mark.root])
        for name in registry.names()
        if name in CLIENTS
    ],
)
def lab(request):
    """The engine of one datastore, initialised, configured, and started."""
    # Short: the path of a socket has at most 107 characters.
    root = pathlib.Path(tempfile.mkdtemp(prefix="trove-"))
    root.chmod(0o755)
    tls = certificates(root)
    machine = Machine(root)
    port = free_port()
    agent = importlib.import_module(registry.get(request.param).agent)
    engine = agent.engine(machine, port)
    client = CLIENTS[request.param](machine, port, tls.ca)
    made = Lab(machine, engine, client, tls, request.param)
    file = rules.write(request.param, described(request.param)[0], made.rules)
    machine.make_directory(machine.path(rules.DIRECTORY))
    machine.write_file(machine.path(rules.path(request.param)), file)
    try:
        made.configure()
        engine.initialise(SIZING, tls)
        engine.start()
        yield made
        engine.stop()
    finally:
        machine.close()
        shutil.rmtree(root, ignore_errors=True)
