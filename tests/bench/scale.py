# SPDX-License-Identifier: Apache-2.0
"""Many instances: lists while all their guests report, and what grows.

``python -m tests.bench --scale [--instances N] [--rate N] [--seconds N]``. The
instances are rows as if each had been created; two hundred more are created over the
API, whose rows say what one costs the database. Every guest reports in its turn,
``rate`` a second in all, from a process of its own, while lists and shows are measured.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import time
import typing

import pymysql

from tests.bench import processes, seed
from tests.bench.beats import Beats
from tests.bench.measures import Round, Said, Size
from tests.bench.stand import Stand

SMALL = 20
"""Instances of the project that the large one is compared with."""
CREATED = 200
LOOK = 0.02
"""Seconds between two looks for a heartbeat: what is measured is not to be loaded."""
READS = Size(sizes=(), seconds=2.0)


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much of it."""

    instances: int = 10_000
    rate: float = 2000.0
    seconds: float = 60.0
    conductors: int = 2


def sizes(scale: Scale) -> tuple[int, int]:
    """The projects that it needs, by their instances."""
    return SMALL, scale.instances


def stream(
    socket: str, line: tuple[str, ...], ids: list[str], rate: float, seconds: float
) -> dict[str, float]:
    """In a process of its own: each guest's first word, then the paced ones."""
    database = pymysql.connect(
        unix_socket=socket, user="root", database="trove", autocommit=True
    )
    with database, Beats(database, line, ids) as beating:
        first = beating.warm()
        told = beating.paced(int(rate * seconds), rate, LOOK)
    return told | {"first_s": first}


def measure(stand: Stand, scale: Scale, say: Said) -> None:
    """All of it, each figure as it is known."""
    stand.conductors(scale.conductors)
    for name in stand.processes:
        stand.restart(name)
    large = stand.projects[str(scale.instances)]
    ids = seed.ids(stand.database, large, scale.instances)
    reads = Round(stand, dataclasses.replace(READS, sizes=sizes(scale)), say)
    _memory(stand, "before", say)
    _created(stand, say)
    say(f"database with {scale.instances} instances, MB", _database(stand)[0] / 1e6)
    reads.reads()
    before = _database(stand)
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as pool:
        beating = pool.submit(
            stream, stand.socket, stand.line, ids, scale.rate, scale.seconds
        )
        spent, begun = _processor(stand), time.monotonic()
        busy = Round(
            stand,
            reads.size,
            lambda name, value: say(f"while they report, {name}", value),
        )
        while not beating.done():
            busy.reads()
        _beats(beating.result(), scale, say)
    passed = time.monotonic() - begun
    for name, seconds in _processor(stand).items():
        say(f"{name}: processors in use", (seconds - spent[name]) / passed)
    say(
        "heartbeats: growth of the database, MB",
        (_database(stand)[0] - before[0]) / 1e6,
    )
    _memory(stand, "after", say)


def _beats(told: dict[str, float], scale: Scale, say: Said) -> None:
    say("first words of all guests, s", told["first_s"])
    say(f"heartbeats offered, of {scale.rate:.0f}/s wanted, /s", told["per_s"])
    say("heartbeats: lag p50, ms", told["lag_p50_ms"])
    say("heartbeats: lag p99, ms", told["lag_p99_ms"])
    say("heartbeats: the last one in its row after, s", told["drained_s"])


def _created(stand: Stand, say: Said) -> None:
    """Instances through the API, beside all the others; what one adds."""
    size = Size(singles=3, bursts=(CREATED,), queued=0)
    creating = Round(stand, size, say)
    before = _database(stand)
    creating.built(CREATED)
    after = _database(stand)
    say("an instance: rows", (after[1] - before[1]) / CREATED)
    say("an instance: the database, kB", (after[0] - before[0]) / CREATED / 1e3)


def _database(stand: Stand) -> tuple[int, int]:
    """Bytes and rows, counted, not guessed."""
    at = stand.database.cursor()
    at.execute("SHOW TABLES")
    tables = [name for (name,) in at.fetchall()]
    rows = 0
    for name in tables:
        at.execute(f"ANALYZE TABLE `{name}`")
        at.fetchall()
        at.execute(f"SELECT COUNT(*) FROM `{name}`")
        rows += at.fetchone()[0]
    at.execute(
        "SELECT SUM(data_length + index_length) FROM information_schema.tables "
        "WHERE table_schema = 'trove'"
    )
    return int(at.fetchone()[0]), rows


def _memory(stand: Stand, when: str, say: Said) -> None:
    for name, pid in sorted(stand.pids().items()):
        say(f"{name} {when}: PSS in all, MB", processes.memory(pid)["pss"])


def _processor(stand: Stand) -> dict[str, float]:
    return {name: processes.cpu(pid) for name, pid in sorted(stand.pids().items())}


__all__: typing.Final = ["Scale", "measure", "sizes"]
