# SPDX-License-Identifier: Apache-2.0
"""Ours beside ours: another checkout and this one, in turn.

Both stand at once, each with a database, a broker and a cloud of its own, and are asked
in turn, so that whatever else the machine does meets both alike: reads request by
request, all that ``--quick`` measures round by round. What is left between them is what
the code costs; of reads a difference of two or three hundredths can be told.
"""

import contextlib
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import time
import typing

from tests.bench import processes
from tests.bench.report import number

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS, EACH, WARM = 30, 20, 30
READS = (
    ("20", "/instances"),
    ("2000", "/instances"),
    ("2000", "/instances/detail"),
    ("20", "/instances/{shown}"),
    ("20", "/datastores"),
)

WHOLE = 5
"""Rounds of everything; each takes the better part of a minute."""

STANDING = """
import dataclasses, json, signal, sys
from tests.bench.measures import QUICK, Round
from tests.bench.stand import Stand
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
stand = Stand((20, 2000))
try:
    stand.start()
    stand.use("threading")
    for name in ("conductor", "taskmanager", "api"):
        stand.restart(name)
    tokens = {size: stand.token(stand.projects[size]) for size in ("20", "2000")}
    about = {"port": stand.port, "tokens": tokens, "projects": stand.projects}
    about |= {"shown": stand.shown, "api": stand.pids()["api"]}
    print(json.dumps(about), flush=True)
    size = dataclasses.replace(
        QUICK, sizes=(20,), seconds=2.0, posts=20, crowd=40, singles=5)
    while sys.stdin.readline() == "round\\n":
        found = []
        Round(stand, size, lambda *said: found.append(said)).everything()
        print(json.dumps({"found": found}), flush=True)
finally:
    stand.stop()
"""
"""Run in a checkout, with what that one calls a stand: it may be an old one."""

Said = typing.Callable[[str, str, float], None]


class Side:
    """One checkout, standing."""

    def __init__(self, tree: pathlib.Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STANDING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tree,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(tree)},
        )
        self.seconds: list[float] = []
        self.processor = 0.0

    def ready(self) -> None:
        """When it serves; raises ``RuntimeError`` when it ended instead."""
        self._about = self._told()
        self._line = http.client.HTTPConnection("127.0.0.1", self.port)

    def everything(self) -> list[tuple[str, float]]:
        """A round: what is measured, and what came out."""
        assert self._process.stdin is not None
        self._process.stdin.write("round\n")
        self._process.stdin.flush()
        return [(str(name), float(value)) for name, value in self._told()["found"]]

    def _told(self) -> dict[str, typing.Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        raise RuntimeError("a stand has ended")

    @property
    def port(self) -> int:
        return int(self._about["port"])

    def begin(self, size: str, path: str) -> None:
        """Another read: nothing of the one before counts."""
        self._size = size
        self._path = path.format(shown=self._about["shown"][size])
        self._ask(WARM)
        self.seconds, self.processor = [], 0.0

    def round(self) -> None:
        """A few requests, one after the other."""
        before = processes.cpu(self._about["api"])
        self.seconds += self._ask(EACH)
        self.processor += processes.cpu(self._about["api"]) - before

    def _ask(self, count: int) -> list[float]:
        project, took = self._about["projects"][self._size], []
        head = {"X-Auth-Token": self._about["tokens"][self._size]}
        for _ in range(count):
            begun = time.perf_counter()
            self._line.request("GET", f"/v1.0/{project}{self._path}", headers=head)
            answer = self._line.getresponse()
            answer.read()
            took.append(time.perf_counter() - begun)
            if answer.status != 200:
                raise RuntimeError(f"{self._path}: {answer.status}")
        return took

    def end(self) -> None:
        """Everything of it is stopped."""
        self._process.communicate("\n", timeout=120)


def measure(tree: pathlib.Path, say: Said) -> None:
    """Says, for the other and for this: milliseconds, and those of the processor."""
    with contextlib.ExitStack() as stack:
        sides = {}
        for name, where in (("other", tree), ("this", ROOT)):
            sides[name] = Side(where)
            stack.callback(sides[name].end)
            sides[name].ready()
        for size, path in READS:
            for side in sides.values():
                side.begin(size, path)
            for turn in range(ROUNDS):
                order = list(sides.values())
                for side in order if turn % 2 else reversed(order):
                    side.round()
            what = f"GET {path.format(shown='ID')}, {size} in the project"
            for name, side in sides.items():
                middle = statistics.median(side.seconds) * 1000
                each = side.processor * 1000 / len(side.seconds)
                say(name, f"{what}: p50, ms", middle)
                say(name, f"{what}: the API's processor, ms", each)
        _rounds(sides, say)


def _rounds(sides: dict[str, Side], say: Said) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(WHOLE):
        names = list(sides)
        for name in names if turn % 2 else reversed(names):
            for what, value in sides[name].everything():
                found.setdefault((name, what), []).append(value)
    for (name, what), values in found.items():
        say(name, what, statistics.median(values))


def table(results: typing.Sequence[dict[str, typing.Any]]) -> str:
    """A line a measure: the other, this, and this by the other."""
    found: dict[str, dict[str, float]] = {}
    for result in results:
        found.setdefault(result["measure"], {})[result["target"]] = result["value"]
    lines = [f"{'measure':70} {'other':>8} {'this':>8} {'ratio':>6}"]
    for measure, both in found.items():
        other, this = both["other"], both["this"]
        shown = f"{number(other):>8} {number(this):>8} {this / other:6.3f}"
        lines.append(f"{measure:70} {shown}")
    return "\n".join(lines)
