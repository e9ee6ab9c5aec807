# SPDX-License-Identifier: Apache-2.0
"""The control plane of the tests' own, beside a real OpenStack.

A MariaDB, a RabbitMQ with TLS, trove-api, two taskmanagers and two conductors, as an
operator runs them; servers, volumes and networks are the real cloud's. The environment
names it: beside what ``tests/contract/cloud/real.py`` reads, ``TROVE_TEST_CLOUD_ADMIN``
is the entry of who may change the catalogue, ``TROVE_TEST_ADDRESS`` this machine's
address as guests and users reach it, ``TROVE_TEST_MANAGEMENT`` the name of the network
on which guests reach it. ``TROVE_TEST_NOTIFICATIONS``, where it is set, is the URL of
the broker that Nova and Cinder send their notifications to.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import typing
import urllib.parse

import requests
import yaml

from tests.contract.cloud import real
from tests.system.deployment import VERSIONS, User
from tests.system.faults import servers
from tests.system.faults.hosted import Hosted
from tests.system.faults.servers import until
from trove.actions import audit
from trove.cloud.openstack import OpenstackCloud
from trove.db.session import Database
from trove.localcloud import rabbitmq

ADMIN, ADDRESS = "TROVE_TEST_CLOUD_ADMIN", "TROVE_TEST_ADDRESS"
MANAGEMENT, NOTIFICATIONS = "TROVE_TEST_MANAGEMENT", "TROVE_TEST_NOTIFICATIONS"
DEPLOYMENT, BARE = "tests", "bare"
"""This deployment; and the version of those servers that need no agent."""
NEXT = {"mariadb": "11.8"}
"""What a version is upgraded to: an image of the next Debian."""
MORE = {"mysql": "9.7", "valkey": "8.1"}
"""What there is with ``--all-datastores`` only."""
TASKMANAGERS = ("taskmanager-1", "taskmanager-2")
CONDUCTORS = ("conductor-1", "conductor-2")
PATIENCE = 1200.0
"""Seconds: an emulated server takes minutes where another takes seconds."""
BACKUP = {
    "driver": "swift",
    "schedule_by_default": "false",
    "final_by_default": "false",
    "schedule_interval": 10,
    "ship_interval": 10,
    "archive_interval": 3,
    "retention_interval": 60,
}
"""In the account of the service's own project."""
SMALL, LARGE = os.environ.get("TROVE_TEST_FLAVORS", "small,large").split(",")


