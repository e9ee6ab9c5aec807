# SPDX-License-Identifier: Apache-2.0
"""doc/install, line by line: from a bare Debian to the first instance, on two hosts.

``Guide.words`` is all that is put in place of what the page says.
"""

import contextlib
import os
import pathlib
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import pytest
import requests
import yaml

from tests.contract.cloud import real
from tests.openstack import guide
from tests.openstack.conftest import CACHE, listed
from tests.openstack.controller import DATABASE_PORT, SUITES, Controller, python
from tests.openstack.stand import ADDRESS, ADMIN, MANAGEMENT, PATIENCE, SMALL, until
from trove.service.certificates import Authority

pytestmark = [pytest.mark.root, pytest.mark.openstack, pytest.mark.timeout(3600)]

NAME = "trove-tests-install"
"""Of our user, our service and our deployment: the cloud may have another Trove."""
CLOUDS = {"admin": ADMIN, "demo": real.USER}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Guide:
    """The page as this machine and this cloud have it."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home, self.begun = home, time.monotonic()
        self.address = os.environ[ADDRESS]
        self.password = secrets.token_hex(18)  # which no command takes for an option
        self.authority = Authority.create(home / "ca")
        self.first = Controller(home, "first")
        self.second = Controller(home, "second", servers=False)
        self.instance = ""
        with contextlib.closing(real.connection(ADMIN)) as admin:
            self.region = admin.config.region_name
            self.keystone = self._public(admin, "identity").rstrip("/")
            store = self._public(admin, "object-store")
            networks = {one.name: one.id for one in admin.network.networks()}
        self.network = networks[os.environ["TROVE_TEST_NETWORK"]]
        at = urllib.parse.urlsplit(store or "")
        port = at.port or (443 if at.scheme == "https" else 80)
        self.store = f"{socket.gethostbyname(at.hostname)}:{port}" if store else ""

    @staticmethod
    def _public(admin, kind):
        return admin.session.get_endpoint(service_type=kind, interface="public")

    @property
    def url(self):
        return f"https://{self.address}:8779"

    def words(self):
        """What stands on the page, and what is said instead."""
        keystone = (
            self.keystone if self.keystone.endswith("v3") else f"{self.keystone}/v3"
        )
        return (
            # names of hosts and of what is the cloud's own
            ("db.example.org", f"127.0.0.1:{DATABASE_PORT}"),
            ("broker.example.org", self.address),
            ("10.1.2.3", self.address),
            ("10.1.2.9:443", self.store),
            ("https://trove.example.org:8779", self.url),
            ("https://keystone.example.org:5000/v3", keystone),
            ("trove-management", os.environ[MANAGEMENT]),
            ("db.small", SMALL),
            ("net-id=NETWORK", f"net-id={self.network}"),
            # names of ours: another Trove may be there
            ("openstack user create trove ", f"openstack user create {NAME} "),
            ("--user trove ", f"--user {NAME} "),
            ("--name trove database", f"--name {NAME} database"),
            ("--region RegionOne trove ", f"--region {self.region} {NAME} "),
            ("RegionOne", self.region),
            ("username = trove\n", f"username = {NAME}\n"),
            ("deployment = trove\n", f"deployment = {NAME}\n"),
            # what a terminal asks for
            ("--password-prompt", "--password PASSWORD"),
            (
                "--password --ssl-ca ca.pem",
                "--password=PASSWORD --ssl-ca /etc/trove/pki/ca.pem",
            ),
            *self._typed(),
            ("PASSWORD", self.password),
        )

    @staticmethod
    def _typed():
        for user in ("trove-control", "trove-admin"):
            line = f"rabbitmqctl add_user {user}"
            yield (line, f"{line} <<<PASSWORD")

    def said(self, text):
        for one, other in self.words():
            text = text.replace(one, other)
        return text

    # -- what is done with a block

    def follow(self):
        """The whole page."""
        for block in guide.blocks(guide.PAGE.read_text()):
            if block.file:
                self.first.write(block.file, self.said(block.text), append=True)
                continue
            began = time.monotonic()
            self._by(block)(self.said(block.text))
            ended = time.monotonic()
            line = block.text.splitlines()[0]
            print(f"{ended - self.begun:5.0f} s, took {ended - began:4.0f}: {line}")

    def _by(self, block):
        special = {
            "rabbitmq-plugins": self._broker,
            "openstack role create": self._administrator,
            "trove-guest-image build": self._images,
            "cp /opt/trove/share/trove/systemd/trove-{api": self._start,
            "cp /opt/trove/share/trove/systemd/trove-{conductor": self._other_host,
            "openstack database instance create": self._user,
            "mariadb --host": self._connect,
        }
        for words, how in special.items():
            if block.begins(words):
                return how
        return self.first.shell

    def _certificate(self, directory, name, owner):
        made = self.authority.server_certificate(
            ["localhost"], ["127.0.0.1", self.address]
        )
        for kind, text in zip(("pem", "key"), made, strict=True):
            self.first.write(f"{directory}/{name}.{kind}", text, owner)
        self.first.run("chmod", "600", f"{directory}/{name}.key")

    def _broker(self, text):
        """Its certificate is the operator's to give."""
        self.first.write(
            "/etc/rabbitmq/broker-ca.pem", self.authority.ca_pem, "rabbitmq"
        )
        self.first.write("/etc/trove/broker-ca.pem", self.authority.ca_pem, "trove")
        self._certificate("/etc/rabbitmq", "server", "rabbitmq")
        self.first.shell(text)

    def _administrator(self, text):
        """Beside the operator's clouds.yaml."""
        clouds = {}
        for name, variable in CLOUDS.items():
            auth = {
                **real.entry(variable).config["auth"],
                "auth_url": f"{self.keystone}",
            }
            more = {"region_name": self.region, "cacert": CERTIFICATES}
            clouds[name] = {"auth": auth, "interface": "public", **more}
        self.first.write(
            "/root/.config/openstack/clouds.yaml", yaml.safe_dump({"clouds": clouds})
        )
        self.first.shell(text, OS_CLOUD="admin")

    def _images(self, text):
        """Made and brought by this machine; the rules go to the host."""
        environment = {**os.environ, "OS_CLOUD": os.environ[real.SERVICE]}
        program = f"{sys.executable} -m trove.cmd.guestimage"
        text = text.replace("trove-guest-image", program)
        text = re.sub(r" build .*", rf"\g<0> --cache-dir {CACHE}", text)
        subprocess.run(
            ["bash", "-euc", text],
            cwd=self.home,
            env=environment,
            check=True,
            timeout=1800,
        )
        for rules in self.home.glob("*.rules.json"):
            self.first.write(f"/root/trove/{rules.name}", rules.read_text())

    def _start(self, text):
        """Behind a certificate of the operator's, whose authority the host knows."""
        self._certificate("/etc/trove", "api", "trove")
        self.first.write(
            "/usr/local/share/ca-certificates/tests.crt", self.authority.ca_pem
        )
        self.first.run("update-ca-certificates")
        self.first.shell(text)

    def _other_host(self, text):
        """The package and the user "as above", and the same /etc/trove."""
        subprocess.run(
            [
                "cp",
                "-a",
                str(self.first.root / "etc/trove"),
                str(self.second.root / "etc"),
            ],
            check=True,
        )
        self.second.start()
        for block in guide.blocks(guide.PAGE.read_text()):
            if block.begins("python3 -m venv") or block.begins("useradd"):
                self.second.shell(block.text)
        self.second.shell("chown -R --from=:trove :trove /etc/trove\n" + text)

    def _user(self, text):
        said = self.first.shell(text, OS_CLOUD="demo", OS_CACERT=CERTIFICATES)
        self.instance = re.search(r"\| id +\| (\S+) ", said)[1]

    def _connect(self, text):
        shown = self.wait()
        (public,) = [
            one["address"] for one in shown["addresses"] if one["type"] == "public"
        ]
        said = self.first.shell(text.replace("ADDRESS", public))
        assert "MariaDB" in said

    # -- as a user sees it

    def asked(self, path, method="GET", **more):
        with contextlib.closing(real.connection(real.USER)) as user:
            token, project = user.auth_token, user.current_project_id
        url = f"{self.url}/v1.0/{project}/{path}"
        known = {"X-Auth-Token": token}
        return requests.request(
            method,
            url,
            headers=known,
            verify=self.home / "ca/ca.pem",
            timeout=60,
            **more,
        )

    def shown(self):
        answer = self.asked(f"instances/{self.instance}")
        return answer.json()["instance"] if answer.status_code == 200 else None

    def wait(self):
        """Until it serves by its public address."""

        def look():
            shown = self.shown()
            assert shown["status"] != "ERROR", shown
            kinds = {one["type"] for one in shown.get("addresses", ())}
            return shown if shown["status"] == "ACTIVE" and "public" in kinds else None

        return until("the first instance serves", look, PATIENCE)

    def delete(self):
        """It goes, and so does the volume that is kept of it, at once."""
        assert self.asked(f"instances/{self.instance}", "DELETE").status_code == 202
        until("the first instance is gone", lambda: self.shown() is None, PATIENCE)
        kept = f"recycled-instances/{self.instance}"
        assert self.asked(kept, "DELETE").status_code == 202
        until(
            "its volume is gone",
            lambda: self.asked(kept).status_code == 404,
            PATIENCE,
        )

    def close(self):
        """Nothing of it is left in the cloud or on this machine."""
        if self.instance and self.shown() is not None:
            self.delete()
        for name, host in (("first", self.first), ("second", self.second)):
            if logs := os.environ.get("TROVE_TEST_LOGS"):
                text = host.journal()
                (pathlib.Path(logs) / f"install-{name}.log").write_text(text)
            host.close()
        with contextlib.closing(real.connection(ADMIN)) as admin:
            identity = admin.identity
            for service in identity.services(name=NAME):
                for endpoint in identity.endpoints(service_id=service.id):
                    identity.delete_endpoint(endpoint)
                identity.delete_service(service)
            for user in identity.users(name=NAME):
                identity.delete_user(user)


