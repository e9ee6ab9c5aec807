# SPDX-License-Identifier: Apache-2.0
"""Certificates that users bring, on real databases, as their clients find them.

They are brought through the cloud's key manager, over HTTP, to real guests.
"""

import base64
import contextlib
import pathlib
import ssl
import subprocess
import typing

import psycopg
import pymysql
import pytest
from cryptography import x509
from keystoneauth1 import adapter

from tests.pkcs12 import Authority, Made
from tests.system import builds
from tests.system.deployment import Deployment, User, ask, until
from tests.system.test_addresses import change, migrated, public
from trove.datastores import registry
from trove.guestagent.host import Host

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PASSWORD = "canary-of-a-pkcs12-password-3c77"
USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
REFUSED = (pymysql.err.OperationalError, psycopg.OperationalError)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize(("datastore", "name"), builds.params(metafunc.config))


class Shop:
    """An instance, and its owner who has an authority of his own."""

    def __init__(
        self,
        deployment: Deployment,
        demo: User,
        datastore: str,
        version: str,
        home: pathlib.Path,
    ) -> None:
        self.deployment, self.demo = deployment, demo
        self.datastore, self.version, self.home = datastore, version, home
        self.spec = registry.get(datastore)
        self.authority = Authority()
        self.root = home / "root.pem"
        self.root.write_text(self.authority.pem)
        self.keys = adapter.Adapter(
            demo.api.session,
            service_type="key-manager",
            region_name=demo.api.region_name,
            raise_exc=False,
        )
        name = f"ssl-{datastore}-{version}"
        self.id = demo.create(datastore, name, [USER], version=version)
        self.host = demo.wait(self.id)["ip"][0]
        self.made: list[Made] = []

    def server(self, **how: typing.Any) -> Made:
        self.made.append(self.authority.server(addresses=[self.host], **how))
        return self.made[-1]

    def keep(self, payload: bytes, text: bool = False) -> str:
        body = {"payload_content_type": "text/plain", "payload": PASSWORD}
        if not text:
            body = {
                "payload_content_type": "application/octet-stream",
                "payload_content_encoding": "base64",
                "payload": base64.b64encode(payload).decode(),
            }
        said = self.keys.post("/v1/secrets", json=body)
        assert said.status_code == 201, said.text
        return str(said.json()["secret_ref"])

    def ssl(self, status: int = 200, **said: typing.Any) -> typing.Any:
        path = f"/instances/{self.id}/ssl"
        answer = self.demo.ask("POST", path, {"ssl": said})
        assert answer.status_code == status, answer.text
        return answer.json()

    def bring(self, made: Made, mode: str, status: int = 200) -> typing.Any:
        container = self.keep(made.pkcs12(PASSWORD))
        password = self.keep(b"", text=True)
        about = {"mode": mode, "container_ref": container, "password_ref": password}
        return self.ssl(status, enable=True, **about)

    def look(self) -> typing.Any:
        path = f"/instances/{self.id}/ssl?include_certificate=true"
        answer = self.demo.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["ssl"]

    # -- as a client

    def serial(self) -> str:
        """Of the certificate that a connection is shown."""
        turned = registry.engine(self.datastore, Host()).starttls
        said = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.host}:{self.spec.port}"]
            + (["-starttls", turned] if turned else []),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        ).stdout
        start = said.find(b"-----BEGIN CERTIFICATE")
        if start < 0:
            return "none"
        return f"{x509.load_pem_x509_certificate(said[start:]).serial_number:x}"

    def client(self) -> tuple[str, str]:
        """A client's certificate and key, in files."""
        made = self.authority.client(USER["name"])
        paths = []
        for name, text in (("client.pem", made.pem), ("client.key", made.key_pem)):
            path = self.home / name
            path.touch(0o600)
            path.write_text(text)
            paths.append(str(path))
        return paths[0], paths[1]

    def enters(self, tls: bool = True, pair: tuple[str, str] | None = None) -> bool:
        """Whether a client that trusts the user's authority alone comes in."""
        try:
            with contextlib.closing(self._connect(tls, pair)) as line:
                return bool(ask(line, "SELECT 1")[0][0] == 1)
        except REFUSED:
            return False

    def _connect(self, tls: bool, pair: tuple[str, str] | None) -> typing.Any:
        who: dict[str, typing.Any] = {"host": self.host, "connect_timeout": 20}
        who |= {"user": USER["name"], "password": USER["password"]}
        if self.datastore == "postgresql":
            return psycopg.connect(
                **who,
                dbname="shop",
                sslmode="verify-full" if tls else "disable",
                sslrootcert=str(self.root),
                sslcert=pair[0] if pair else "/none",
                sslkey=pair[1] if pair else "/none",
            )
        context = ssl.create_default_context(cafile=str(self.root)) if tls else None
        if context is not None and pair:
            context.load_cert_chain(*pair)
        return pymysql.connect(
            **who, database="shop", ssl=context, ssl_disabled=not tls
        )

    def boot(self) -> int:
        """Which start of its agent was heard last."""
        sql = "SELECT boot FROM guest_reports WHERE instance_id = ?"
        return int(self.deployment.rows(sql, self.id)[0][0])

    def well(self) -> None:
        self.demo.wait(self.id)