class Stand(Hosted):
    """All of it but the cloud; ``stop`` leaves nothing of ours in either."""

    def __init__(self, every: bool = False) -> None:
        """``every``: with the datastores of ``MORE``."""
        self._more = MORE if every else {}
        where = os.environ[ADDRESS]
        super().__init__("openstack", tag="tos", ports=27000, address=where)
        self.cloud = real.settings(real.SERVICE, DEPLOYMENT)
        self._catalogue: list[typing.Any] = []

    @property
    def url(self) -> str:
        """Of the API, without a project."""
        return f"http://{self.address}:{self.place.api_port}"

    # -- up and down

    def start(self) -> None:
        """Until the API answers."""
        self.prepare()
        self.daemons["rabbitmq"].spawn()
        self.daemons["mariadb"], self.database = servers.mariadb(self.home)
        self.daemons["rabbitmq"].wait_ready(180)
        rabbitmq.setup(self.place)
        self._configure()
        self.manage("key", "create-signing", str(self.home / "signing-key"))
        self.manage("key", "create-backup", str(self.home / "backup-keys"))
        self.manage("db", "sync")
        self._announce()
        self._register()
        for name in (*CONDUCTORS, *TASKMANAGERS, "api"):
            self.run(name)

    def stop(self) -> None:
        """Nothing is left, but the logs when $TROVE_TEST_LOGS names a directory."""
        self.end((*TASKMANAGERS, *CONDUCTORS, "api", "mariadb"), "TROVE_TEST_LOGS")
        for made in self._catalogue:
            made()

    def run(self, name: str, **environment: str) -> None:
        """Starts one of ours, and waits until it is ready."""
        self.ready_file(name).unlink(missing_ok=True)
        made = self.trove(name, self._answers if name == "api" else None)
        made.how["env"] = self.environment | environment
        made.spawn()
        made.wait_ready(120)

    def kill(self, name: str) -> None:
        """kill -9 of one of ours."""
        self.daemons[name].send(signal.SIGKILL)
        self.daemons[name].kill()

    def break_broker(self) -> None:
        """kill -9 of the whole broker, and a new one over what it had."""
        pid = int((self.place.rabbitmq / "node.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        self.daemons["rabbitmq"].kill()
        self.daemons["rabbitmq"].spawn()
        self.daemons["rabbitmq"].wait_ready(180)

    def _register(self) -> None:
        """The datastores, by the tags of the images that the cloud has."""
        first = VERSIONS | self._more
        for datastore, version in (*first.items(), *NEXT.items()):
            tags = f"trove,{datastore},{version}"
            words = ("register", datastore, version, "--manager", datastore)
            more = ("--default",) if first[datastore] == version else ()
            words = ("version", *words, "--image-tags", tags, *more)
            self.manage("datastore", *words)
        words = ("register", "mariadb", BARE, "--manager", "mariadb")
        self.manage("datastore", "version", *words, "--image-tags", real.TAG)
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

    def under_way(self, instance: str) -> bool:
        """Whether anything is done with it."""
        sql = "SELECT 1 FROM operations WHERE object_id = %(id)s AND lock_key > ''"
        return bool(self.rows(sql, id=instance))

    def resident(self) -> dict[str, int]:
        """Bytes of each of ours, and of each process that it has of its own."""
        found = {}
        for name in (*TASKMANAGERS, *CONDUCTORS, "api"):
            pid = self.daemons[name].pid
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
            for number, each in enumerate((str(pid), *children.split())):
                status = pathlib.Path(f"/proc/{each}/status").read_text()
                kib = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
                if kib:
                    found[f"{name}/{number}"] = int(kib[1]) * 1024
        return found

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

    def _configure(self) -> None:
        cloud = self.cloud
        who = {
            "auth_url": cloud.auth_url,
            "username": cloud.username,
            "password": cloud.password,
            "project_name": cloud.project_name,
            "interface": cloud.interface,
        }
        own = {"deployment": DEPLOYMENT, "region_name": cloud.region_name, **who}
        if notifications := os.environ.get(NOTIFICATIONS):
            own["notifications_url"] = notifications
        token = who | {
            "auth_type": "password",
            "www_authenticate_uri": cloud.auth_url,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "service_token_roles": "service",
            "service_token_roles_required": "true",
        }
        store = self._store()
        taskmanager = {
            "management_network": os.environ[MANAGEMENT],
            "signing_key": self.home / "signing-key",
            "object_stores": _guests_door(store),
        }
        backup = {
            **BACKUP,
            "keyring": self.home / "backup-keys",
            "guests_endpoint": store,
        }
        self.configure(
            self.database,
            (*CONDUCTORS, *TASKMANAGERS, "api"),
            {
                "trove": {"cloud": own, "backup": backup if store else {}},
                "api": {"keystone_authtoken": token},
                "taskmanager": {"taskmanager": taskmanager},
            },
        )

    def _store(self) -> str:
        """Where guests reach the object store: scheme, host, port; "" without one."""
        with self._admin() as admin:
            found = admin.session.get_endpoint(
                service_type="object-store", interface="public"
            )
        url = urllib.parse.urlsplit(found or "")
        return f"{url.scheme}://{url.netloc}" if url.netloc else ""

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


def _guests_door(store: str) -> str:
    """``host:port`` of that store, which a guest may open a connection to."""
    url = urllib.parse.urlsplit(store)
    if not url.hostname:
        return ""
    host = socket.gethostbyname(url.hostname)
    return f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"


def outside(user: User, id: str) -> dict[str, typing.Any]:
    """An instance as it is shown, with the public address, once it has one, alone."""

    def look() -> dict[str, typing.Any] | None:
        shown = user.show(id) or {"addresses": ()}
        known = [
            one["address"] for one in shown["addresses"] if one["type"] == "public"
        ]
        return shown | {"ip": known} if known else None

    return typing.cast(
        dict[str, typing.Any], until("it has a public address", look, PATIENCE)
    )


__all__ = [
    "CONDUCTORS",
    "LARGE",
    "MORE",
    "NEXT",
    "PATIENCE",
    "SMALL",
    "TASKMANAGERS",
    "Stand",
    "until",
]
