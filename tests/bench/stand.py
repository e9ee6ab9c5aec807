# SPDX-License-Identifier: Apache-2.0
"""Ours as a target: every process real, the cloud and the guests done at once.

RabbitMQ with both virtual hosts and TLS, a MariaDB that flushes at each commit,
trove-api with two workers, one trove-taskmanager and one trove-conductor, with their
defaults but for quotas and rates.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing

import pymysql
import requests

from tests.bench import beats, seed, target
from tests.bench.cloud import MANAGEMENT, USERS
from tests.bench.target import Plain
from tests.system.faults.hosted import LOOPBACK, ROOT, Hosted
from tests.system.faults.servers import until
from trove.localcloud import rabbitmq

GUESTS_USER = "bench-guests"
PROCESSES = ("conductor", "taskmanager", "api")
QUOTA = {"instances": 100000, "volumes": 1000000}


class Stand(Hosted):
    """All of it, on one machine."""

    host = LOOPBACK

    def __init__(self, sizes: typing.Iterable[int]) -> None:
        super().__init__("bench", tag="tbn", ports=_free())
        self.name, self.backend = "trove", "threading"
        self.port = self.place.api_port
        self.projects = {str(n): f"{n:032d}" for n in sizes}
        self.projects["create"] = f"{777:032d}"
        self.shown: dict[str, str] = {}
        self.processes: tuple[str, ...] = PROCESSES
        self._tokens: dict[str, str] = {}

    @property
    def cloud(self) -> str:
        return f"http://{LOOPBACK}:{self.place.cloud_port}"

    @property
    def socket(self) -> str:
        """Of the database, for its root."""
        return str(self.home / "mariadb" / "s")

    @property
    def _database_port(self) -> int:
        return self.place.ports + 33

    # -- up and down

    def start(self) -> None:
        """Everything but the daemons of Trove: ``use`` starts them."""
        self.prepare()
        self.daemons["rabbitmq"].spawn()
        self._mariadb()
        self._python("cloud", str(self.place.cloud_port))
        for name in ("rabbitmq", "mariadb", "cloud"):
            self.daemons[name].wait_ready()
        rabbitmq.setup(self.place)
        self._fill()
        self._guests()

    def stop(self) -> None:
        """Nothing is left, but the logs when $TROVE_BENCH_LOGS names a directory."""
        self.end((*self.processes, "guests", "cloud", "mariadb"), "TROVE_BENCH_LOGS")

    def rest(self) -> None:
        """Ours stand still while another is measured."""
        for name in self.processes:
            if name in self.daemons:
                self.daemons[name].stop()

    def use(self, backend: str) -> None:
        """From the next start of each, on this concurrency backend."""
        self.rest()
        self.backend, self.name = backend, f"trove/{backend}"
        self._configure()

    def conductors(self, number: int) -> None:
        """So many, which ``restart`` starts by name; each but the first is numbered."""
        more = [f"conductor-{n}" for n in range(2, number + 1)]
        self.processes = (*PROCESSES, *more)
        self._configure()

    def _configure(self) -> None:
        identity = f"{self.cloud}/identity/v3"
        token = {
            "auth_type": "password",
            "auth_url": identity,
            "www_authenticate_uri": identity,
            "username": "trove",
            "password": "x",
            "user_domain_name": "Default",
            "project_name": "service",
            "project_domain_name": "Default",
            "service_token_roles": "service",
            "service_token_roles_required": "true",
        }
        cloud = {"deployment": "bench", "auth_url": identity, "password": "x"}
        where = f"{LOOPBACK}:{self._database_port}"
        self.configure(
            f"mysql+pymysql://trove:trove@{where}/trove",
            self.processes,
            {
                "trove": {
                    "DEFAULT": {"concurrency_backend": self.backend},
                    "cloud": cloud,
                    "quota": QUOTA,
                },
                "api": {"keystone_authtoken": token},
                "taskmanager": {"taskmanager": {"management_network": "guests"}},
            },
        )

    def _python(self, module: str, *words: str) -> None:
        argv = [sys.executable, "-m", f"tests.bench.{module}", *words]
        ready = lambda: _open(int(words[0]))  # noqa: E731
        self.daemon(module, argv, ready, cwd=ROOT).spawn()

    def _mariadb(self) -> None:
        place = self.home / "mariadb"
        place.mkdir(mode=0o755)
        how: dict[str, typing.Any] = {}
        if os.geteuid() == 0:
            shutil.chown(place, "mysql", "mysql")
            how = {"user": "mysql", "group": "mysql", "extra_groups": []}
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={place}/data"]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True, cwd="/", **how)
        argv = [shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or "mariadbd"]
        argv += ["--no-defaults", f"--datadir={place}/data", f"--socket={place}/s"]
        argv += [f"--pid-file={place}/pid", f"--bind-address={LOOPBACK}"]
        argv += [f"--port={self._database_port}", "--skip-name-resolve"]
        # As a server is used: the log is flushed at every commit, which is the default.
        argv += ["--innodb-buffer-pool-size=512M", "--max-connections=400"]
        ready = lambda: _open(self._database_port)  # noqa: E731
        self.daemon("mariadb", argv, ready, **how).spawn()

    def _fill(self) -> None:
        """The schema, the datastore, and the projects to look at."""
        with pymysql.connect(unix_socket=self.socket, user="root") as line:
            at = line.cursor()
            at.execute("CREATE DATABASE trove")
            at.execute("CREATE USER trove@'127.0.0.1' IDENTIFIED BY 'trove'")
            at.execute("GRANT ALL ON trove.* TO trove@'127.0.0.1'")
        self.database = pymysql.connect(
            unix_socket=self.socket, user="root", database="trove", autocommit=True
        )
        self._configure()
        self.manage("db", "sync")
        words = ("datastore", "version", "register", "mariadb", "10.11")
        how = ("--manager", "mariadb", "--image-tags", "trove,guest", "--default")
        self.manage(*words, *how)
        for number, project in self.projects.items():
            if number.isdigit():
                self.shown[number] = seed.fill(self.database, project, int(number))

    def _guests(self) -> None:
        """One user for all: it may say whose message a message is."""
        access, password = self.access, "bench"
        session = requests.Session()
        session.auth = (access.broker_user, access.broker_password)
        vhost = requests.utils.quote(rabbitmq.GUESTS_VHOST, safe="")
        may = dict.fromkeys(("configure", "write", "read"), ".*")
        for path, body in (
            (f"users/{GUESTS_USER}", {"password": password, "tags": "impersonator"}),
            (f"permissions/{vhost}/{GUESTS_USER}", may),
        ):
            url = f"{access.broker_url}/api/{path}"
            session.put(url, json=body, timeout=10).raise_for_status()
        session.close()
        self.line = (
            *(access.guest_hosts[0], rabbitmq.GUESTS_VHOST, GUESTS_USER, password),
            access.ca_file,
        )
        self._python("guests", str(self.place.cloud_port), *self.line, "30")

    # -- as a target

    def token(self, project: str) -> str:
        if project not in self._tokens:
            url = f"{self.cloud}/identity/v3"
            self._tokens[project] = target.keystone(url, "bench", "x", project)
        return self._tokens[project]

    def order(self, name: str) -> Plain:
        database = {"name": "app"}
        user = {"name": "app", "password": "a-password-1", "databases": [database]}
        return {
            "instance": {
                "name": name,
                "flavorRef": "2",
                "volume": {"size": 1},
                "datastore": {"type": "mariadb", "version": "10.11"},
                "nics": [{"net-id": USERS}],
                "databases": [database],
                "users": [user],
            }
        }

    def pids(self) -> dict[str, int]:
        names = (*self.processes, "mariadb", "rabbitmq")
        return {name: self.daemons[name].pid for name in names}

    def restart(self, process: str) -> float | None:
        if process in self.daemons:
            self.daemons[process].stop()
        self.ready_file(process).unlink(missing_ok=True)
        begun = time.perf_counter()
        self.trove(process).spawn()
        if process == "api":
            target.answering(self)
            if not self.daemons[process].alive():
                raise RuntimeError(f"another answers on port {self.port}")
        else:
            self.daemons[process].wait_ready()
        return time.perf_counter() - begun

    def statuses(self, project: str) -> dict[str, str]:
        return seed.statuses(self.database, project)

    def counters(self) -> dict[str, int]:
        return seed.counters(self.database)

    def wipe(self, project: str) -> None:
        """Through the API, as a user would."""
        ids = list(self.statuses(project))
        session = requests.Session()
        session.headers["X-Auth-Token"] = self.token(project)
        url = f"http://{self.host}:{self.port}/v1.0/{project}/instances"
        for id in ids:
            session.delete(f"{url}/{id}", timeout=30).raise_for_status()
        session.close()
        until("all are deleted", lambda: not self.statuses(project), 180)

    def pause(self, stopped: bool) -> None:
        number = signal.SIGSTOP if stopped else signal.SIGCONT
        self.daemons["taskmanager"].send(number)

    def heartbeats(self, instances: int, count: int, rate: float) -> Plain | None:
        largest = max((n for n in self.projects if n.isdigit()), key=int)
        ids = seed.ids(self.database, self.projects[largest], instances)
        with beats.Beats(self.database, self.line, ids) as beating:
            beating.warm()
            return beating.paced(count, rate) if rate else beating.burst(count)


def _open(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
        return True
    except OSError:
        return False


def _free() -> int:
    """The first of a hundred ports that no other stand has."""
    for first in range(16000, 16900, 100):
        if not _open(first + 69):  # where RabbitMQ's port mapper would be
            return first
    raise RuntimeError("no ports are free")


__all__ = ["MANAGEMENT", "Stand"]
