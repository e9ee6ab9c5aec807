# SPDX-License-Identifier: Apache-2.0
"""The control plane of the tests' own, beside a real OpenStack.

A MariaDB, a RabbitMQ with TLS, trove-api, two taskmanagers and two conductors, as an
operator runs them; servers, volumes and networks are the real cloud's. The environment
names it: beside what ``tests/contract/cloud/real.py`` reads, ``TROVE_TEST_CLOUD_ADMIN``
is the entry of who may change the catalogue, ``TROVE_TEST_ADDRESS`` this machine's
address as guests and users reach it, ``TROVE_TEST_MANAGEMENT`` the name of the network
on which guests reach it.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import typing

import requests
import yaml
from cryptography import fernet

from tests.contract.cloud import real
from tests.system.deployment import VERSIONS
from tests.system.faults import servers
from tests.system.faults.servers import Daemon, until
from trove.actions import audit
from trove.cloud.openstack import OpenstackCloud
from trove.db.session import Database
from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout
from trove.service.certificates import Authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADMIN, ADDRESS = "TROVE_TEST_CLOUD_ADMIN", "TROVE_TEST_ADDRESS"
MANAGEMENT = "TROVE_TEST_MANAGEMENT"
DEPLOYMENT = "tests"
TASKMANAGERS = ("taskmanager-1", "taskmanager-2")
CONDUCTORS = ("conductor-1", "conductor-2")

COMMON = """
[database]
connection = {database}
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
deployment = {deployment}
auth_url = {cloud.auth_url}
username = {cloud.username}
password = {cloud.password}
project_name = {cloud.project_name}
region_name = {cloud.region_name}
interface = {cloud.interface}
[oslo_concurrency]
lock_path = {home}
"""

OWN = {
    "api": """
