# SPDX-License-Identifier: Apache-2.0
"""A real RabbitMQ of our own, with TLS, and the two sides that talk over it."""

import contextlib
import dataclasses
import gc
import inspect
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import typing
import warnings

import amqp
import oslo_messaging
import pytest
from oslo_config import cfg

from trove import config
from trove.context import Context
from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout
from trove.rpc import messages, transport
from trove.rpc.broker import Broker, instance_of
from trove.rpc.conductor import Conductor
from trove.rpc.guest import Guest
from trove.rpc.interface import Proxy
from trove.service.certificates import Authority

LOOPBACK = "127.0.0.1"
PASSWORD = "the-bootstrap-password"
PLAN = messages.Plan(
    datastore="mariadb",
    version="10.11",
    memory=512,
    vcpus=1,
    server_id=7,
    device="/dev/vdb",
    fstype="xfs",
    databases=(messages.DatabaseOrder("orders", "utf8mb4"),),
    group={"a": [1, {"b": None}]},
    sealed="x" * 100_000,
)


def report(seq: int = 1, **values: typing.Any) -> messages.Report:
    return messages.Report(boot=1, seq=seq, service="healthy", **values)


def until(met: typing.Callable[[], object], within: float = 15.0) -> None:
    """Wait for what another process will have done."""
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.02)


class Reports:
    """A conductor: keeps what it is told, by the sender that the broker vouches for."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._lock = threading.Lock()
        self.heard: list[tuple[str, messages.Report | messages.JobReport]] = []
        self.dropped: list[messages.Report | messages.JobReport] = []

    def _hear(self, context, word) -> None:
        sender = instance_of(context.broker_user)
        with self._lock:
            if sender is None:
                self.dropped.append(word)
            else:
                self.heard.append((sender, word))

    def heartbeat(self, context, report):
        self._hear(context, report)

    def job_changed(self, context, job):
        self._hear(context, job)

    def archived(self, context, report):
        self._hear(context, report)

    def enrol(self, context, enrolment):
        instance = instance_of(context.broker_user)
        assert instance is not None
        self._node.broker.set_hash(instance, enrolment.password_hash)
        issued = self._node.authority.issue_for_guest(enrolment.csr, instance)
        return messages.Enrolled(issued[0], self._node.authority.ca_pem)

    def renew_certificate(self, context, renewal):
        instance = instance_of(context.broker_user)
        issued = self._node.authority.issue_for_guest(renewal.csr, instance)
        return messages.Enrolled(issued[0], self._node.authority.ca_pem)

    def of(self, instance: str) -> list[messages.Report | messages.JobReport]:
        with self._lock:
            return [word for sender, word in self.heard if sender == instance]


def told_nothing(method: typing.Any) -> typing.Callable[..., None]:
    """A manager's method of those parameters, which does nothing."""

    def told(self: object, *_said: object) -> None:
        return None

    names = ("self", "context", *(each.name for each in method.parameters))
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    told.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, either) for name in names]
    )
    return told


class Orders:
    """A guest's manager: keeps what it was told to do."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.plans: list[messages.Plan] = []
        self.senders: set[str | None] = set()
        self.jobs: dict[str, messages.JobReport] = {}
        self.fault: Exception | None = None

    def _note(self, context, what, job):
        self.senders.add(context.broker_user)
        self.told.append((what, job))

    def prepare(self, context, job, plan):
        self._note(context, "prepare", job)
        self.plans.append(plan)

    def restart_database(self, context, job):
        self._note(context, "restart", job)

    def stop_database(self, context, job):
        self._note(context, "stop", job)

    def job(self, context, job):
        if self.fault:
            raise self.fault
        return self.jobs.get(job)


for _name, _method in Guest.methods().items():  # those about accounts
    if not hasattr(Orders, _name):
        setattr(Orders, _name, told_nothing(_method))


@dataclasses.dataclass
class Node:
    """The RabbitMQ node, and who may do what with it."""

    layout: Layout
    authority: Authority
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def broker(self) -> Broker:
        return rabbitmq.access(self.layout, LOOPBACK).broker()

    @property
    def ca_file(self) -> str:
        return rabbitmq.access(self.layout, LOOPBACK).ca_file

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self.layout.guests_amqp_port}"

    def start(self) -> None:
        argv, environ, user = rabbitmq.command(self.layout)
        with open(self.layout.state / "node.log", "ab") as log:
            self.process = subprocess.Popen(
                argv,
                env=environ,
                user=user,
                group=user,
                extra_groups=[],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: rabbitmq.ready(self.layout, LOOPBACK), within=90)
        rabbitmq.setup(self.layout)

    def stop(self) -> None:
        rabbitmq.stop(self.layout)
        if self.process is not None:
            self.process.wait(30)

    @contextlib.contextmanager
    def away(self) -> typing.Iterator[None]:
        """It is stopped, and is there again for who comes next, whatever happened."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def connect(
        self, user: str, password: str = PASSWORD, vhost: str = rabbitmq.GUESTS_VHOST
    ) -> amqp.Connection:
        """A bare AMQP connection, as a compromised guest would make one."""
        connection = amqp.Connection(
            self.host,
            user,
            password,
            virtual_host=vhost,
            ssl={
                "ca_certs": self.ca_file,
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": LOOPBACK,
            },
            connect_timeout=10,
        )
        connection.connect()
        return connection

    def depth(self, queue: str) -> int:
        """Messages that wait in a queue of the guests' virtual host."""
        access = rabbitmq.access(self.layout, LOOPBACK)
        connection = self.connect(access.broker_user, password=access.broker_password)
        try:
            return connection.channel().queue_declare(queue, passive=True).message_count
        finally:
            connection.close()


