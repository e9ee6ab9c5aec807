# SPDX-License-Identifier: Apache-2.0
"""A dump is in its project's own container, and becomes a database of another instance.

By a user's own requests and his own token, with real engines, a real store and real
guests: exported, downloaded, compared with the SHA-256 that is told, imported.
"""

import hashlib
import typing

import pytest
from keystoneauth1 import adapter

from tests.system import builds
from tests.system.deployment import Deployment, User, ask, until
from trove.datastores import registry

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PASSWORD = "correct horse"
CONTAINER, NAME = "dumps", "friday/{}"
FOREVER = 300.0
HOSTILE = b"\\! touch /tmp/trove-was-here\nCREATE TABLE t (id INT);\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "datastore" in metafunc.fixturenames:
        found = [
            each
            for each in builds.params(metafunc.config)
            if registry.get(each.values[0]).can.dump
        ]
        metafunc.parametrize(("datastore", "version"), found)


class Shop:
    """Two instances of a project, one with goods, and the project's own store."""

    def __init__(self, demo: User, datastore: str, version: str) -> None:
        self.demo, self.ending = demo, registry.get(datastore).dumped
        self.name = NAME.format(f"{datastore}-{version}")
        ada = {"name": "ada", "password": PASSWORD, "databases": [{"name": "shop"}]}
        self.ids = [
            demo.create(datastore, name, [ada], version=version)
            for name in ("source", "target")
        ]
        self.source, self.target = self.ids
        self.store = adapter.Adapter(
            demo.api.session,
            service_type="object-store",
            region_name=demo.api.region_name,
            raise_exc=False,
        )

    def line(self, id: str, database: str) -> typing.Any:
        return self.demo.connect(self.demo.wait(id), "ada", PASSWORD, database)

    def fill(self) -> None:
        values = ", ".join(f"({n}, 'thing {n} ü''s')" for n in range(5000))
        with self.line(self.source, "shop") as line:
            ask(line, "CREATE TABLE goods (id INTEGER PRIMARY KEY, name VARCHAR(40))")
            ask(line, f"INSERT INTO goods VALUES {values}")
            ask(line, "CREATE VIEW few AS SELECT id FROM goods WHERE id < 7")

    def found(self, id: str, database: str) -> typing.Any:
        with self.line(id, database) as line:
            rows = ask(line, "SELECT id, name FROM goods ORDER BY id")
            few = ask(line, "SELECT id FROM few ORDER BY id")
        return [tuple(row) for row in rows], [tuple(row) for row in few]

    def act(
        self, id: str, body: dict[str, typing.Any], end: str
    ) -> dict[str, typing.Any]:
        """An action, and its operation when it is over."""
        answer = self.demo.ask("POST", f"/instances/{id}/action", body)
        assert answer.status_code == 202, answer.text
        (kind,) = body

        def over() -> dict[str, typing.Any] | None:
            path = f"/operations?instance_id={id}"
            found = self.demo.ask("GET", path).json()["operations"]
            newest = next(one for one in found if one["type"] == f"instance.{kind}")
            return newest if newest["state"] in ("done", "failed") else None

        done = until(f"the {kind} of {id} is over", over, FOREVER, every=1)
        assert done["state"] == end, done
        return typing.cast(dict[str, typing.Any], done)

    def download(self, name: str) -> bytes:
        answer = self.store.get(f"/{CONTAINER}/{name}")
        assert answer.status_code == 200, answer.text
        return typing.cast(bytes, answer.content)

    def names(self) -> list[str]:
        return self.store.get(f"/{CONTAINER}?prefix={self.name}/").text.split()

    def databases(self, id: str) -> list[str]:
        found = self.demo.ask("GET", f"/instances/{id}/databases").json()["databases"]
        return [one["name"] for one in found]


def test_a_dump_is_downloaded_and_becomes_another_database(
    deployment: Deployment, demo: User, other: User, datastore: str, version: str
) -> None:
    builds.offer(deployment, datastore, version)
    shop = Shop(demo, datastore, version)
    shop.fill()
    export = {"export": {"container": CONTAINER, "name": shop.name}}
    operation = shop.act(shop.source, export, "done")
    whole = demo.ask("GET", f"/operations/{operation['id']}").json()["operation"]
    assert whole["job"]["progress"] == 100, whole
    list_ = shop.store.get(f"/{CONTAINER}/{shop.name}/dump.json").json()
    (said,) = list_["databases"]
    assert (said["database"], list_["instance"]) == ("shop", shop.source)
    data = shop.download(said["object"])
    assert said["object"] == f"{shop.name}/shop{shop.ending}"
    assert hashlib.sha256(data).hexdigest() == said["sha256"]
    assert len(data) == said["bytes"]
    again = demo.ask("POST", f"/instances/{shop.source}/action", export)
    assert again.status_code == 409, again.text

    order = {"container": CONTAINER, "name": said["object"], "database": "again"}
    foreign = other.ask("POST", f"/instances/{shop.target}/action", {"import": order})
    assert foreign.status_code == 404, foreign.text
    shop.act(shop.target, {"import": order}, "done")
    path = f"/instances/{shop.target}/users/ada/databases"
    granted = demo.ask("PUT", path, {"databases": [{"name": "again"}]})
    assert granted.status_code == 202, granted.text
    assert shop.found(shop.target, "again") == shop.found(shop.source, "shop")

    bad = f"{shop.name}/hostile"
    assert shop.store.put(f"/{CONTAINER}/{bad}", data=HOSTILE).status_code == 201
    order = {"container": CONTAINER, "name": bad, "database": "hostile"}
    failed = shop.act(shop.target, {"import": order}, "failed")
    assert failed["fault"], failed
    assert shop.databases(shop.target) == ["again", "shop"]
    listed = deployment.inside(shop.target, "ls", "/tmp")
    assert "trove-was-here" not in listed
    for id in shop.ids:
        demo.delete(id)
    for id in shop.ids:
        demo.gone(id)
    assert said["object"] in shop.names()  # a dump outlives its instance
