# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ, a tiny conductor, and whole agents with toy engines."""

import contextlib
import gc
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings

import pytest
from oslo_config import cfg

from trove import config, errors
from trove.context import Context
from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout
from trove.model import naming
from trove.rpc import passwords, transport
from trove.rpc.conductor import Conductor
from trove.rpc.guest import Guest
from trove.rpc.interface import Proxy
from trove.rpc.messages import Enrolled
from trove.service.certificates import Authority

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOY = pathlib.Path(__file__).resolve().parent / "toy"
ADDRESS = "127.0.0.1"


class Node:
    """A RabbitMQ node of this test run's own."""

    def __init__(self, home):
        self.layout = Layout(state=home / "state", cache=home, tag="tga", ports=28300)
        self.layout.state.mkdir()
        self.authority = Authority.create(home / "ca")
        self.process = None
        rabbitmq.prepare(self.layout, self.authority, ADDRESS)
        self.access = rabbitmq.access(self.layout, ADDRESS)
        self.broker = self.access.broker()

    def start(self):
        argv, environment, user = rabbitmq.command(self.layout)
        self.process = subprocess.Popen(
            argv,
            env=environment,
            user=user,
            group=user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + 90
        while not rabbitmq.ready(self.layout, ADDRESS):
            assert self.process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.3)
        rabbitmq.setup(self.layout)

    def stop(self):
        # By our own handle, whatever the node's own way says: nothing may be left
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        rabbitmq.stop(self.layout)


@pytest.fixture(scope="session")
def node():
    if os.geteuid() != 0 or not pathlib.Path(rabbitmq.SERVER).exists():
        pytest.skip("needs root and RabbitMQ: runs a node as its own user")
    home = pathlib.Path(tempfile.mkdtemp(prefix="trove-guest-"))
    home.chmod(0o755)
    made = Node(home)
    try:
        made.start()
        yield made
    finally:
        if made.process is not None:
            made.stop()
        shutil.rmtree(home)


class TinyConductor:
    """Hears all guests; answers enrolments as the real one does."""

    def __init__(self, node):
        self._node = node
        self._heard = threading.Condition()
        self.reports = []
        self.keys = {}
        self.days = 30.0
        """The life of a certificate that is issued."""
        self.renewed = []
        self.refuse = False
        """A renewal is not answered."""
        self.hold = threading.Event()
        """Cleared: an enrolment is done, and its answer kept back."""
        self.hold.set()

    def heartbeat(self, context, report):
        with self._heard:
            self.reports.append((naming.guest_of(context.broker_user), report))
            self._heard.notify_all()

    def job_changed(self, context, job):
        raise AssertionError("the agent says it with its reports")

    def archived(self, context, report):
        raise AssertionError("nothing was ordered")

    def enrol(self, context, enrolment):
        instance = naming.guest_of(context.broker_user)
        certificate, _serial, _expires = self._node.authority.issue_for_guest(
            enrolment.csr, instance, [instance], [ADDRESS], self.days
        )
        self._node.broker.set_hash(instance, enrolment.password_hash)
        with self._heard:
            if self.keys.setdefault(instance, enrolment.public_key) != (
                enrolment.public_key
            ):
                raise errors.Forbidden(what="enrol twice with different keys")
            self._heard.notify_all()
        self.hold.wait(60)
        return Enrolled(certificate, self._node.authority.ca_pem)

    def renew_certificate(self, context, renewal):
        if self.refuse:
            raise errors.Unavailable(what="the authority")
        instance = naming.guest_of(context.broker_user)
        certificate, serial, _expires = self._node.authority.issue_for_guest(
            renewal.csr, instance, [instance], [ADDRESS], 30
        )
        self.renewed.append((instance, serial, renewal.csr))
        return Enrolled(certificate, self._node.authority.ca_pem)

    def wait(self, instance, wanted, within=30.0):
        """The first report, from now on or before, for which ``wanted`` is true."""

        def found():
            for sender, report in self.reports:
                if sender == instance and wanted(report):
                    return report
            return None

        with self._heard:
            assert self._heard.wait_for(found, within), [
                report for sender, report in self.reports if sender == instance
            ][-3:]
            return found()

    def wait_enrolled(self, instance, within=30.0):
        with self._heard:
            assert self._heard.wait_for(lambda: instance in self.keys, within)

    def forget(self):
        with self._heard:
            self.reports.clear()


