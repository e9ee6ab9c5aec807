# SPDX-License-Identifier: Apache-2.0
"""The lines of the contract's checklist (section 22) that need real guests.

All twelve are in ``tests/api/test_conformance.py``, with the API in one process. Here
are those that another engine could answer otherwise, for each datastore: those that a
deployment begins with, and with ``--all-datastores`` every other and each version.
"""

import contextlib
import dataclasses
import re
import socket
import ssl
import typing

import libvalkey
import pytest

from tests.system.clients import demos, library
from tests.system.deployment import VERSIONS, Deployment, User, ask, until
from trove.datastores import registry
from trove.datastores.spec import Datastore

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

Any = typing.Any

PASSWORD = "correct horse"
SHOP = [{"name": "shop"}]
WAIT: tuple[dict[str, int], str, str] = (
    {"wait_timeout": 611},
    "SELECT @@global.wait_timeout",
    "611",
)
VALUES: dict[str, tuple[dict[str, int], str, str]] = {
    "mariadb": WAIT,
    "mysql": WAIT,
    "postgresql": ({"work_mem": 811}, "SHOW work_mem", "811kB"),
    "valkey": ({"maxclients": 611}, "INFO clients", "611"),
}
"""What a group says, how the engine is asked for it, and how it says it."""


@dataclasses.dataclass
class Subject:
    """A version of a datastore, and an instance of it that nothing is wrong with."""

    demo: User
    spec: Datastore
    version: str
    id: str = ""

    @property
    def path(self) -> str:
        return f"/instances/{self.id}"

    @property
    def databases(self) -> list[dict[str, str]]:
        """Those that an instance and its user are ordered with."""
        return SHOP if self.spec.can.databases else []

    def create(self, name: str) -> str:
        """An instance with a user; its id."""
        user = {"name": "ada", "password": PASSWORD, "databases": self.databases}
        databases = [each["name"] for each in self.databases]
        return self.demo.create(
            self.spec.name, name, [user], databases, version=self.version
        )

    def code(self, code: int) -> int:
        """What is answered to whoever asks for databases."""
        return code if self.spec.can.databases else 501


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("all_datastores")
    subjects = [
        pytest.param((name, build.version), id=name if first else f"{name}-{version}")
        for name in registry.names()
        for build in registry.get(name).builds
        for version in [build.version]
        for first in [VERSIONS.get(name) == version]
        if first or every
    ]
    metafunc.parametrize("subject", subjects, indirect=True, scope="module")


@pytest.fixture(scope="module")
def subject(
    request: pytest.FixtureRequest, deployment: Deployment, demo: User
) -> typing.Iterator[Subject]:
    """With the instance that the deployment began with, or one of its own."""
    name, version = request.param
    made = Subject(demo, registry.get(name), version)
    if VERSIONS.get(name) == version:
        made.id = demos(demo)[name]
        yield made
        return
    words = (f"--datastores={name}:{version}", "--no-instances")
    deployment.quickstart(*words, within=1500)
    made.id = made.create(f"conforming-{name}-{version}")
    demo.wait(made.id)
    yield made
    demo.delete(made.id)
    demo.gone(made.id)


def test_22_1_codes_of_databases_and_users(demo: User, subject: Subject) -> None:
    """Section 5's, with empty bodies; 501 in its envelope where there are none."""
    shelf = [{"name": "shelf"}]
    reader = {"name": "reader", "password": PASSWORD}
    held = {"name": "holder", "password": PASSWORD, "databases": shelf}
    of_users = (
        ("POST", "/users", {"users": [reader]}, 202),
        ("GET", "/users", None, 200),
        ("GET", "/users/reader", None, 200),
        ("GET", "/users/reader/databases", None, 200),
        ("PUT", "/users/reader", {"user": {"password": "another"}}, 202),
    )
    of_databases = (
        ("POST", "/databases", {"databases": shelf}, 202),
        ("GET", "/databases", None, 200),
        ("GET", "/databases/shelf", None, 200),
        ("POST", "/users", {"users": [held]}, 202),
        ("PUT", "/users/reader/databases", {"databases": shelf}, 202),
        ("DELETE", "/users/reader/databases/shelf", None, 202),
        ("DELETE", "/databases/shelf", None, 202),
    )
    asked = [
        *of_users,
        *((*words, subject.code(code)) for *words, code in of_databases),
        ("DELETE", "/users/reader", None, 202),
        ("DELETE", "/users/holder", None, 202 if subject.databases else 404),
    ]
    for method, below, body, code in asked:
        answer = demo.ask(method, subject.path + below, body)
        assert answer.status_code == code, (method, below, answer.text)
        if code == 202:
            assert answer.content == b"", below
        elif code == 501:
            fault = answer.json()["notImplemented"]
            assert fault["code"] == 501 and "databases" in fault["message"]
    if not subject.spec.can.databases:
        _orders_none(demo, subject)


def _orders_none(demo: User, subject: Subject) -> None:
    """Of an instance with a database, or with one of a user's, nothing is made."""
    about = {"type": subject.spec.name, "version": subject.version}
    order = {"name": "no", "flavorRef": 1, "volume": {"size": 1}, "datastore": about}
    user = {"name": "ada", "password": PASSWORD, "databases": SHOP}
    for more in ({"databases": SHOP}, {"users": [user]}):
        answer = demo.ask("POST", "/instances", {"instance": order | more})
        assert answer.status_code == 501
        assert answer.json()["notImplemented"]["code"] == 501
    rows = demo.ask("GET", "/instances").json()["instances"]
    assert "no" not in [row["name"] for row in rows]