def test_a_certificate_of_a_users_own(
    deployment: Deployment,
    demo: User,
    admin: User,
    datastore: str,
    name: str,
    tmp_path: pathlib.Path,
) -> None:
    builds.offer(deployment, datastore, name)
    shop = Shop(deployment, demo, datastore, name, tmp_path)
    assert not shop.enters(), "nobody trusts the user's authority yet"

    first = shop.server()
    said = shop.bring(first, "enforced")["ssl"]
    assert said["mode"] == "enforced" and shop.host in said["certificate"]["san"]
    assert shop.serial() == first.serial, "served when the answer came"
    assert shop.look()["certificate"]["payload"] == first.pem
    assert shop.enters() and not shop.enters(tls=False)

    shop.bring(shop.server(begins=-9, days=-1), "enforced", 400)
    assert shop.serial() == first.serial
    _lives_on(shop, admin, first)
    until("its owner is told of its end", lambda: _told(shop, first))

    second = shop.server()
    assert shop.bring(second, "mtls")["ssl"]["mode"] == "mtls"
    assert shop.serial() == second.serial
    pair = shop.client()
    assert not shop.enters() and shop.enters(pair=pair)
    body = {"users": [{"name": "bob", "password": "p", "databases": []}]}
    assert demo.ask("POST", f"/instances/{shop.id}/users", body).status_code == 202

    assert shop.ssl(rollback=True)["ssl"]["mode"] == "enforced"
    assert shop.serial() == first.serial
    assert shop.enters() and not shop.enters(tls=False)
    assert shop.bring(shop.server(), "basic")["ssl"]["mode"] == "basic"
    assert shop.enters() and shop.enters(tls=False)
    _only_there(shop)
    shop.ssl(rollback=True)
    shop.ssl(rollback=True)
    assert not shop.enters() and not shop.enters(tls=False)
    shown = demo.show(shop.id)
    with contextlib.closing(
        demo.connect(shown, USER["name"], USER["password"], "shop")
    ) as line:
        assert ask(line, "SELECT 1")[0][0] == 1, "the deployment's is served again"
    shop.ssl(400, rollback=True)
    shop.ssl(501, disable=True)

    assert [_told(shop, made) for made in (first, second)] in ([1, 0], [1, 1])
    _nowhere(shop)
    demo.delete(shop.id)
    demo.gone(shop.id)