@pytest.fixture(scope="session")
def wire(node):
    """The control plane's transport to the guests."""
    if not hasattr(cfg.CONF, "rpc"):
        config.register(cfg.CONF, "rpc")
    cfg.CONF([], project="trove", default_config_files=[], default_config_dirs=[])
    for name in ("guests_url", "ca_file"):
        cfg.CONF.set_override(name, getattr(node.access, name), group="rpc")
    opened = transport.guests(cfg.CONF)
    yield opened
    opened.cleanup()
    for name in ("guests_url", "ca_file"):
        cfg.CONF.clear_override(name, group="rpc")
    with warnings.catch_warnings():
        # oslo.messaging leaves the sockets of connections that broke to the collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def conductor(node, wire):
    made = TinyConductor(node)
    server = transport.server(wire, Conductor, made, "tiny")
    server.start()
    yield made
    made.hold.set()
    assert server.stop(20)


class Machine:
    """A guest's machine: its directories, its toy engine, its agent's process."""

    def __init__(self, home, node, wire):
        self.home = home
        self.instance = str(uuid.uuid4())
        self.state, self.etc = home / "state", home / "etc"
        self.data = home / "toy" / "data"
        self.bootstrap = passwords.new_password()
        self.agent = None
        self._wire = wire
        self._node = node
        self._module = f"toy_{self.instance.replace('-', '')}"
        (home / "toy").mkdir()
        self._install_toy(home / "modules")
        self._write_conf()
        node.broker.add_guest(self.instance, self.bootstrap)

    def _install_toy(self, modules):
        described = modules / f"{self._module}-1.dist-info"
        described.mkdir(parents=True)
        (described / "METADATA").write_text(f"Name: {self._module}\nVersion: 1\n")
        (described / "entry_points.txt").write_text(
            f"[trove.datastores]\ntoy = {self._module}:DATASTORE\n"
        )
        (modules / f"{self._module}.py").write_text(
            "import toyengine\n"
            "from trove.datastores.spec import Can, Datastore, Naming\n"
            f"DATASTORE = Datastore('toy', 1, 'nobody', {str(self.data)!r}, Can(),\n"
            f"    Naming(64, 64), {self._module!r})\n"
            "def engine(host):\n"
            f"    return toyengine.engine(host, {str(self.home / 'toy')!r})\n"
        )
        self._way = [str(ROOT), str(TOY), str(modules)]

    def _write_conf(self):
        self.etc.mkdir(mode=0o755)
        (self.etc / "guest.conf").write_text(
            f"[guest]\ninstance = {self.instance}\ndatastore = toy\n"
            "heartbeat_interval = 2\n"
            f"[broker]\nhosts = {','.join(self._node.access.guest_hosts)}\n"
            "vhost = /trove-guests\n"
            f"user = guest-{self.instance}\npassword = {self.bootstrap}\n"
            f"ca_file = {self._node.access.ca_file}\n"
        )

    def start(self):
        code = (
            "import pathlib, sys\n"
            "from trove.cmd import guestagent\n"
            "from trove.guestagent.places import Places\n"
            f"sys.exit(guestagent.main(Places(pathlib.Path({str(self.state)!r}),\n"
            f"    pathlib.Path({str(self.etc)!r}), pathlib.Path({str(self.home)!r}))))"
        )
        with (self.home / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(self._way),
                    "MALLOC_ARENA_MAX": "2",
                },
                stderr=log,
                stdout=log,
            )

    def guest(self):
        """The control plane's end of this guest."""
        return Proxy(Guest, self._wire, Context(), server=self.instance)

    def kill(self):
        self.agent.kill()
        self.agent.wait(10)

    def stop(self):
        self.agent.terminate()
        return self.agent.wait(40)

    @property
    def log(self):
        return (self.home / "agent.log").read_text()

    @property
    def rss(self):
        pages = pathlib.Path(f"/proc/{self.agent.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def database(self):
        return int((self.data / "pid").read_text())

    def end(self):
        if self.agent is not None and self.agent.poll() is None:
            self.kill()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(self.database, signal.SIGKILL)
        self._node.broker.remove_guest(self.instance)


@pytest.fixture
def machine(tmp_path, node, wire, conductor):
    made = Machine(tmp_path, node, wire)
    yield made
    made.end()
    print(made.log)
