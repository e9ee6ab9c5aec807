# SPDX-License-Identifier: Apache-2.0
"""A life of each datastore without databases (``--all-datastores``).

How a user comes in is what its folder says of the first steps.
"""

import importlib
import typing

import pytest

from tests.system.deployment import Deployment, User, until
from trove import errors
from trove.datastores import registry
from trove.datastores.spec import Entrance

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PASSWORD = "correct horse"
DATABASES = [{"name": "shop"}]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores = [
        pytest.param(name, build.version, id=f"{name}-{build.version}")
        for name in registry.names()
        for build in registry.get(name).builds
        if not registry.get(name).can.databases
    ]
    metafunc.parametrize(("datastore", "version"), stores)


class Store:
    """An instance of one, with a user ``ada``."""

    def __init__(
        self, deployment: Deployment, demo: User, datastore: str, version: str
    ) -> None:
        self.demo, self.spec, self.version = demo, registry.get(datastore), version
        self.authority = demo.authority
        self.order = {
            "name": f"store-{datastore}",
            "flavorRef": 1,
            "volume": {"size": 1},
            "datastore": {"type": datastore, "version": version},
            "users": [{"name": "ada", "password": PASSWORD}],
        }
        answer = demo.ask("POST", "/instances", {"instance": self.order})
        assert answer.status_code == 200, answer.text
        self.id = str(answer.json()["instance"]["id"])
        self.address = demo.wait(self.id)["ip"][0]

    def ask(self, method: str, path: str, body: typing.Any = None) -> typing.Any:
        return self.demo.ask(method, f"/instances/{self.id}{path}", body)

    def enters(self, user: str, password: str = PASSWORD) -> bool:
        """Whether the user comes in, over TLS, to an engine of that version."""
        port, authority = self.spec.port, self.authority
        where = Entrance(self.address, port, user, password, "shop", authority)
        steps = importlib.import_module(self.spec.firststeps)
        try:
            said, cipher = steps.enter(where)
        except errors.TroveError:
            return False
        return f" {self.version}." in said and bool(cipher)

    def does(self, kind: str, method: str, path: str, body: typing.Any) -> None:
        """An operation, which ends well."""
        answer = self.ask(method, path, body)
        assert answer.status_code == 202, answer.text

        def over() -> typing.Any:
            path = f"/operations?instance_id={self.id}"
            found = self.demo.ask("GET", path).json()["operations"][0]
            ended = found["state"] in ("done", "failed", "stuck")
            return found if ended and found["type"] == kind else None

        found = until(f"{kind} of {self.id} has ended", over)
        assert found["state"] == "done", found


def test_a_life_without_databases(
    deployment: Deployment, demo: User, datastore: str, version: str
) -> None:
    words = (f"--datastores={datastore}:{version}", "--no-instances")
    deployment.quickstart(*words, within=1500)
    store = Store(deployment, demo, datastore, version)
    assert store.enters("ada")
    assert not store.enters("ada", "wrong")
    _refuses_databases(store)
    _has_users(store)
    _is_configured(store)
    store.does("instance.restart", "POST", "/action", {"restart": {}})
    resize = {"resize": {"volume": {"size": 2}}}
    store.does("instance.resize_volume", "POST", "/action", resize)
    demo.wait(store.id)
    assert store.enters("ada")
    demo.delete(store.id)
    demo.gone(store.id)


def _refuses_databases(store: Store) -> None:
    user = {"name": "bob", "password": PASSWORD, "databases": DATABASES}
    for order in ({"databases": DATABASES}, {"users": [user]}):
        body = {"instance": store.order | order}
        assert store.demo.ask("POST", "/instances", body).status_code == 501
    for method, path, body in (
        ("GET", "/databases", None),
        ("POST", "/databases", {"databases": DATABASES}),
        ("DELETE", "/databases/shop", None),
        ("POST", "/users", {"users": [user]}),
        ("PUT", "/users/ada/databases", {"databases": DATABASES}),
        ("DELETE", "/users/ada/databases/shop", None),
    ):
        assert store.ask(method, path, body).status_code == 501, path


def _has_users(store: Store) -> None:
    bob = {"name": "bob", "password": "p w"}
    assert store.ask("POST", "/users", {"users": [bob]}).status_code == 202
    assert store.enters("bob", "p w")
    for change in ({"name": "eve"}, {"password": "another"}):
        user = "bob" if "name" in change else "eve"
        answer = store.ask("PUT", f"/users/{user}", {"user": change})
        assert answer.status_code == 202, answer.text
    assert store.enters("eve", "another") and not store.enters("bob", "p w")
    assert store.ask("DELETE", "/users/eve").status_code == 202
    assert not store.enters("eve", "another")
    root = store.ask("POST", "/root").json()["user"]
    assert store.enters("root", root["password"])
    users = store.ask("GET", "/users").json()["users"]
    assert users == [{"name": "ada", "host": "%", "databases": []}]


def _is_configured(store: Store) -> None:
    """Every number at the least that may be, and back again."""
    declared = store.spec.parameters.items()
    least = {name: rule["min"] for name, rule in declared if "min" in rule}
    datastore = {"type": store.spec.name, "version": store.version}
    body = {"name": "least", "values": least, "datastore": datastore}
    answer = store.demo.ask("POST", "/configurations", {"configuration": body})
    assert answer.status_code == 200, answer.text
    group = answer.json()["configuration"]["id"]
    for wanted in (group, None):
        change = {"instance": {"configuration": wanted}}
        store.does("instance.configure", "PUT", "", change)
    answer = store.demo.ask("DELETE", f"/configurations/{group}")
    assert answer.status_code == 202, answer.text
