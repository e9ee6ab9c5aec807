# SPDX-License-Identifier: Apache-2.0
"""A life of each datastore without databases (``--all-datastores``).

How a user comes in is what its folder says of the first steps.
"""

import importlib
import typing

import pytest

from tests.system import builds, keys
from tests.system.builds import broken, image, version
from tests.system.deployment import Deployment, User, completed, until
from tests.system.weight import is_small
from trove import errors
from trove.datastores import registry
from trove.datastores.spec import Entrance

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PASSWORD = "correct horse"
DATABASES = [{"name": "shop"}]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores = builds.params(metafunc.config, databases=False)
    metafunc.parametrize(("datastore", "name"), stores)


class Store:
    """An instance of one, with a user ``ada``."""

    def __init__(
        self,
        deployment: Deployment,
        demo: User,
        datastore: str,
        version: str,
        series: str = "",
        backup: str | None = None,
    ) -> None:
        """``backup``: it is made of that one, and has its users."""
        self.demo, self.spec, self.version = demo, registry.get(datastore), version
        self.deployment, self.series = deployment, series or version
        self.authority = demo.authority
        self.order = {
            "name": f"store-{datastore}",
            "flavorRef": 1,
            "volume": {"size": 1},
            "datastore": {"type": datastore, "version": version},
            "users": [] if backup else [{"name": "ada", "password": PASSWORD}],
        }
        if backup:
            self.order["restorePoint"] = {"backupRef": backup}
        answer = demo.ask("POST", "/instances", {"instance": self.order})
        assert answer.status_code == 200, answer.text
        self.id = str(answer.json()["instance"]["id"])
        self.address = demo.wait(self.id)["ip"][0]

    def ask(self, method: str, path: str, body: typing.Any = None) -> typing.Any:
        return self.demo.ask(method, f"/instances/{self.id}{path}", body)

    def entrance(self, user: str, password: str = PASSWORD) -> Entrance:
        """Where the user comes in."""
        port, authority = self.spec.port, self.authority
        return Entrance(self.address, port, user, password, "shop", authority)

    def enters(self, user: str, password: str = PASSWORD) -> bool:
        """Whether the user comes in, over TLS, to an engine of that version."""
        steps = importlib.import_module(self.spec.firststeps)
        try:
            said, cipher = steps.enter(self.entrance(user, password))
        except errors.TroveError:
            return False
        return f" {self.series}." in said and bool(cipher)

    def has(self, number: int) -> bool:
        """So many keys, each with its value, and users; and it takes another key."""
        with keys.opened(self.entrance("ada")) as line:
            found = [line.get(f"thing {n}") for n in range(number)]
            line.set("fresh", found[-1])
        return found == [str(n) for n in range(number)] and self.enters("ada")

    def does(self, kind: str, method: str, path: str, body: typing.Any) -> None:
        """An operation, which ends well."""
        found = self.ended(kind, method, path, body)
        assert found["state"] == "done", found

    def ended(self, kind: str, method: str, path: str, body: typing.Any) -> typing.Any:
        """An operation, however it ends."""
        answer = self.ask(method, path, body)
        assert answer.status_code == 202, answer.text

        def over() -> typing.Any:
            path = f"/operations?instance_id={self.id}"
            found = self.demo.ask("GET", path).json()["operations"][0]
            ended = found["state"] in ("done", "failed", "stuck")
            return found if ended and found["type"] == kind else None

        return until(f"{kind} of {self.id} has ended", over)


def test_a_life_without_databases(
    deployment: Deployment,
    demo: User,
    admin: User,
    datastore: str,
    name: str,
    record_property: typing.Callable[[str, object], None],
) -> None:
    builds.offer(deployment, datastore, name)
    store = Store(deployment, demo, datastore, name)
    assert store.enters("ada")
    assert not store.enters("ada", "wrong")
    _refuses_databases(store)
    _has_users(store)
    _is_configured(store)
    _may_be_full(store)
    store.does("instance.restart", "POST", "/action", {"restart": {}})
    resize = {"resize": {"volume": {"size": 2}}}
    store.does("instance.resize_volume", "POST", "/action", resize)
    demo.wait(store.id)
    assert store.enters("ada")
    _has_logs(store, admin)
    is_small(deployment, store.id, f"{datastore} {name}", record_property)
    demo.delete(store.id)
    demo.gone(store.id)