@pytest.fixture
def images():
    """Those that the guide brings are gone afterwards."""
    with contextlib.closing(real.connection(real.SERVICE)) as service:
        before = {one.id for one in service.image.images()}
        yield
        for one in list(service.image.images()):
            if one.id not in before:
                service.image.delete_image(one.id)


@pytest.fixture
def followed(images):
    if python() not in SUITES:
        pytest.fail(f"no Debian here has Python {python()}")
    before = listed()
    with tempfile.TemporaryDirectory(prefix="trove-install-", dir="/var/tmp") as home:
        pathlib.Path(home).chmod(0o755)
        made = Guide(pathlib.Path(home))
        try:
            made.first.start()
            made.follow()
            yield made
        finally:
            made.close()
    assert listed() == before


def test_from_zero_to_the_first_instance_and_a_lost_host(followed):
    first, second = followed.first, followed.second
    assert "-IOs false" in first.run("ps", "-C", "beam.smp", "-o", "args=", "-ww")
    # through the proxy a name's slash is a name's slash
    body = {"users": [{"name": "a/b", "password": followed.password, "databases": []}]}
    users = f"instances/{followed.instance}/users"
    assert followed.asked(users, "POST", json=body).status_code == 202
    assert followed.asked(f"{users}/a%2Fb").json()["user"]["name"] == "a/b"
    links = followed.shown()["links"]
    assert all(one["href"].startswith(followed.url) for one in links), links
    for name, host in (("first", first), ("second", second)):
        said = host.run("systemctl", "show", "-P", "StatusText", "trove-taskmanager")
        assert said.endswith("serves."), said
        print(name, host.run("ps", "-u", "trove", "-o", "rss=,args="))
    assert "CRITICAL" not in first.run("trove-manage", "audit")
    # what was rotated away is written to no more
    logs = first.run("ls", "/var/log/trove").split()
    assert "taskmanager.log.1" in logs
    # one host is lost: the other one ends what was asked for
    first.run(
        "systemctl", "kill", "--signal=KILL", "trove-taskmanager", "trove-conductor"
    )
    first.run("systemctl", "stop", "trove-taskmanager", "trove-conductor")
    followed.delete()
    first.run("systemctl", "start", "trove-taskmanager", "trove-conductor")
    until(
        "its log is new", lambda: first.run("cat", "/var/log/trove/taskmanager.log"), 60
    )
