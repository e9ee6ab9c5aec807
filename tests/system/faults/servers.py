# SPDX-License-Identifier: Apache-2.0
"""A MariaDB of the laboratory's own, and a process that can die and come again."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time
import typing

import sqlalchemy as sa

FOREVER = 90.0


def until(
    what: str, look: typing.Callable[[], typing.Any], within: float = FOREVER
) -> typing.Any:
    """What ``look`` answers as soon as that is true."""
    end = time.monotonic() + within
    while True:
        if seen := look():
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(0.05)


class Daemon:
    """One process: started, waited for, signalled by its number alone."""

    def __init__(
        self,
        name: str,
        argv: list[str],
        log: pathlib.Path,
        ready: typing.Callable[[], bool],
        **how: typing.Any,
    ) -> None:
        self.name, self.argv, self.log = name, argv, log
        self._ready, self.how = ready, how
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def spawn(self) -> None:
        """Begins; ``wait_ready`` says when it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **{"cwd": "/", **self.how},
            )

    def wait_ready(self, within: float = FOREVER) -> None:
        def look() -> bool:
            assert self.alive(), f"{self.name} ended: {self.tail()}"
            return self._ready()

        until(f"{self.name} is ready ({self.log})", look, within)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int, group: bool = False) -> None:
        """To itself, or to all that it has started."""
        if self.process is not None and self.process.poll() is None:
            (os.killpg if group else os.kill)(self.process.pid, number)

    def kill(self) -> None:
        """kill -9 of it and its own children; nothing of it is left on return."""
        if self.process is not None:
            self.send(signal.SIGKILL, group=True)
            self.process.wait(30)
            self.process = None

    def stop(self, number: int = signal.SIGTERM, within: float = 30) -> None:
        """In good order; killed when that takes too long."""
        if self.process is None or not self.alive():
            return
        self.process.send_signal(number)
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


def mariadb(home: pathlib.Path) -> tuple[Daemon, str]:
    """A server that loses nothing when it is killed; and the URL of its database."""
    place = home / "mariadb"
    place.mkdir(mode=0o755)
    os.chown(place, *_mysql())
    how = {"user": "mysql", "group": "mysql", "extra_groups": []}
    subprocess.run(
        [
            *("mariadb-install-db", "--no-defaults", f"--datadir={place}/data"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        ],
        check=True,
        capture_output=True,
        cwd="/",
        **how,
    )
    url = f"mysql+pymysql://root@localhost/trove?unix_socket={place}/s"
    server = sa.make_url(url).set(database="mysql")

    def ready() -> bool:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as line:
            # PyMySQL leaks its socket when there is nobody at the other end
            if line.connect_ex(f"{place}/s"):
                return False
        engine = sa.create_engine(server, poolclass=sa.pool.NullPool)
        with contextlib.suppress(sa.exc.OperationalError), engine.connect():
            return True
        return False

    daemon = Daemon(
        "mariadb",
        [
            *("/usr/sbin/mariadbd", "--no-defaults", f"--datadir={place}/data"),
            *(f"--socket={place}/s", f"--pid-file={place}/pid", "--skip-networking"),
            *("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"),
            # killed, it has lost nothing; the machine itself is not switched off
            *("--innodb-flush-log-at-trx-commit=2", "--max-connections=300"),
        ],
        home / "mariadb.log",
        ready,
        **how,
    )
    daemon.spawn()
    daemon.wait_ready()
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as line:
        line.execute(sa.text("CREATE DATABASE trove"))
    engine.dispose()
    return daemon, url


def _mysql() -> tuple[int, int]:
    import pwd

    owner = pwd.getpwnam("mysql")
    return owner.pw_uid, owner.pw_gid