def test_another_build_and_the_way_back(
    deployment: Deployment, demo: User, admin: User, datastore: str, name: str
) -> None:
    builds.offer(deployment, datastore, name)
    number, mine, wrong, right = f"{name}.99", "own", "broken", "next"
    own = image(deployment, datastore, {}, name)
    version(admin, datastore, mine, own, number)
    bad = image(deployment, datastore, broken(datastore, name), name)
    version(admin, datastore, wrong, bad, number)
    good = image(deployment, datastore, {builds.BUILD: "next"}, name)
    version(admin, datastore, right, good, number)
    store = Store(deployment, demo, datastore, mine, name)
    with keys.opened(store.entrance("ada")) as line:
        for n in range(50):
            line.set(f"thing {n}", str(n))
    before = demo.show(store.id)["ip"]
    for wanted, state, serves in ((wrong, "failed", mine), (right, "done", right)):
        body = {"instance": {"datastore_version": wanted}}
        ended = store.ended("instance.upgrade", "PATCH", "", body)
        assert ended["state"] == state, ended
        assert store.has(50)
        shown = demo.wait(store.id)
        assert (shown["datastore"]["version"], shown["ip"]) == (serves, before)
        users = store.ask("GET", "/users").json()["users"]
        assert [user["name"] for user in users] == ["ada"]
    demo.delete(store.id)
    demo.gone(store.id)


def test_its_keys_and_users_are_saved_and_come_back(
    deployment: Deployment, demo: User, datastore: str, name: str
) -> None:
    builds.offer(deployment, datastore, name)
    store = Store(deployment, demo, datastore, name)
    with keys.opened(store.entrance("ada")) as line:
        for n in range(50):
            line.set(f"thing {n}", str(n))
    body = {"backup": {"name": "nightly", "instance": store.id}}
    answer = demo.ask("POST", "/backups", body)
    assert answer.status_code == 202, answer.text
    backup = str(answer.json()["backup"]["id"])
    completed(demo, backup)
    with keys.opened(store.entrance("ada")) as line:
        assert line.ask("FLUSHDB") == "OK"
    demo.delete(store.id)
    demo.gone(store.id)
    again = Store(deployment, demo, datastore, name, backup=backup)
    assert again.has(50)
    demo.delete(again.id)
    demo.gone(again.id)
    path = f"/backups/{backup}"
    assert demo.ask("DELETE", path).status_code == 202
    until("it is gone", lambda: demo.ask("GET", path).status_code == 404, every=1)


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


def _has_logs(store: Store, admin: User) -> None:
    """Its own are the system's: an administrator's to read."""
    path = f"/instances/{store.id}/log"
    assert admin.ask("GET", path).status_code == 200
    names = {each["name"] for each in admin.ask("GET", path).json()["logs"]}
    assert names == {log.name for log in store.spec.logs}
    for name in names:
        order = {"name": name, "publish": 1}
        assert store.demo.ask("POST", path, order).status_code == 404
        answer = admin.ask("POST", path, order)
        assert answer.status_code == 200, answer.text
        assert answer.json()["log"]["published"] > 0, name


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


def _may_be_full(store: Store) -> None:
    """It is read, says that it is not written, is restarted, and has room again."""
    least = store.spec.parameters["maxmemory"]["min"]
    heavy = [f"heavy {n}" for n in range(5 * least // 4 // 2**20)]
    with keys.opened(store.entrance("ada")) as line:
        for key in heavy:
            line.set(key, "x" * 2**20)
    group = _grouped(store, "small", {"maxmemory": least})
    _takes(store, group)
    _is(store, "BLOCKED")
    store.does("instance.restart", "POST", "/action", {"restart": {}})
    _is(store, "BLOCKED")
    with keys.opened(store.entrance("ada")) as line:
        assert len(line.get(heavy[0]) or "") == 2**20
        with pytest.raises(Exception, match="OOM"):
            line.set("light", "x")
    _takes(store, None)
    _is(store, "HEALTHY")
    with keys.opened(store.entrance("ada")) as line:
        line.set("light", "x")
        line.ask("DEL", "light", *heavy)
    _gone(store, group)


def _is(store: Store, status: str) -> None:
    def shown() -> bool:
        return bool(store.demo.show(store.id)["operating_status"] == status)

    until(f"{store.id} is {status}", shown)


def _grouped(store: Store, name: str, values: dict[str, typing.Any]) -> str:
    """The id of a configuration group."""
    datastore = {"type": store.spec.name, "version": store.version}
    body = {"name": name, "values": values, "datastore": datastore}
    answer = store.demo.ask("POST", "/configurations", {"configuration": body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["configuration"]["id"])


def _takes(store: Store, group: str | None) -> None:
    change = {"instance": {"configuration": group}}
    store.does("instance.configure", "PUT", "", change)


def _gone(store: Store, group: str) -> None:
    answer = store.demo.ask("DELETE", f"/configurations/{group}")
    assert answer.status_code == 202, answer.text


def _is_configured(store: Store) -> None:
    """Every number at the least that may be, and back again."""
    declared = store.spec.parameters.items()
    least = {name: rule["min"] for name, rule in declared if "min" in rule}
    group = _grouped(store, "least", least)
    for wanted in (group, None):
        _takes(store, wanted)
    _gone(store, group)
