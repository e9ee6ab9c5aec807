# SPDX-License-Identifier: Apache-2.0
"""Every secret of a deployment, and every place where one might have been left.

A secret is a text that was made for this run alone, so that to find it anywhere is to
have found a leak.
"""

import base64
import json
import pathlib
import sqlite3
import typing

import yaml

from tests.system.attacks.guests import Pair
from tests.system.deployment import Deployment, passwords
from trove.localcloud.layout import Layout

Secrets = dict[str, bytes]
Places = typing.Iterator[tuple[str, bytes]]


def of_the_control_plane(place: Layout) -> Secrets:
    """What no guest, log or answer may ever hold."""
    found = {
        "seal key": (place.etc / "seal-keys").read_text().split()[0],
        "signing key": (place.etc / "signing-key").read_text().strip(),
        "CA's key": _middle((place.pki / "ca.key").read_text()),
        "broker's key": _middle((place.rabbitmq / "server.key").read_text()),
    }
    for name in ("broker.json", "passwords.json"):
        told = json.loads((place.etc / name).read_text())
        found |= {f"{name}: {who}": word for who, word in told.items()}
    clouds = yaml.safe_load(place.clouds_yaml.read_text())["clouds"]
    for who, known in clouds.items():
        found[f"password of {who}"] = known["auth"]["password"]
    for key in (place.keystone / "fernet").glob("*"):
        found[f"fernet key {key.name}"] = key.read_text().strip()
    return {name: word.encode() for name, word in found.items()}


def of_the_guests(pair: Pair) -> Secrets:
    """What each guest keeps to itself."""
    found = {"password of ada": pair.password}
    for who, id in (("attacker", pair.attacker), ("victim", pair.victim)):
        identity = pair.identity(id)
        found[f"{who}'s broker password"] = identity["password"]
        found[f"{who}'s private key"] = identity["private_key"]
    for name, kept in passwords(pair.deployment.place).items():
        for field, value in kept.items():
            if "password" in field:
                found[f"{name}: {field}"] = str(value)
    return {name: word.encode() for name, word in found.items()}


def _middle(pem: str) -> str:
    """A line of a key that no other has."""
    return pem.splitlines()[2]


def hits(secrets: Secrets, places: Places) -> list[str]:
    """Where what is found: names, never the secret itself."""
    forms = {
        name: {word, base64.b64encode(word), json.dumps(word.decode())[1:-1].encode()}
        for name, word in secrets.items()
    }
    found, looked = [], 0
    for where, content in places:
        looked += 1
        for name, words in forms.items():
            if any(word in content for word in words):
                found.append(f"{name} in {where}")
    assert looked, "there was nothing to look at"
    return found


def logs(place: Layout) -> Places:
    """Each log of the deployment."""
    for folder in (place.log, place.rabbitmq / "log", place.keystone / "log"):
        for path in folder.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(place.state)), path.read_bytes()


def consoles(place: Layout) -> Places:
    """What each server said on its console; its user may read that."""
    for path in (place.cloud / "servers").glob("*/console.log*"):
        yield str(path.relative_to(place.state)), path.read_bytes()


def commands() -> Places:
    """The command line of each process of the machine, the guests' among them."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield str(path), path.read_bytes()
        except OSError:
            continue  # it has ended


def databases(place: Layout) -> Places:
    """The control plane's and the cloud's, as they are dumped."""
    for path in (place.database, place.cloud / "cloud.sqlite"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as line:
            for number, row in enumerate(line.iterdump()):
                yield f"{path.name}, line {number}", row.encode()


def answers(pair: Pair) -> Places:
    """What the API says of the instances."""
    for path in (
        "/instances",
        "/instances/detail",
        f"/instances/{pair.attacker}",
        f"/instances/{pair.victim}",
        f"/instances/{pair.attacker}/users",
    ):
        yield path, pair.demo.ask("GET", path).content


def journals(deployment: Deployment, *instances: str) -> Places:
    """What a guest's services wrote, and its engine's own logs."""
    for id in instances:
        for name, argv in (
            ("journal", ("journalctl", "--no-pager", "-o", "cat")),
            ("logs", ("find", "/var/log", "-type", "f", "-exec", "cat", "{}", "+")),
            ("commands", ("sh", "-c", "cat /proc/[0-9]*/cmdline || true")),
        ):
            yield f"{name} of {id}", deployment.inside(id, *argv).encode()