def test_22_2_from_create_to_active(demo: User, subject: Subject) -> None:
    """Create, then GET until ACTIVE and HEALTHY, with ``ip``, ``addresses`` and
    ``volume.used``; on the way no word but BUILD, as Terraform wants it."""
    id = subject.create(f"conforms-{subject.spec.name}")
    seen: list[tuple[str, str]] = []

    def over() -> Any:
        shown = demo.show(id)
        assert shown is not None
        seen.append((shown["status"], shown["operating_status"]))
        return shown if seen[-1] == ("ACTIVE", "HEALTHY") else None

    shown = until("it is ACTIVE and HEALTHY", over)
    assert {status for status, _ in seen} == {"BUILD", "ACTIVE"}
    assert seen[0] == ("BUILD", "")
    assert shown["datastore"]["version"] == subject.version
    assert shown["ip"] == [each["address"] for each in shown["addresses"]]
    assert {each["type"] for each in shown["addresses"]} == {"private"}
    assert isinstance(shown["volume"]["used"], float) and shown["volume"]["used"] > 0
    assert "fault" not in shown and "configuration" not in shown
    demo.delete(id)
    words = set()

    def gone() -> bool:
        left = demo.show(id)
        words.add(left["status"] if left else "404")
        return left is None

    until("it is gone", gone)
    assert words <= {"SHUTDOWN", "404"}


def test_22_4_changes_and_what_they_do(demo: User, subject: Subject) -> None:
    """``{"instance": {}}`` takes the group away; a group that is changed answers 200
    and its values are in force; ``replica_of`` null and another version are read."""
    values, _, shown = VALUES[subject.spec.name]
    before = _value(demo, subject)
    about = {"type": subject.spec.name, "version": subject.version}
    body: Any = {"configuration": {"name": "c", "values": {}, "datastore": about}}
    group = demo.ask("POST", "/configurations", body).json()["configuration"]["id"]
    attach = {"instance": {"configuration": group}}
    assert demo.ask("PUT", subject.path, attach).status_code == 202
    body = {"configuration": {"values": values}}
    answer = demo.ask("PATCH", f"/configurations/{group}", body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert _value(demo, subject) == shown, "in force when the answer came"
    assert demo.ask("PUT", subject.path, {"instance": {}}).status_code == 202
    assert _value(demo, subject) == before
    answer = demo.ask("PUT", subject.path, {"instance": {"replica_of": None}})
    assert answer.status_code == 400 and "not a replica" in answer.text
    nothing = {"instance": {"datastore_version": "nothing"}}
    answer = demo.ask("PATCH", subject.path, nothing)
    assert answer.status_code in (400, 404)
    assert demo.ask("DELETE", f"/configurations/{group}").status_code == 202
    demo.wait(subject.id)


def test_22_6_markers_of_users_through_troveclient(
    deployment: Deployment, subject: Subject
) -> None:
    """``u%@%`` and worse: in the engine's own list, one a page, and each once."""
    trove = library(deployment)
    names = ["u%", "u%40", "a&b", "c#d", "e+f"]
    before = [each.name for each in trove.users.list(subject.id)]
    users = [{"name": each, "password": PASSWORD, "databases": []} for each in names]
    trove.users.create(subject.id, users)
    found, marker = [], None
    for _ in (*before, *names):
        page = trove.users.list(subject.id, limit=1, marker=marker)
        found += [each.name for each in page]
        marker = page.next
    assert marker is None
    assert found == sorted([*before, *names], key=lambda name: f"{name}@%")
    for name in names:
        trove.users.delete(subject.id, name)
    assert [each.name for each in trove.users.list(subject.id)] == before


def _value(demo: User, subject: Subject) -> str:
    """What the engine says; root asks, for the instance's user is somebody else's."""
    root = demo.ask("POST", f"{subject.path}/root").json()["user"]
    shown = demo.show(subject.id)
    assert shown is not None
    _, question, _ = VALUES[subject.spec.name]
    if subject.spec.can.databases:
        with demo.connect(shown, root["name"], root["password"], "shop") as line:
            found = str(ask(line, question)[0][0])
    else:
        address = (shown["ip"][0], subject.spec.port)
        words = ("AUTH", root["name"], root["password"])
        found = _facts(address, demo.authority, words, tuple(question.split()))
    assert demo.ask("DELETE", f"{subject.path}/root").status_code == 204
    return found


def _facts(address: tuple[str, int], authority: str, *commands: tuple[str, ...]) -> str:
    """Of what the last command answers, the number of clients that there can be."""
    context = ssl.create_default_context(cafile=authority)
    reader, answers = libvalkey.Reader(encoding="utf-8"), []
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(socket.create_connection(address, 20))
        line = context.wrap_socket(plain, server_hostname=address[0])
        stack.enter_context(line)
        line.sendall(b"".join(libvalkey.pack_command(words) for words in commands))
        while len(answers) < len(commands):
            while (said := reader.gets()) is False:
                piece = line.recv(65536)
                assert piece, "it ended the conversation"
                reader.feed(piece)
            answers.append(said)
    found = re.search(r"maxclients:(\d+)", str(answers[-1]))
    assert found is not None, answers
    return found[1]
