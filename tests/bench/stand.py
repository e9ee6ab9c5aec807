# SPDX-License-Identifier: Apache-2.0
"""Ours as a target: every process real, the cloud and the guests done at once.

RabbitMQ with both virtual hosts and TLS, a MariaDB that flushes at each commit,
trove-api with two workers, one trove-taskmanager and one trove-conductor, with their
defaults but for quotas and rates.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing

import pymysql
import requests
from cryptography import fernet

from tests.bench import beats, seed, target
from tests.bench.cloud import MANAGEMENT, USERS
from tests.bench.target import Plain
from tests.system.faults.servers import Daemon, until
from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout
from trove.service.certificates import Authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
GUESTS_USER = "bench-guests"
PROCESSES = ("conductor", "taskmanager", "api")

CONF = """
[DEFAULT]
concurrency_backend = {backend}
[database]
connection = mysql+pymysql://trove:trove@127.0.0.1:{database}/trove
seal_keys = {home}/seal-keys
[rpc]
control_url = {access.control_url}
guests_url = {access.guests_url}
ca_file = {access.ca_file}
guest_hosts = {hosts}
broker_url = {access.broker_url}
broker_user = {access.broker_user}
broker_password = {access.broker_password}
[cloud]
name = openstack
deployment = bench
auth_url = {cloud}/identity/v3
password = x
[quota]
instances = 100000
volumes = 1000000
[oslo_concurrency]
lock_path = {home}
"""

OWN = {
    "api": """
[listen]
port = {api}
paste_config = {root}/etc/trove/api-paste.ini
[api]
default_datastore = mariadb
post_rate = 0
get_rate = 0
delete_rate = 0
[keystone_authtoken]
auth_type = password
auth_url = {cloud}/identity/v3
www_authenticate_uri = {cloud}/identity/v3
username = trove
password = x
user_domain_name = Default
project_name = service
project_domain_name = Default
service_token_roles = service
service_token_roles_required = true
""",
    "conductor": """
[DEFAULT]
ready_file = {home}/{name}.ready
[conductor]
authority = {home}/pki
""",
    "taskmanager": """
[DEFAULT]
ready_file = {home}/{name}.ready
[taskmanager]
management_network = guests
""",
}


class Stand:
    """All of it, on one machine."""

    host = LOOPBACK

    def __init__(self, sizes: typing.Iterable[int]) -> None:
        # Not below /tmp: the servers' users could not get to a private directory.
        self.home = pathlib.Path(
            tempfile.mkdtemp(prefix="trove-bench-", dir="/var/tmp")
        )
        self.home.chmod(0o711)
        self.place = Layout(state=self.home, tag="tbn", ports=_free())
        self.name, self.backend = "trove", "threading"
        self.port = self.place.api_port
        self.projects = {str(n): f"{n:032d}" for n in sizes}
        self.projects["create"] = f"{777:032d}"
        self.shown: dict[str, str] = {}
        self.processes: tuple[str, ...] = PROCESSES
        self._daemons: dict[str, Daemon] = {}
        self._tokens: dict[str, str] = {}
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

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
        key = fernet.Fernet.generate_key().decode()
        (self.home / "seal-keys").write_text(key + "\n")
        rabbitmq.prepare(self.place, Authority.create(self.place.pki), LOOPBACK)
        self.access = rabbitmq.access(self.place, LOOPBACK)
        self._rabbitmq()
        self._mariadb()
        self._python("cloud", str(self.place.cloud_port))
        for name in ("rabbitmq", "mariadb", "cloud"):
            self._daemons[name].wait_ready()
        rabbitmq.setup(self.place)
        self._fill()
        self._guests()

    def stop(self) -> None:
        """Nothing is left, but the logs when $TROVE_BENCH_LOGS names a directory."""
        for name in (*self.processes, "guests", "cloud", "mariadb"):
            if name in self._daemons:
                self._daemons[name].kill()
        rabbitmq.stop(self.place, within=10)
        if "rabbitmq" in self._daemons:
            self._daemons["rabbitmq"].kill()
        if keep := os.environ.get("TROVE_BENCH_LOGS"):
            for log in self.home.glob("*.log"):
                shutil.copy(log, keep)
        shutil.rmtree(self.home)

    def rest(self) -> None:
        """Ours stand still while another is measured."""
        for name in self.processes:
            if name in self._daemons:
                self._daemons[name].stop()

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
        said = {
            "home": self.home,
            "root": ROOT,
            "backend": self.backend,
            "access": self.access,
            "hosts": ",".join(self.access.guest_hosts),
            "cloud": self.cloud,
            "database": self._database_port,
            "api": self.port,
        }
        (self.home / "trove.conf").write_text(CONF.format(**said).replace("$", "$$"))
        for name in self.processes:
            own = OWN[_kind(name)].format(name=name, **said)
            (self.home / f"{name}.conf").write_text(own)

    def _daemon(
        self, name: str, argv: list[str], ready: typing.Any, **how: typing.Any
    ) -> None:
        how.setdefault("env", self._environment)
        made = Daemon(name, argv, self.home / f"{name}.log", ready, **how)
        self._daemons[name] = made
        made.spawn()

    def _python(self, module: str, *words: str) -> None:
        argv = [sys.executable, "-m", f"tests.bench.{module}", *words]
        ready = lambda: _open(int(words[0]))  # noqa: E731
        self._daemon(module, argv, ready, cwd=ROOT)

    def _rabbitmq(self) -> None:
        argv, environment, user = rabbitmq.command(self.place)
        how: dict[str, typing.Any] = {"env": environment}
        if user:
            how |= {"user": user, "group": user, "extra_groups": []}
        ready = lambda: rabbitmq.ready(self.place, LOOPBACK)  # noqa: E731
        self._daemon("rabbitmq", argv, ready, **how)

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
        self._daemon("mariadb", argv, lambda: _open(self._database_port), **how)

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

    def manage(self, *words: str) -> None:
        """trove-manage, as an operator types it."""
        file = f"--config-file={self.home / 'trove.conf'}"
        argv = [sys.executable, "-m", "trove.cmd.manage", file, *words]
        subprocess.run(
            argv,
            check=True,
            stdout=subprocess.DEVNULL,
            env=self._environment,
            cwd="/",
            timeout=120,
        )

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
        return {name: self._daemons[name].pid for name in names}

    def restart(self, process: str) -> float | None:
        if process in self._daemons:
            self._daemons[process].stop()
        file = self.home / f"{process}.ready"
        file.unlink(missing_ok=True)
        argv = [sys.executable, "-m", f"trove.cmd.{_kind(process)}"]
        for name in ("trove", process):
            argv += ["--config-file", str(self.home / f"{name}.conf")]
        begun = time.perf_counter()
        self._daemon(process, argv, file.exists)
        if process == "api":
            target.answering(self)
            if not self._daemons[process].alive():
                raise RuntimeError(f"another answers on port {self.port}")
        else:
            self._daemons[process].wait_ready()
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
        self._daemons["taskmanager"].send(number)

    def heartbeats(self, instances: int, count: int, rate: float) -> Plain | None:
        largest = max((n for n in self.projects if n.isdigit()), key=int)
        ids = seed.ids(self.database, self.projects[largest], instances)
        with beats.Beats(self.database, self.line, ids) as beating:
            beating.warm()
            return beating.paced(count, rate) if rate else beating.burst(count)


def _kind(process: str) -> str:
    """``conductor-2`` is a conductor."""
    return process.partition("-")[0]


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