[listen]
host = {address}
port = {port}
paste_config = {root}/etc/trove/api-paste.ini
[api]
default_datastore = mariadb
post_rate = 0
get_rate = 0
delete_rate = 0
[keystone_authtoken]
auth_type = password
auth_url = {cloud.auth_url}
www_authenticate_uri = {cloud.auth_url}
interface = {cloud.interface}
username = {cloud.username}
password = {cloud.password}
user_domain_name = Default
project_name = {cloud.project_name}
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
management_network = {management}
signing_key = {home}/signing-key
object_stores = {stores}
""",
}


class Stand:
    """All of it but the cloud; ``stop`` leaves nothing of ours in either."""

    def __init__(self) -> None:
        # Not below /tmp: the servers' users could not get to a private directory.
        self.home = pathlib.Path(
            tempfile.mkdtemp(prefix="trove-openstack-", dir="/var/tmp")
        )
        self.home.chmod(0o711)
        self.address = os.environ[ADDRESS]
        self.place = Layout(state=self.home, tag="tos", ports=27000)
        self.cloud = real.settings(real.SERVICE, DEPLOYMENT)
        self._daemons: dict[str, Daemon] = {}
        self._catalogue: list[typing.Any] = []
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def url(self) -> str:
        """Of the API, without a project."""
        return f"http://{self.address}:{self.place.api_port}"

    # -- up and down

    def start(self) -> None:
        """Until the API answers."""
        key = fernet.Fernet.generate_key().decode()
        (self.home / "seal-keys").write_text(key + "\n")
        rabbitmq.prepare(self.place, Authority.create(self.place.pki), self.address)
        self.access = rabbitmq.access(self.place, self.address)
        self._broker()
        self._daemons["mariadb"], self.database = servers.mariadb(self.home)
        self._daemons["rabbitmq"].wait_ready(180)
        rabbitmq.setup(self.place)
        self._configure()
        self.manage("key", "create-signing", str(self.home / "signing-key"))
        self.manage("db", "sync")
        self._announce()
        self._register()
        for name in (*CONDUCTORS, *TASKMANAGERS, "api"):
            self.run(name)

    def stop(self) -> None:
        """Nothing is left, but the logs when $TROVE_TEST_LOGS names a directory."""
        for name in (*TASKMANAGERS, *CONDUCTORS, "api", "mariadb"):
            if name in self._daemons:
                self._daemons[name].kill()
        rabbitmq.stop(self.place, within=20)
        if "rabbitmq" in self._daemons:
            self._daemons["rabbitmq"].kill()
        for made in self._catalogue:
            made()
        if keep := os.environ.get("TROVE_TEST_LOGS"):
            for log in self.home.glob("*.log"):
                shutil.copy(log, keep)
        shutil.rmtree(self.home)

    def run(self, name: str) -> None:
        """Starts one of ours, and waits until it is ready."""
        file = self.home / f"{name}.ready"
        file.unlink(missing_ok=True)
        kind = name.partition("-")[0]
        argv = [sys.executable, "-m", f"trove.cmd.{kind}"]
        for part in ("trove", name):
            argv += ["--config-file", str(self.home / f"{part}.conf")]
        ready = self._answers if kind == "api" else file.exists
        how = {"env": self._environment}
        log = self.home / f"{name}.log"
        made = self._daemons[name] = Daemon(name, argv, log, ready, **how)
        made.spawn()
        made.wait_ready(120)

    def kill(self, name: str) -> None:
        """kill -9 of one of ours."""
        self._daemons[name].send(signal.SIGKILL)
        self._daemons[name].kill()

    def break_broker(self) -> None:
        """kill -9 of the whole broker, and a new one over what it had."""
        pid = int((self.place.rabbitmq / "node.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        self._daemons["rabbitmq"].kill()
        self._broker()
        self._daemons["rabbitmq"].wait_ready(180)

    def manage(self, *words: str) -> str:
        """trove-manage, as an operator types it."""
        file = f"--config-file={self.home / 'trove.conf'}"
        done = subprocess.run(
            [sys.executable, "-m", "trove.cmd.manage", file, *words],
            capture_output=True,
            text=True,
            env=self._environment,
            cwd="/",
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def _register(self) -> None:
        """The datastores, by the tags of the images that the cloud has."""
        for datastore, version in VERSIONS.items():
            tags = f"trove,{datastore},{version}"
            words = ("register", datastore, version, "--manager", datastore)
            more = ("--image-tags", tags, "--default")
            self.manage("datastore", "version", *words, *more)
        with contextlib.closing(OpenstackCloud(self.cloud)) as cloud:
            networks = cloud.network.networks()
        name = os.environ["TROVE_TEST_NETWORK"]
        self.network = next(one.id for one in networks if one.name == name)

    # -- what is seen

    def rows(self, sql: str, **values: typing.Any) -> list[typing.Any]:
        """Of the control database, only read."""
        database = Database(self.database)
        try:
            with database.reading() as tx:
                return list(tx.connection().exec_driver_sql(sql, values or None))
        finally:
            database.close()

    def violations(self) -> list[str]:
        """What ``trove-manage audit`` says."""
        cloud, database = OpenstackCloud(self.cloud), Database(self.database)
        try:
            broker = self.access.broker()
            return [str(found) for found in audit.audit(database, cloud, broker)]
        finally:
            cloud.close()
            database.close()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/", timeout=5).status_code < 400
        except requests.RequestException:
            return False

    # -- its parts

    def _broker(self) -> None:
        argv, environment, user = rabbitmq.command(self.place)
        how: dict[str, typing.Any] = {"env": environment}
        if user:
            how |= {"user": user, "group": user, "extra_groups": []}
        made = Daemon(
            "rabbitmq",
            argv,
            self.home / "rabbitmq.log",
            lambda: rabbitmq.ready(self.place, self.address),
            **how,
        )
        self._daemons["rabbitmq"] = made
        made.spawn()

    def _configure(self) -> None:
        swift = self._stores()
        said = {
            "home": self.home,
            "root": ROOT,
            "database": self.database,
            "access": self.access,
            "hosts": ",".join(self.access.guest_hosts),
            "cloud": self.cloud,
            "deployment": DEPLOYMENT,
            "address": self.address,
            "port": self.place.api_port,
            "management": os.environ[MANAGEMENT],
            "stores": swift,
        }
        (self.home / "trove.conf").write_text(COMMON.format(**said))
        for name in (*CONDUCTORS, *TASKMANAGERS, "api"):
            own = OWN[name.partition("-")[0]].format(name=name, **said)
            (self.home / f"{name}.conf").write_text(own)

    def _stores(self) -> str:
        """``host:port`` of the object store as guests reach it; nothing without one."""
        with self._admin() as admin:
            found = admin.session.get_endpoint(
                service_type="object-store", interface="public"
            )
        if not found:
            return ""
        url = requests.utils.urlparse(found)
        host = socket.gethostbyname(url.hostname)
        return f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"

    def _admin(self) -> typing.Any:
        return real.connection(ADMIN)

    def _announce(self) -> None:
        """The catalogue has us; and clouds.yaml as users of ours have it."""
        admin = self._admin()
        identity = admin.identity
        service = identity.create_service(type="database", name="trove-tests")
        self._catalogue.insert(0, lambda: identity.delete_service(service))
        for interface in ("public", "internal"):
            made = identity.create_endpoint(
                service_id=service.id,
                interface=interface,
                region_id=self.cloud.region_name,
                url=f"{self.url}/v1.0/%(tenant_id)s",
            )
            self._catalogue.insert(0, lambda made=made: identity.delete_endpoint(made))
        clouds = {}
        for name, variable in (("demo", real.USER), ("admin", ADMIN)):
            known = real.entry(variable)
            auth = dict(known.config["auth"])
            clouds[name] = {
                "auth": auth,
                "region_name": known.region_name,
                "interface": known.config.get("interface", "public"),
                "identity_api_version": "3",
            }
        self.place.clouds_yaml.parent.mkdir(parents=True, exist_ok=True)
        self.place.clouds_yaml.write_text(yaml.safe_dump({"clouds": clouds}))


__all__ = ["CONDUCTORS", "TASKMANAGERS", "Stand", "until"]
