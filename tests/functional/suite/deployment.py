# SPDX-License-Identifier: Apache-2.0
"""A whole deployment in one process: what ``cmd/`` builds, on a fake bus and cloud.

The parts of taskmanager and conductor are made by the functions their processes call,
from options of the same names; the API is its own pipeline on a real socket.
"""

import contextlib
import pathlib
import socketserver
import threading
import typing
import warnings
import wsgiref.simple_server

from cryptography import fernet
from oslo_config import cfg

from tests.functional.suite import outside
from tests.functional.suite.client import Authenticator, Client
from tests.functional.suite.guests import Fleet
from trove import config
from trove.actions import parameters
from trove.api import app, policy
from trove.api.policy import Policy
from trove.cmd import conductor, taskmanager
from trove.db import migrate
from trove.db.queries import datastores
from trove.db.session import Database
from trove.service import concurrency, wsgiserver
from trove.service.certificates import Authority

GROUPS = (
    "service",
    "manager",
    "api",
    "quota",
    "backup",
    "recycle",
    "taskmanager",
    "conductor",
    "database",
    "rpc",
    "cloud",
)

WORKERS = 4
"""Threads of one taskmanager: few, so that one that is held would be missed."""

LEASE = 5

CONF = """
[database]
connection = sqlite:///{home}/trove.sqlite
seal_keys = {home}/seal-keys
[rpc]
control_url = fake:///trove
guests_url = fake:///trove-guests
ca_file = {home}/authority/ca.crt
guest_hosts = 10.9.0.1:5671
broker_url = {broker}
broker_password = not-looked-at
[cloud]
name = functional
deployment = functional
[taskmanager]
management_network = guests
workers = {workers}
poll_interval = 0.3
lease = {lease}
call_timeout = 2
visibility_grace = 1
heartbeat_interval = 2
housekeeping_interval = 5
[conductor]
authority = {home}/authority
flush_interval = 0.2
[quota]
instances = 10
[api]
default_datastore = mariadb
[recycle]
by_default = false
"""


class Process:
    """The parts of one process, started and stopped as ``service.process`` does."""

    def __init__(self, parts: list[typing.Any]) -> None:
        self.parts = parts
        for part in parts:
            part.start()

    def stop(self, within: float = 15.0) -> bool:
        clean = [part.stop(within) for part in reversed(self.parts)]
        return all(clean)


class Deployment:
    """All of it."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.cloud = outside.WORLD
        self.hooks = outside.HOOKS
        self.broker = outside.Broker()
        self.fleet = Fleet(self.cloud, self.broker, home / "guests")
        self.taskmanagers: list[Process] = []
        self.database: Database = self._prepare()
        self.hooks.booted.append(self.fleet.booted)

    def _prepare(self) -> Database:
        home = self.home
        outside.install(home)
        (home / "seal-keys").write_text(fernet.Fernet.generate_key().decode() + "\n")
        authority = Authority.create(home / "authority")
        if not (home / "authority/ca.crt").exists():
            (home / "authority/ca.crt").write_text(authority.ca_pem)
        said = {"home": home, "broker": self.broker.url}
        said |= {"workers": WORKERS, "lease": LEASE}
        (home / "trove.conf").write_text(CONF.format(**said))
        config.register(cfg.CONF, *GROUPS)
        cfg.CONF(
            [], project="trove-functional", default_config_files=[f"{home}/trove.conf"]
        )
        made = Database(cfg.CONF.database.connection)
        migrate.upgrade(made)
        with made.transaction() as tx:
            for name, version, number in (
                ("mariadb", "10.11", "10.11.6"),
                ("postgresql", "15", "15.8"),
            ):
                row = datastores.register_version(
                    tx,
                    name,
                    version,
                    number,
                    default=True,
                    manager=name,
                    image_tags=["trove", "guest"],
                    active=True,
                )
                parameters.seed(tx, row.id, name)
        return made

    def start(self) -> None:
        self.broker.start()
        self.conductor = Process(conductor.parts(cfg.CONF))
        self.taskmanagers = [self.taskmanager(), self.taskmanager()]
        self.services = app.build(cfg.CONF)
        rules = Policy(policy.enforcer(cfg.CONF))
        self.api = Api(app.pipeline(self.services, rules, Authenticator))
        self.api.start()
        self.fleet.start()

    def stop(self) -> bool:
        self.api.stop()
        clean = [process.stop() for process in self.taskmanagers]
        self.fleet.stop()
        clean.append(self.conductor.stop())
        self.broker.stop()
        self.database.close()
        return all(clean)

    def taskmanager(self) -> Process:
        """One more, as its process would build it."""
        return Process(taskmanager.parts(cfg.CONF))

    def client(self, project: str, role: str = "member") -> Client:
        """A user of that project; each test has a project of its own."""
        return Client(self.api.port, project, role)

    def things(self, instance: str) -> list[tuple[str, str]]:
        """What exists in the cloud, and at the broker, for an instance."""
        with self.cloud.lock:
            self.cloud.pass_time()
            made = list(self.cloud.made.values())
        found = [(thing.kind, thing.key) for thing in made if instance in thing.key]
        found += [("user", name) for name in self.broker.users if instance in name]
        return sorted(found)

    @contextlib.contextmanager
    def before(self, deed: outside.Told) -> typing.Iterator[None]:
        """``deed`` is told of every call of the cloud, before it is done."""
        self.hooks.before.append(deed)
        try:
            yield
        finally:
            self.hooks.before.remove(deed)


class _Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """The API logs its requests itself."""


class Api:
    """The API's application on a loopback port.

    Green threads: the product's own server. Native ones: the product's is gunicorn,
    which forks and so can share no bus in memory; a threaded WSGI server stands in.
    """

    def __init__(self, application: typing.Any) -> None:
        self._green: concurrency.GreenServer | None = None
        self._native: _Threaded | None = None
        if concurrency.is_green():
            listener = wsgiserver.Listen(port=0).socket()
            self.port = listener.getsockname()[1]
            self._listener = listener
            self._green = concurrency.GreenServer(
                listener, None, connections=200, keep_alive=5
            )
            green = self._green
            self._thread = threading.Thread(
                target=lambda: green.serve(application, 5.0), daemon=True, name="api"
            )
        else:
            native = _Threaded(("127.0.0.1", 0), _Quiet)
            native.set_app(application)
            self.port = native.server_address[1]
            self._native = native
            self._thread = threading.Thread(
                target=native.serve_forever, args=(0.2,), daemon=True, name="api"
            )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._green is not None:
            self._green.stop()
            self._thread.join(10)
            self._listener.close()
        if self._native is not None:
            self._native.shutdown()
            self._native.server_close()


def quietly(collect: typing.Callable[[], object]) -> None:
    """Sockets of pooled connections end with the process that held them: this one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        collect()
