# SPDX-License-Identifier: Apache-2.0
"""A backup that is a snapshot of a volume, under a load of writes (INV-10).

What was acknowledged before it was asked for is in it, and nothing of what is in it has
a hole. Whoever dies while the volume is held still, it is written to again in time.
"""

import contextlib
import threading
import time
import typing

import psycopg
import pymysql
import pytest

from tests.system import builds
from tests.system.deployment import Deployment, User, ask, completed, until
from tests.system.test_kills import Armed
from trove.datastores import registry

pytestmark = [pytest.mark.root, pytest.mark.localcloud, pytest.mark.backup]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
FOREVER = 300.0
BOUND = 30.0
"""Seconds for which a volume is held still at the most (``[backup] freeze``)."""


class Writer:
    """A client that inserts one row after the other, each in a transaction."""

    def __init__(self, demo: User, shown: dict[str, typing.Any]) -> None:
        self._line = demo.connect(shown, "ada", "correct horse", "shop")
        self._end = threading.Event()
        self.acknowledged = -1
        self.longest = 0.0
        """Seconds that the slowest of them took."""
        self.failed = ""
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def _run(self) -> None:
        with self._line as line:
            try:
                ask(line, "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT)")
                while not self._end.wait(0.01):
                    began, n = time.monotonic(), self.acknowledged + 1
                    ask(line, "INSERT INTO goods VALUES (%s, %s)", n, "x" * 2000)
                    self.acknowledged, self._last = n, time.monotonic()
                    self.longest = max(self.longest, self._last - began)
            except (pymysql.MySQLError, psycopg.Error, OSError) as error:
                self.failed = repr(error)

    def has_written(self, more: int) -> None:
        then = self.acknowledged + more
        until("rows are written", lambda: self.acknowledged >= then or self.failed, 120)
        assert not self.failed

    def stands_still(self) -> bool:
        """Whether nothing has been written for a while."""
        return time.monotonic() - self._last > 2

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)
        assert not self.failed and not self._thread.is_alive()


def order(demo: User, id: str, **more: typing.Any) -> typing.Any:
    body = {"name": "still", "instance": id, "storage_driver": "cinder", **more}
    return demo.ask("POST", "/backups", {"backup": body})