def _lives_on(shop: Shop, admin: User, first: Made) -> None:
    """It is there after whatever may happen to the agent, the engine, the server."""
    inside = shop.deployment.inside
    before = shop.boot()
    inside(shop.id, "systemctl", "restart", "trove-guestagent.service")
    until("the agent's new start is heard", lambda: shop.boot() > before)
    shop.well()
    assert shop.serial() == first.serial

    path = f"/instances/{shop.id}/action"
    assert shop.demo.ask("POST", path, {"restart": {}}).status_code == 202
    shop.well()
    assert shop.serial() == first.serial

    path = f"/mgmt/instances/{shop.id}/action"
    assert admin.ask("POST", path, {"reboot": {}}).status_code == 202
    shop.well()
    until("it serves as before", lambda: shop.serial() == first.serial)

    migrated(shop.deployment, shop.demo, admin, shop.id)
    shop.well()
    assert shop.serial() == first.serial, "after a migration that led back"

    _moves_in_public(shop, first)

    found = builds.content(shop.deployment, shop.datastore, shop.version)
    body = {"rebuild": {"image_id": found.id}}
    assert admin.ask("POST", path, body).status_code == 202
    until("it is built anew", lambda: shop.demo.show(shop.id)["status"] != "BUILD")
    shop.well()
    assert shop.serial() == first.serial, (
        "the root was made anew, the key was not on it"
    )
    assert shop.enters() and not shop.enters(tls=False)


def _told(shop: Shop, made: Made) -> int:
    """How many events say that it ends in less than thirty days."""
    answer = shop.demo.ask("GET", f"/instances/{shop.id}/events?limit=1000")
    assert answer.status_code == 200, answer.text
    ends = made.certificate.not_valid_after_utc.isoformat()
    return sum(
        event["type"] == "instance.ssl.ending" and event["details"]["expires"] == ends
        for event in answer.json()["events"]
    )


def _moves_in_public(shop: Shop, first: Made) -> None:
    """The deployment's certificate is asked for anew, beside the one that serves."""
    for is_public in (True, False):
        before = _issued(shop)
        shown = change(shop.demo, shop.id, is_public=is_public)
        assert bool(public(shown)) is is_public
        assert _issued(shop) != before, "it names the addresses of today"
        assert shop.serial() == first.serial
        assert shop.look()["certificate"]["payload"] == first.pem


def _issued(shop: Shop) -> str:
    """The serial of the certificate that waits beside the user's."""
    query = "SELECT certificate_serial FROM guests WHERE instance_id = ?"
    return str(shop.deployment.rows(query, shop.id)[0][0])


def _canaries(shop: Shop) -> list[str]:
    """The password, and of each key a piece that is on one line of PEM."""
    bodies = ["".join(made.key_pem.splitlines()[1:-1]) for made in shop.made]
    return [PASSWORD, *(body[64:104] for body in bodies)]


def _found(shop: Shop, *folders: str) -> list[str]:
    """The guest's files that hold one of them."""
    patterns = [word for one in _canaries(shop) for word in ("-e", one)]
    said = shop.deployment.inside(
        shop.id, "sh", "-c", 'grep -rlaF "$@" || true', "-", *patterns, *folders
    )
    return sorted(said.split())


def _only_there(shop: Shop) -> None:
    """The keys are where the engine and the agent read them, and nobody else."""
    data = shop.spec.data
    found = _found(shop, "/etc", data, "/var", "/root", "/home", "/run", "/tmp")
    assert found == [
        f"/etc/trove-{shop.datastore}/tls/server.pem",
        "/etc/trove/tls/server.pem",
        f"{data}/.trove-tls/brought.json",
    ]
    said = shop.deployment.inside(shop.id, "stat", "-c", "%a", *found)
    assert said.split() == ["600", "640", "600"]


def _nowhere(shop: Shop) -> None:
    """S1, INV-17: neither keys nor the password are in a log, a row or a queue."""
    canaries = _canaries(shop)
    patterns = [word for one in canaries for word in ("-e", one)]
    place = shop.deployment.place
    done = subprocess.run(
        ["grep", "-rlaF", *patterns, "--devices=skip"]
        + ["--exclude-dir=servers", "--exclude-dir=volumes", str(place.state)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "", done.stdout
    assert _found(shop, "/etc", "/var", "/run", "/tmp", shop.spec.data) == []
    journal = shop.deployment.inside(shop.id, "journalctl", "-o", "export", "--all")
    assert not [one for one in canaries if one in journal]
