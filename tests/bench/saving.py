# SPDX-License-Identifier: Apache-2.0
"""A backup and a restore, beside the engine's own tool piped to a file and back.

``python -m tests.bench --backups [--gib 1] [--runs N]``. Real guests of the one-machine
cloud; the tool runs in the same guest, through the same ``zstd``, and writes to the
volume, in turn with ours. Ours is measured by the control plane's own moments: from the
POST until COMPLETED, and as long as the data are fetched and made whole.
"""

import dataclasses
import os
import subprocess
import time
import typing

from tests.bench import serving
from tests.bench.login import stand
from tests.system.deployment import Deployment, User, ask, until

MIB, GIB = 1 << 20, 1 << 30
ROW = 2048
TOGETHER = 256
FOREVER = 3600.0
USER, PASSWORD, DATABASE = "ada", "correct horse", "shop"

RAW = {
    "mariadb": (
        "mariadb-backup --backup --stream=mbstream --user=root "
        "--socket=/run/mysqld/mysqld.sock --target-dir=/srv/mariadb/raw.tmp | "
        "zstd -1 --quiet > /srv/mariadb/raw",
        "rm -rf /srv/mariadb/back && mkdir /srv/mariadb/back && "
        "zstd -dc /srv/mariadb/raw | mbstream -x -C /srv/mariadb/back && "
        "mariadb-backup --prepare --use-memory=64M --target-dir=/srv/mariadb/back",
        "rm -rf /srv/mariadb/raw* /srv/mariadb/back",
    ),
    "postgresql": (
        "setpriv --reuid=postgres --regid=postgres --clear-groups "
        "pg_basebackup --pgdata=- --format=tar --wal-method=fetch --checkpoint=fast "
        "--manifest-checksums=SHA256 --host=/run/postgresql | "
        "zstd -1 --quiet > /srv/postgresql/raw",
        "rm -rf /srv/postgresql/back && mkdir /srv/postgresql/back && "
        "zstd -dc /srv/postgresql/raw | tar -x -C /srv/postgresql/back -f - && "
        "/usr/lib/postgresql/15/bin/pg_verifybackup /srv/postgresql/back",
        "rm -rf /srv/postgresql/raw /srv/postgresql/back",
    ),
}
"""Saved, had back, and cleared away."""

Note = typing.Callable[[str, int, str, float], None]


@dataclasses.dataclass
class Source:
    """An instance with so much in it."""

    deployment: Deployment
    demo: User
    datastore: str
    gib: float

    def __post_init__(self) -> None:
        user = {"name": USER, "password": PASSWORD, "databases": [{"name": DATABASE}]}
        size = 3 + int(5 * self.gib)
        self.id = self.demo.create(
            self.datastore, "bench", [user], [DATABASE], volume={"size": size}
        )
        shown = self.demo.wait(self.id)
        with self.demo.connect(shown, USER, PASSWORD, DATABASE) as line:
            ask(line, "CREATE TABLE goods (id INTEGER PRIMARY KEY, raw TEXT)")
            for first in range(0, int(self.gib * GIB) // ROW, TOGETHER):
                # text that zstd makes half as large
                rows = [
                    f"({first + n}, '{os.urandom(ROW // 2).hex()}')"
                    for n in range(TOGETHER)
                ]
                ask(line, f"INSERT INTO goods VALUES {', '.join(rows)}")

    def raw(self, which: int) -> float:
        """Seconds of the tool alone."""
        place = str(self.deployment.place.cloud / "servers")
        words = ("lxc-attach", "-P", place, "-n", self.deployment.container(self.id))
        shell = ("bash", "-o", "pipefail", "-ec", RAW[self.datastore][which])
        begun = time.monotonic()
        done = subprocess.run(
            [*words, "--", *shell], capture_output=True, timeout=FOREVER, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return time.monotonic() - begun

    def back_up(self) -> tuple[str, float, float]:
        """Its id, its bytes, and the seconds until it is COMPLETED."""
        body = {"backup": {"name": "bench", "instance": self.id}}
        begun = time.monotonic()
        answer = self.demo.ask("POST", "/backups", body)
        assert answer.status_code == 202, answer.text
        id = str(answer.json()["backup"]["id"])

        def whole() -> bool:
            shown = self.demo.ask("GET", f"/backups/{id}").json()["backup"]
            assert shown["status"] != "FAILED", shown
            return bool(shown["status"] == "COMPLETED")

        until("it is COMPLETED", whole, FOREVER)
        seconds = time.monotonic() - begun
        ((size,),) = self.deployment.rows("SELECT size FROM backups WHERE id = ?", id)
        return id, float(size), seconds

    def restore(self, backup: str) -> float:
        """Seconds that the guest has for it, by the operation's steps."""
        id = self.demo.create(
            self.datastore,
            "back",
            databases=(),
            volume={"size": 3 + int(5 * self.gib)},
            restorePoint={"backupRef": backup},
        )
        self.demo.patience = FOREVER
        self.demo.wait(id)
        steps = dict(
            self.deployment.rows(
                "SELECT s.name, s.begun_at FROM operation_steps s JOIN operations o "
                "ON s.operation_id = o.id WHERE o.object_id = ?",
                id,
            )
        )
        self.demo.delete(id)
        self.demo.gone(id)
        return float(steps["prepare_guest"] - steps["restore_data"])


def measure(gib: float, runs: int, note: Note) -> None:
    """Each datastore in turn: the tool, ours, the tool back, ours back."""
    with stand() as deployment:
        demo = User(deployment, "demo")
        for datastore in RAW:
            source = Source(deployment, demo, datastore, gib)
            for run in range(runs):
                _round(source, run, note)
                _served(source, run, note)
            demo.delete(source.id)
            demo.gone(source.id)


def _served(source: Source, run: int, note: Note) -> None:
    """What the database does meanwhile."""
    shown = source.demo.show(source.id)
    assert shown is not None
    name = source.datastore
    with source.demo.connect(shown, USER, PASSWORD, DATABASE) as line:
        serving.measure(
            line,
            name,
            lambda: serving.Memory(source.deployment, source.id),
            lambda: source.demo.ask("DELETE", f"/backups/{source.back_up()[0]}"),
            lambda measure, which, value: note(f"{name}: {measure}", run, which, value),
        )


def _round(source: Source, run: int, note: Note) -> None:
    name = source.datastore
    raw = source.raw(0)
    id, size, ours = source.back_up()
    note(f"{name}: the tool to a file, MiB/s", run, "raw", size / MIB / raw)
    note(f"{name}: backup, MiB/s", run, "ours", size / MIB / ours)
    note(f"{name}: backup beside the tool", run, "ratio", raw / ours)
    back = source.raw(1)
    source.raw(2)
    restored = source.restore(id)
    note(f"{name}: the tool from a file, MiB/s", run, "raw", size / MIB / back)
    note(f"{name}: restore, MiB/s", run, "ours", size / MIB / restored)
    note(f"{name}: restore beside the tool", run, "ratio", back / restored)
    source.demo.ask("DELETE", f"/backups/{id}")