def restored(demo: User, backup: str, kind: str, name: str, size: int) -> str:
    asked = {
        "name": "restored",
        "flavorRef": 1,
        "volume": {"size": size},
        "datastore": {"type": kind, "version": name},
        "restorePoint": {"backupRef": backup},
    }
    answer = demo.ask("POST", "/instances", {"instance": asked})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["instance"]["id"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize(("kind", "name"), builds.params(metafunc.config))


def test_what_was_committed_comes_back_and_the_volume_stays_until_then(
    deployment: Deployment, demo: User, kind: str, name: str
) -> None:
    builds.offer(deployment, kind, name)
    source = demo.create(kind, "source", [USER], version=name)
    shown = demo.wait(source)
    with Writer(demo, shown) as writer:
        writer.has_written(200)
        assert order(demo, source, incremental=1).status_code == 400
        before = writer.acknowledged
        answer = order(demo, source)
        assert answer.status_code == 202, answer.text
        backup = completed(demo, str(answer.json()["backup"]["id"]), FOREVER)
        after = writer.acknowledged
        writer.has_written(50)
    assert (backup["storage_driver"], backup["size"]) == ("cinder", 1.0)
    assert writer.longest < BOUND
    print(f"{kind}: held still for {writer.longest:.1f} s at the most")
    verified(demo, backup["id"])
    volume = deployment.rows("SELECT volume_id FROM instances WHERE id = ?", source)[0][
        0
    ]
    demo.delete(source)
    demo.gone(source)
    assert cinder(deployment, volume) == (True, 1), "the snapshot's volume"
    assert deployment.audit() == []
    copies = [restored(demo, backup["id"], kind, name, size) for size in (1, 2)]
    for copy in copies:
        with demo.connect(demo.wait(copy), "ada", "correct horse", "shop") as line:
            found = [row[0] for row in ask(line, "SELECT id FROM goods ORDER BY id")]
            assert found == list(range(len(found))), "a hole"
            assert before < len(found) <= after + 2
            ask(line, "INSERT INTO goods VALUES (%s, %s)", -1, "it goes on")
    larger = demo.show(copies[1])
    assert larger is not None and larger["volume"]["size"] == 2
    data = registry.get(kind).data
    said = deployment.inside(copies[1], "df", "-BM", "--output=size", data)
    assert int(said.split()[-1].rstrip("M")) > 1500, "the file system has not grown"
    # as with Ceph: it stays, and its volume, while there is what was made of it
    path = f"/backups/{backup['id']}"
    assert demo.ask("DELETE", path).status_code == 202
    assert "were restored from this backup" in kept(demo, path)
    assert cinder(deployment, volume) == (True, 1)
    for copy in copies:
        with demo.connect(demo.wait(copy), "ada", "correct horse", "shop") as line:
            assert ask(line, "SELECT COUNT(*) FROM goods")[0][0] == len(found) + 1
        demo.delete(copy)
    for copy in copies:
        demo.gone(copy)
    assert demo.ask("DELETE", path).status_code == 202
    until(
        "the volume goes with the last snapshot of it",
        lambda: cinder(deployment, volume) == (False, 0),
        FOREVER,
        every=1,
    )
    assert demo.ask("GET", path).status_code == 404


def kept(demo: User, path: str) -> str:
    """Why a backup could not be deleted."""

    def told() -> str | None:
        shown = demo.ask("GET", path).json()["backup"]
        failed = shown["status"] == "DELETE_FAILED"
        return shown["fault"]["message"] if failed else None

    return str(until("it is DELETE_FAILED", told, FOREVER, every=1))


def test_whoever_dies_while_it_is_held_still_it_is_written_to_again(
    deployment: Deployment, demo: User, tmp_path: typing.Any
) -> None:
    """The taskmanager dies when the snapshot is ordered, and the agent then; nobody
    takes over (T04)."""
    source = demo.create("mariadb", "mortal", [USER])
    with Writer(demo, demo.wait(source)) as writer:
        writer.has_written(50)
        armed = Armed(deployment, tmp_path)
        with armed.at("after:snapshots.create"):
            answer = order(demo, source)
            assert answer.status_code == 202, answer.text
            id = str(answer.json()["backup"]["id"])
            until("it stands still", writer.stands_still, FOREVER)
            assert guarded(deployment, source)
            began = time.monotonic()
            deployment.inside(source, "systemctl", "kill", "-s", "KILL", AGENT)
            writer.has_written(20)
            assert time.monotonic() - began < BOUND + 5

        def ended() -> str | None:
            shown = demo.ask("GET", f"/backups/{id}").json()["backup"]
            assert shown["status"] != "COMPLETED", "INV-10: written to meanwhile"
            return shown["fault"]["message"] if shown["status"] == "FAILED" else None

        why = typing.cast(str, until("it has failed", ended, FOREVER, every=1))
        assert "thawed before its snapshot was taken" in why
        writer.has_written(20)
    print(f"held still for {writer.longest:.1f} s")
    assert cinder(deployment)[1] == 0
    demo.delete(source)
    demo.gone(source)


AGENT = "trove-guestagent.service"


def cinder(deployment: Deployment, volume: str = "none") -> tuple[bool, int]:
    """Whether there is that volume, and how many snapshots there are."""
    with contextlib.closing(deployment.cloud()) as cloud:
        return cloud.volumes.show(volume) is not None, len(cloud.snapshots.owned())


def verified(demo: User, id: str) -> None:
    """It was restored on a server of the service's own, and all of it was read."""
    answer = demo.ask("POST", f"/backups/{id}/action", {"verify": {}})
    assert answer.status_code == 202, answer.text

    def over() -> str | None:
        shown = demo.ask("GET", f"/backups/{id}").json()["backup"]
        said = shown["verification"]
        return None if said in ("WAITING", "RUNNING") else f"{said} {shown}"

    said = typing.cast(str, until("it is verified", over, FOREVER, every=1))
    assert said.startswith("VERIFIED"), said


def guarded(deployment: Deployment, id: str) -> bool:
    """Whether there is the timer that thaws it."""
    listed = deployment.inside(id, "systemctl", "list-units", "--plain", "trove-thaw*")
    return "trove-thaw.timer" in listed
