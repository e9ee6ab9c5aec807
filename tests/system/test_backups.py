# SPDX-License-Identifier: Apache-2.0
"""A backup is what the database was: brought by a guest, counted, restored, deleted.

By a user's own requests, with real engines, a real store and real guests (T23, T24,
INV-10). Each link of a chain is another's data, row by row.
"""

import hashlib
import typing

import pytest

from tests.system import builds
from tests.system.deployment import Deployment, User, ask, until
from trove.datastores import registry

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PASSWORD = "correct horse"
ROWS = 2000
FOREVER = 300.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "datastore" in metafunc.fixturenames:
        found = [
            each
            for each in builds.params(metafunc.config)
            if registry.get(each.values[0]).can.back_up
        ]
        metafunc.parametrize(("datastore", "name"), found)


class Source:
    """An instance with a table that grows, and its backups."""

    def __init__(
        self, deployment: Deployment, demo: User, datastore: str, name: str
    ) -> None:
        builds.offer(deployment, datastore, name)
        self.demo, self.datastore, self.name = demo, datastore, name
        user = {"name": "ada", "password": PASSWORD, "databases": [{"name": "shop"}]}
        self.id = demo.create(datastore, "source", [user], version=name)
        self.rows = 0
        with self.connected(self.id) as line:
            ask(line, "CREATE TABLE goods (id INTEGER PRIMARY KEY, name VARCHAR(40))")

    def connected(self, id: str) -> typing.Any:
        return self.demo.connect(self.demo.wait(id), "ada", PASSWORD, "shop")

    def fill(self) -> None:
        """More rows than there were."""
        some = range(self.rows, self.rows + ROWS)
        values = ", ".join(f"({n}, 'thing {n}')" for n in some)
        with self.connected(self.id) as line:
            ask(line, f"INSERT INTO goods VALUES {values}")
        self.rows += ROWS

    def hash(self, id: str) -> str:
        """Of every row."""
        with self.connected(id) as line:
            found = ask(line, "SELECT id, name FROM goods ORDER BY id")
        return hashlib.sha256(repr([tuple(row) for row in found]).encode()).hexdigest()

    def order(self, **more: typing.Any) -> str:
        body = {"name": "nightly", "instance": self.id, **more}
        answer = self.demo.ask("POST", "/backups", {"backup": body})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["backup"]["id"])

    def back_up(self, **more: typing.Any) -> dict[str, typing.Any]:
        """A whole one, as it is shown."""
        return self.completed(self.order(**more))

    def completed(self, id: str) -> dict[str, typing.Any]:
        def ended() -> dict[str, typing.Any] | None:
            found = self.show(id)
            assert found is not None and found["status"] != "FAILED", found
            return found if found["status"] == "COMPLETED" else None

        found = until(f"{id} is COMPLETED", ended, FOREVER)
        return typing.cast(dict[str, typing.Any], found)

    def show(self, id: str) -> dict[str, typing.Any] | None:
        answer = self.demo.ask("GET", f"/backups/{id}")
        if answer.status_code == 404:
            return None
        return typing.cast(dict[str, typing.Any], answer.json()["backup"])

    def restored(self, backup: str) -> str:
        """A new instance of it."""
        order = {
            "name": "restored",
            "flavorRef": 1,
            "volume": {"size": 1},
            "datastore": {"type": self.datastore, "version": self.name},
            "restorePoint": {"backupRef": backup},
        }
        answer = self.demo.ask("POST", "/instances", {"instance": order})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["instance"]["id"])

    def gone(self, *ids: str) -> None:
        for id in ids:
            self.demo.delete(id)
        for id in ids:
            self.demo.gone(id)


def test_a_chain_comes_back_row_by_row_and_goes(
    deployment: Deployment, demo: User, datastore: str, name: str
) -> None:
    source = Source(deployment, demo, datastore, name)
    hashes, links = [], []
    for number in range(2):
        source.fill()
        links.append(source.back_up(incremental=int(number > 0)))
        hashes.append(source.hash(source.id))
    chained = registry.get(datastore).can.back_up_incrementally
    assert [link["parent_id"] for link in links] == [
        None,
        links[0]["id"] if chained else None,
    ]
    assert all(link["size"] > 0 and link["locationRef"] for link in links)
    shown = demo.show(source.id)
    assert shown is not None
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    source.gone(source.id)  # what was saved outlives it
    copies = [source.restored(link["id"]) for link in links]
    for copy, expected in zip(copies, hashes, strict=True):
        assert source.hash(copy) == expected
        with source.connected(copy) as line:
            ask(line, "INSERT INTO goods VALUES (%s, %s)", -1, "it goes on")
    source.gone(*copies)
    for link in links[: 1 if chained else 2]:
        answer = demo.ask("DELETE", f"/backups/{link['id']}")
        assert answer.status_code == 202, answer.text
    for link in links:
        there = lambda id=link["id"]: source.show(id) is None  # noqa: E731
        until(f"{link['id']} is gone", there, FOREVER)
    assert objects(deployment) == []


def objects(deployment: Deployment) -> list[str]:
    """What is in the service's containers of backups."""
    folder = deployment.place.cloud / "objects"
    import sqlite3

    with sqlite3.connect(folder / "objects.sqlite") as sql:
        found = sql.execute(
            "SELECT container || '/' || name FROM objects "
            "WHERE container LIKE 'database_backups%'"
        )
        return [row[0] for row in found]