@pytest.fixture(scope="session", name="node")
def private_rabbitmq_node() -> typing.Iterator[Node]:
    if os.geteuid() != 0 or not os.path.exists(rabbitmq.SERVER):
        pytest.skip("needs root and rabbitmq-server")
    # Not pytest's own directory: the node's user could not get there.
    state = pathlib.Path(tempfile.mkdtemp(prefix="trove-rpc-", dir="/var/tmp"))
    state.chmod(0o711)
    layout = Layout(state=state, tag="trp", ports=19900)
    node = Node(layout, Authority.create(layout.pki / "ca"))
    rabbitmq.prepare(layout, node.authority, LOOPBACK)
    try:
        node.start()
        yield node
    finally:
        node.stop()
        shutil.rmtree(state)


@pytest.fixture(scope="module", name="conf")
def global_configuration(node: Node) -> typing.Iterator[cfg.ConfigOpts]:
    """Set anew for each module: a command that runs in this process takes it."""
    access = rabbitmq.access(node.layout, LOOPBACK)
    cfg.CONF([])
    config.register(cfg.CONF, "rpc")
    for name in ("control_url", "guests_url", "ca_file"):
        cfg.CONF.set_override(name, getattr(access, name), group="rpc")
    yield cfg.CONF
    cfg.CONF.reset()
    for name in ("control_url", "guests_url", "ca_file"):
        cfg.CONF.clear_override(name, group="rpc")


class World:
    """A control plane with a conductor, and guests as they are asked for."""

    def __init__(self, node: Node, conf: cfg.ConfigOpts, locks: pathlib.Path) -> None:
        self.node = node
        self.conf = conf
        self._locks = locks
        self._closing: list[typing.Callable[[], object]] = []
        self.guests = transport.guests(conf)
        self._closing.append(self.guests.cleanup)
        self.reports = Reports(node)
        self.serve(self.guests, Conductor, self.reports, "here")

    def serve(self, where, interface, manager, name) -> None:
        part = transport.server(where, interface, manager, name)
        part.start()
        self._closing.append(lambda: part.stop(10))

    def control(self) -> oslo_messaging.Transport:
        """A process of the control plane's own, to the others of it."""
        made = transport.control(self.conf)
        self._closing.append(made.cleanup)
        return made

    def guest_transport(self, instance: str, password: str = PASSWORD, **other):
        settings: dict[str, typing.Any] = {
            "instance": instance,
            "hosts": [self.node.host],
            "vhost": rabbitmq.GUESTS_VHOST,
            "user": f"guest-{instance}",
            "password": password,
            "ca_file": self.node.ca_file,
            "lock_path": str(self._locks),
        }
        made = transport.guest(self.conf, **(settings | other))
        self._closing.append(made.cleanup)
        return made

    def guest(
        self, instance: str, password: str = PASSWORD
    ) -> tuple[Orders, typing.Any]:
        """A guest that runs: its manager, and its transport."""
        self.node.broker.add_guest(instance, password)
        made, orders = self.guest_transport(instance, password), Orders()
        self.serve(made, Guest, orders, instance)
        return orders, made

    def to_guest(self, instance: str) -> Proxy:
        return Proxy(Guest, self.guests, Context(), server=instance)

    def to_conductor(self, made: oslo_messaging.Transport) -> Proxy:
        return Proxy(Conductor, made, Context())

    def close(self) -> None:
        # Each waits for a poll of its own to end: together, not one after the other.
        threads = [threading.Thread(target=close) for close in self._closing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._closing.clear()
        with warnings.catch_warnings():
            # What the libraries left open when the broker went from under them.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(scope="module", name="world")
def both_sides(node, conf, tmp_path_factory) -> typing.Iterator[World]:
    world = World(node, conf, tmp_path_factory.mktemp("locks"))
    yield world
    world.close()
