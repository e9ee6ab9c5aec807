# SPDX-License-Identifier: Apache-2.0
"""A backup and a restore, beside the engine's own tool and beside upstream's method.

``python -m tests.bench --backups [--gib 1] [--runs N]``. Real guests of the one-machine
cloud. What ours stands beside (``methods.py``) runs in the same guest and writes to its
volume or to the same object store, in turn with ours, which has no bound
(``[backup] rate``) meanwhile. Ours is measured by the control plane's own moments: from
the POST until COMPLETED, and as long as the data are fetched and made whole.

``--served`` measures what a backup within its bound leaves the database
(``serving.py``).
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import time
import typing

from tests.bench import methods, piped, report, serving
from tests.bench.login import stand
from tests.bench.objects import Store
from tests.system.deployment import Deployment, User, ask, until
from trove.model import operations
from trove.service import supervisor

MIB, GIB = 1 << 20, 1 << 30
ROW = 2048
TOGETHER = 256
BLOCK = 64 * MIB // ROW
"""Rows that are unlike one another; further ones are like these, too far away for any
of the programs that press them to see it."""
FOREVER = 3600.0
FLAVOR = 3
"""With two processors: who presses has one, and the rest of the job another."""
USER, PASSWORD, DATABASE = "ada", "correct horse", "shop"
LARGE = 2.0
"""GiB: of more than this, upstream's backup is made at the level that is four times as
fast, so that there is something to restore, and its time is not noted."""
RAW, TOOL = "the tool alone", "the tool and zstd"
OURS, UPSTREAM = "ours", "upstream's method"
OTHERS = (RAW, TOOL, UPSTREAM)
SETTLING = {"postgresql": "VACUUM ANALYZE goods"}
"""What an engine would do by itself after so many rows, beside whoever is measured."""
TASKMANAGERS = ("taskmanager-1", "taskmanager-2")

Note = typing.Callable[[str, int, str, float], None]
"""Hears a measure, the run, whose it is, and the figure."""


@dataclasses.dataclass
class Source:
    """An instance with so much in it."""

    deployment: Deployment
    demo: User
    datastore: str
    gib: float

    def __post_init__(self) -> None:
        user = {"name": USER, "password": PASSWORD, "databases": [{"name": DATABASE}]}
        self.size: dict[str, typing.Any] = {
            "flavorRef": FLAVOR,
            "volume": {"size": room(self.gib)},
        }
        self.id = self.demo.create(
            self.datastore, "bench", [user], [DATABASE], **self.size
        )
        shown = self.demo.wait(self.id)
        self.methods = methods.METHODS[self.datastore](f"/srv/{self.datastore}/bench")
        with self.demo.connect(shown, USER, PASSWORD, DATABASE) as line:
            self._fill(line)

    def _fill(self, line: typing.Any) -> None:
        ask(line, "CREATE TABLE goods (id INTEGER PRIMARY KEY, raw TEXT)")
        rows = int(self.gib * GIB) // ROW
        for first in range(0, min(rows, BLOCK), TOGETHER):
            # text that zstd makes half as large
            values = [
                f"({first + n}, '{os.urandom(ROW // 2).hex()}')"
                for n in range(TOGETHER)
            ]
            ask(line, f"INSERT INTO goods VALUES {', '.join(values)}")
        more = "INSERT INTO goods SELECT id + {0}, raw FROM goods WHERE id < {1}"
        for first in range(BLOCK, rows, BLOCK):
            ask(line, more.format(first, min(BLOCK, rows - first)))
        if self.datastore in SETTLING:
            ask(line, SETTLING[self.datastore])

    def timed(self, steps: list[piped.Step]) -> tuple[float, int]:
        """Seconds of these steps in the guest, and how many objects they brought."""
        place = str(self.deployment.place.cloud / "servers")
        words = ("lxc-attach", "-P", place, "-n", self.deployment.container(self.id))
        program = pathlib.Path(piped.__file__).read_text()
        done = subprocess.run(
            [*words, "--", "/usr/bin/python3", "-c", program],
            input=json.dumps(steps),
            capture_output=True,
            text=True,
            timeout=FOREVER,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        said = json.loads(done.stdout.splitlines()[-1])
        return float(said["seconds"]), int(said["brought"])

    def back_up(self) -> tuple[str, float]:
        """Its id, and the seconds until it is COMPLETED."""
        begun = time.time()
        body = {"backup": {"name": "bench", "instance": self.id}}
        answer = self.demo.ask("POST", "/backups", body)
        assert answer.status_code == 202, answer.text
        id = str(answer.json()["backup"]["id"])

        def whole() -> bool:
            shown = self.demo.ask("GET", f"/backups/{id}").json()["backup"]
            assert shown["status"] != "FAILED", shown
            return bool(shown["status"] == "COMPLETED")

        # seldom: asking takes a processor of what is measured, and when it was so is
        # in the journal
        until("it is COMPLETED", whole, FOREVER, every=3.0)
        ((over,),) = self.deployment.rows(
            "SELECT max(updated) FROM operations WHERE object_id = ? AND kind = ?",
            self.id,
            operations.BACK_UP,
        )
        return id, over - begun

    def restore(self, backup: str) -> float:
        """Seconds that the guest has for it, by the operation's steps."""
        id = self.demo.create(
            self.datastore,
            "back",
            databases=(),
            restorePoint={"backupRef": backup},
            **self.size,
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


@contextlib.contextmanager
def unbounded(deployment: Deployment) -> typing.Iterator[None]:
    """Backups have no bound as long as the block."""
    file = deployment.place.etc / "trove-taskmanager.conf"
    before = file.read_text()
    file.write_text(f"{before}\n[backup]\nrate = 0\n")
    _restart(deployment)
    try:
        yield
    finally:
        file.write_text(before)


def _restart(deployment: Deployment) -> None:
    before = deployment.processes()
    for name in TASKMANAGERS:
        supervisor.ask(deployment.place.run, "restart", name)

    def others() -> bool:
        now = deployment.processes()
        return all(
            now[name]["state"] == "up" and now[name]["pid"] != before[name]["pid"]
            for name in TASKMANAGERS
        )

    until("the taskmanagers are others", others)


def room(gib: float) -> int:
    """GiB of a volume with so much, its log, and what the others make of it."""
    return 3 + int(6 * gib)


def _user(deployment: Deployment, gib: float) -> User:
    """One who may have two such volumes."""
    demo = User(deployment, "demo")
    quota = {"quotas": {"volumes": 2 * room(gib)}}
    path = f"/mgmt/quotas/{demo.api.get_project_id()}"
    answer = User(deployment, "admin").ask("PUT", path, quota)
    assert answer.status_code == 200, answer.text
    return demo


def measure(gib: float, runs: int, note: Note) -> None:
    """Each datastore in turn: saved by the tool, by ours and by upstream's method, and
    had back by each."""
    with stand() as deployment, unbounded(deployment):
        demo = _user(deployment, gib)
        for datastore in methods.METHODS:
            begun = time.monotonic()
            source = Source(deployment, demo, datastore, gib)
            took = time.monotonic() - begun
            print(f"{datastore}: filled in {took:.0f} s", flush=True)
            with Store(deployment, demo) as store:
                for run in range(runs):
                    _round(source, store, run, note)
            demo.delete(source.id)
            demo.gone(source.id)


def _round(source: Source, store: Store, run: int, note: Note) -> None:
    how = source.methods
    backup, restore = (f"{source.datastore}: {what}" for what in ("backup", "restore"))
    source.timed(how.empty())
    note(backup, run, RAW, source.timed(how.saved())[0])
    note(backup, run, TOOL, source.timed(how.saved(methods.PRESS))[0])
    id, seconds = source.back_up()
    note(backup, run, OURS, seconds)
    large = source.gib > LARGE
    seconds, count = source.timed(
        how.brought(store.writes(source.gib), 1 if large else 6)
    )
    if not large:
        note(backup, run, UPSTREAM, seconds)
    source.timed(how.anew())
    note(restore, run, RAW, source.timed(how.had_back())[0])
    source.timed(how.anew())
    note(restore, run, TOOL, source.timed(how.had_back(methods.UNPRESS))[0])
    source.timed(how.anew())
    note(restore, run, UPSTREAM, source.timed(how.fetched(store.reads(count)))[0])
    source.timed(how.empty())
    note(restore, run, OURS, source.restore(id))
    source.demo.ask("DELETE", f"/backups/{id}")
    store.empty()


def serve(gib: float, runs: int, note: Note) -> None:
    """What the database does meanwhile, with the bound that is there by itself."""
    with stand() as deployment:
        demo = _user(deployment, gib)
        for datastore in methods.METHODS:
            source = Source(deployment, demo, datastore, gib)
            for run in range(runs):
                _served(source, run, note)
            demo.delete(source.id)
            demo.gone(source.id)


def _served(source: Source, run: int, note: Note) -> None:
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


def table(results: list[dict[str, typing.Any]], gib: float) -> report.Table:
    """A row for each way: MiB of rows in a second, the seconds, and how many times as
    fast as each of the others ours is, run by run."""
    heads = [head for one in OTHERS for head in (f"{one}, seconds", "ratio")]
    found = [[f"{gib:g} GiB of rows", "MiB/s", "seconds", *heads]]
    for measure, by in report.collect(results).items():
        row = [measure, report.cell([gib * GIB / MIB / one for one in by[OURS]])]
        row.append(report.cell(by[OURS]))
        for other in OTHERS:
            theirs = by.get(other)
            pairs = zip(theirs or (), by[OURS], strict=bool(theirs))
            ratios = [their / our for their, our in pairs]
            row.append(report.cell(theirs) if theirs else "-")
            row.append(report.number(statistics.median(ratios)) if ratios else "-")
        found.append(row)
    return found
