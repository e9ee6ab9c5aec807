# SPDX-License-Identifier: Apache-2.0
"""A backup is what the database was: brought by a guest, counted, restored, deleted.

By a user's own requests, with real engines, a real store and real guests (T23, T24,
INV-10). Each link of a chain is another's data, row by row.
"""

import contextlib
import hashlib
import sqlite3
import typing

import pytest

from tests.system import builds
from tests.system.deployment import (
    VERSIONS,
    Deployment,
    User,
    ask,
    completed,
    until,
)
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
        return typing.cast(dict[str, typing.Any], completed(self.demo, id, FOREVER))

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
    for number in range(3):
        source.fill()
        links.append(source.back_up(incremental=int(number > 0)))
        hashes.append(source.hash(source.id))
    chained = registry.get(datastore).chains(name)
    ids = [link["id"] for link in links]
    expected = [None, *ids[:2]] if chained else [None] * 3
    assert [link["parent_id"] for link in links] == expected
    assert all(link["size"] > 0 and link["locationRef"] for link in links)
    shown = demo.show(source.id)
    assert shown is not None
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    source.gone(source.id)  # what was saved outlives it
    copies = [source.restored(id) for id in ids]
    for copy, expected_hash in zip(copies, hashes, strict=True):
        assert source.hash(copy) == expected_hash
        with source.connected(copy) as line:
            ask(line, "INSERT INTO goods VALUES (%s, %s)", -1, "it goes on")
    source.gone(*copies)
    spoil(deployment, ids[0])
    bad = source.restored(ids[0])
    assert "part 0 was changed" in failed(demo, bad)
    source.gone(bad)
    for id in ids[:1] if chained else ids:
        answer = demo.ask("DELETE", f"/backups/{id}")
        assert answer.status_code == 202, answer.text
    for id in ids:
        until(f"{id} is gone", lambda id=id: source.show(id) is None, FOREVER, every=1)
    assert objects(deployment, ids) == []


def test_whoever_dies_the_backup_is_whole(deployment: Deployment, demo: User) -> None:
    """The taskmanagers, the agent and its job are killed in the middle (T04, T23) of a
    full one, and of the increment that stands on it."""
    source = Source(deployment, demo, "mariadb", VERSIONS["mariadb"])
    hold(deployment, source.id)
    full = killed_in_the_middle(deployment, source, incremental=0)
    increment = killed_in_the_middle(deployment, source, incremental=1)
    shown = source.show(increment)
    assert shown is not None and shown["parent_id"] == full
    before = source.hash(source.id)
    copy = source.restored(increment)
    assert source.hash(copy) == before
    source.gone(source.id, copy)
    assert demo.ask("DELETE", f"/backups/{full}").status_code == 202
    for id in (full, increment):
        until(f"{id} is gone", lambda id=id: source.show(id) is None, FOREVER, every=1)


def killed_in_the_middle(
    deployment: Deployment, source: Source, incremental: int
) -> str:
    """A backup that is whole all the same, and only its second attempt's parts are
    left; nothing else is begun meanwhile."""
    source.fill()
    deployment.inside(source.id, "rm", "--force", GO)
    id = source.order(incremental=incremental)
    until("the job waits", lambda: running(deployment, source.id, WAITS))
    shown = source.demo.show(source.id)
    assert shown is not None and shown["status"] == "BACKUP"
    for path, body in (
        (f"/instances/{source.id}/action", {"restart": {}}),
        ("/backups", {"backup": {"name": "another", "instance": source.id}}),
    ):
        assert source.demo.ask("POST", path, body).status_code == 422
    assert source.demo.ask("DELETE", f"/backups/{id}").status_code == 422
    kill_all(deployment, source.id)
    deployment.inside(source.id, "touch", GO)
    source.completed(id)
    names = objects(deployment, [id])
    assert {name.split("/")[3] for name in names} == {"2", "manifest"}
    return id


def kill_all(deployment: Deployment, id: str) -> None:
    """Both taskmanagers, the agent and its job; then there is another job."""
    for one in ("taskmanager-1", "taskmanager-2"):
        deployment.kill(deployment.processes()[one]["pid"])
    words = ("systemctl", "show", "-P", "MainPID", "trove-guestagent")
    deployment.inside(id, "kill", "-KILL", deployment.inside(id, *words).strip())
    (first,) = running(deployment, id, JOB)
    share = deployment.inside(id, "cat", f"/proc/{first}/cgroup")
    assert "/trove-backups.slice/" in share
    deployment.inside(id, "kill", "-KILL", first)

    def another() -> bool:
        found = running(deployment, id, JOB)
        return bool(found) and found != [first]

    until("the job is done once more", another, FOREVER)


JOB = "trove.guestagent.child"
GO, WAITS = "/run/go", "/usr/local/bin/waits"
HELD = f"""#!/bin/sh
{WAITS}
exec /usr/bin/zstd.real "$@"
"""
WAITING = f"""#!/bin/sh
while [ ! -e {GO} ]; do sleep 0.2; done
"""


def hold(deployment: Deployment, id: str) -> None:
    """What a guest compresses with waits for a word."""
    deployment.inside(id, "mv", "/usr/bin/zstd", "/usr/bin/zstd.real")
    for path, text in (("/usr/bin/zstd", HELD), (WAITS, WAITING)):
        deployment.inside(id, "tee", path, input=text)
        deployment.inside(id, "chmod", "0755", path)


def running(deployment: Deployment, id: str, what: str) -> list[str]:
    """The processes inside a guest whose command line has this."""
    said = deployment.inside(id, "ps", "-eo", "pid,args")
    return [line.split()[0] for line in said.splitlines() if what in line]


def failed(demo: User, id: str) -> str:
    """Why an instance is in ERROR."""

    def ended() -> str | None:
        shown = demo.show(id)
        assert shown is not None and shown["status"] != "ACTIVE", shown
        return shown["fault"]["message"] if shown["status"] == "ERROR" else None

    return str(until(f"{id} is in ERROR", ended, FOREVER, every=1))


def rows(deployment: Deployment, ids: list[str]) -> list[tuple[str, str]]:
    """The objects of these backups, and the file of each."""
    folder = deployment.place.cloud / "objects"
    with contextlib.closing(sqlite3.connect(folder / "objects.sqlite")) as sql:
        found = sql.execute("SELECT container || '/' || name, file FROM objects")
        return [row for row in found if any(id in row[0] for id in ids)]


def objects(deployment: Deployment, ids: list[str]) -> list[str]:
    return [name for name, _ in rows(deployment, ids)]


def spoil(deployment: Deployment, id: str) -> None:
    """One bit of its first part is another."""
    ((_, file),) = [row for row in rows(deployment, [id]) if "part-0000000" in row[0]]
    (path,) = (deployment.place.cloud / "objects").rglob(file)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
