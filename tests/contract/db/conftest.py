# SPDX-License-Identifier: Apache-2.0
"""The three databases: SQLite, and a private MariaDB and PostgreSQL of this test run.

The servers listen on a socket in a directory of their own, run as the user that their
packages made (when the tests run as root), and end with the test session.
"""

import contextlib
import dataclasses
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
import sqlalchemy as sa
from cryptography import fernet

from trove.db import migrate, types
from trove.db.session import Database
from trove.db.tables import Record

KINDS = [
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.mariadb),
    pytest.param("postgresql", marks=pytest.mark.postgresql),
]


@dataclasses.dataclass
class Server:
    """A private server: ``url`` is its own database's, ``of(name)`` another's."""

    process: subprocess.Popen
    url: sa.URL

    def of(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)

    def make(self, name: str) -> str:
        """A new, empty database; its URL."""
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.of(name)


def program(name: str) -> str:
    """Where a server's program is; PostgreSQL's are not on the PATH in Debian."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    found = found or next(iter(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")), None)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextlib.contextmanager
def home(user: str):
    """A directory of a server's own, and how to run as its user."""
    place = pathlib.Path(tempfile.mkdtemp(prefix=f"trove-{user}-"))
    identity = {}
    if os.getuid() == 0:
        shutil.chown(place, user, user)
        identity = {"user": user, "group": user, "extra_groups": []}
    try:
        yield place, identity
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def running(
    command: list[str], url: sa.URL, socket: pathlib.Path, end: int, **identity
):
    """The server, answering; ended by its pid."""
    log = socket.with_name("log")
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, cwd="/", **identity
        )
    try:
        engine = sa.create_engine(url)
        deadline = time.monotonic() + 60
        while True:
            # PyMySQL leaks its socket when there is nobody at the other end
            with contextlib.suppress(sa.exc.OperationalError):
                if socket.exists():
                    engine.connect().close()
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no {command[0]}: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        engine.dispose()
        yield Server(process, url)
    finally:
        process.send_signal(end)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def mariadb():
    """A MariaDB server, empty."""
    with home("mysql") as (place, identity):
        subprocess.run(
            [
                program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={place}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
            cwd="/",
            **identity,
        )
        url = sa.URL.create(
            "mysql+pymysql",
            "root",
            host="localhost",
            database="mysql",
            query={"unix_socket": f"{place}/s"},
        )
        command = [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={place}/data",
            f"--socket={place}/s",
            f"--pid-file={place}/pid",
            "--skip-networking",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-connections=200",
        ]
        with running(command, url, place / "s", signal.SIGTERM, **identity) as server:
            yield server


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server, empty."""
    with home("postgres") as (place, identity):
        subprocess.run(
            [
                program("initdb"),
                f"--pgdata={place}/data",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd="/",
            **identity,
        )
        url = sa.URL.create(
            "postgresql+psycopg",
            "postgres",
            database="postgres",
            query={"host": str(place)},
        )
        command = [
            program("postgres"),
            f"-D{place}/data",
            f"-k{place}",
            "-clisten_addresses=",
            "-cfsync=off",
            "-cmax_connections=200",
        ]
        with running(
            command, url, place / ".s.PGSQL.5432", signal.SIGINT, **identity
        ) as server:
            yield server


@pytest.fixture(scope="session")
def sealing():
    """Operations are written, and their input is sealed."""
    types.use_key(fernet.Fernet.generate_key())


@pytest.fixture(scope="session")
def migrated(request, tmp_path_factory, sealing):
    """The URL of a migrated database of each kind, made when it is first asked for."""
    urls: dict[str, str] = {}

    def url_of(kind: str) -> str:
        if kind not in urls:
            if kind == "sqlite":
                urls[kind] = f"sqlite:///{tmp_path_factory.mktemp('db')}/trove.sqlite"
            else:
                urls[kind] = request.getfixturevalue(kind).make("trove")
            database = Database(urls[kind], timeout=0)
            migrate.upgrade(database)
            database.close()
        return urls[kind]

    return url_of


@contextlib.contextmanager
def opened(url: str):
    """The database, and nothing left in it."""
    made = Database(url)
    yield made
    with made.transaction() as tx:
        for table in reversed(Record.metadata.sorted_tables):
            tx.execute(table.delete())
    made.close()


@pytest.fixture(params=KINDS)
def database(request, migrated):
    """An empty, migrated database of each kind."""
    with opened(migrated(request.param)) as made:
        yield made


@pytest.fixture(params=KINDS[1:])
def server(request, migrated):
    """The same, of those that are servers and can be lost."""
    with opened(migrated(request.param)) as made:
        yield made


@pytest.fixture(params=KINDS)
def bare(request, tmp_path, sealing):
    """A database of each kind without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/bare.sqlite"
    else:
        server = request.getfixturevalue(request.param)
        url = server.make(f"bare_{abs(hash(request.node.nodeid))}")
    made = Database(url, timeout=0)
    yield made
    made.close()
