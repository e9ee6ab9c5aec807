# SPDX-License-Identifier: Apache-2.0
"""What is measured: one round of everything, on one target, as named numbers.

The name says what, and its unit is its end: seconds, ms, MB and statements are better
when there are fewer of them, everything a second when there are more.
"""

import asyncio
import dataclasses
import itertools
import json
import time
import typing

from tests.bench import processes
from tests.bench.client import Answers, ask, request
from tests.bench.target import Target

Said = typing.Callable[[str, float], None]
PATIENCE = 180.0
LOOK = 0.02
CREATE = "create"


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of each; ``sizes`` are the instances in a project."""

    sizes: tuple[int, ...] = (20, 200, 2000, 10000)
    seconds: float = 1.2
    posts: int = 20
    crowd: int = 40
    singles: int = 5
    bursts: tuple[int, ...] = (50,)
    queued: int = 200
    beats: int = 2000
    paced: tuple[tuple[float, int], ...] = ((20.0, 60), (100.0, 400))


QUICK = Size(
    sizes=(20, 2000),
    seconds=0.4,
    posts=5,
    crowd=16,
    singles=2,
    bursts=(20,),
    queued=0,
    beats=1000,
    paced=((50.0, 100),),
)


class Round:
    """One round on one target."""

    def __init__(self, target: Target, size: Size, say: Said) -> None:
        self.target, self.size, self.say = target, size, say
        self._names = itertools.count(1)

    def everything(self) -> None:
        """In an order in which nothing disturbs what follows."""
        self.starts()
        self.memory("idle")
        self.reads()
        self.creates()
        self.heartbeats()
        self.memory("after load")

    # -- processes

    def starts(self) -> None:
        """From nothing to an answered request, or to a listener on the queue."""
        for name in ("conductor", "taskmanager", "api"):
            seconds = self.target.restart(name)
            if seconds is not None:
                self.say(f"start of {name}, s", seconds)

    def memory(self, when: str) -> None:
        """The largest process of each, and all of it with shared pages once."""
        time.sleep(1.0 if when == "idle" else 0.0)
        for name, pid in sorted(self.target.pids().items()):
            if name in ("api", "taskmanager", "conductor"):
                found = processes.memory(pid)
                self.say(f"{name} {when}: largest RSS, MB", found["rss"])
                self.say(f"{name} {when}: PSS in all, MB", found["pss"])

    # -- reads

    def reads(self) -> None:
        """Everything a user looks at."""
        target = self.target
        smallest = target.projects[str(self.size.sizes[0])]
        self._read("GET versions", request(target, "GET", "/"))
        datastores = request(target, "GET", "/datastores", smallest)
        self._read("GET datastores", datastores)
        for number in self.size.sizes:
            project = target.projects[str(number)]
            for what, path in (
                ("list", "/instances?limit=20"),
                ("detail", "/instances/detail?limit=20"),
                ("show", f"/instances/{target.shown.get(str(number), '')}"),
            ):
                raw = request(target, "GET", path, project)
                self._read(f"{what}, {number} in the project", raw)
        self._crowded("list", smallest, "/instances?limit=20")

    def _read(self, name: str, raw: bytes) -> None:
        asyncio.run(ask(self.target, itertools.repeat(raw), 1, lambda n: n >= 2))
        before, spent = self.target.counters(), self._processor()
        answers = self._for_a_while(raw, 1)
        after, took = self.target.counters(), self._processor()
        self.say(f"{name}: p50, ms", answers.quantile(0.5) * 1000)
        self.say(f"{name}: p99, ms", answers.quantile(0.99) * 1000)
        if "api" in took:
            each = (took["api"] - spent["api"]) * 1000 / len(answers.seconds)
            self.say(f"{name}: the API's processor, ms", each)
        if selects := after.get("select", 0) - before.get("select", 0):
            self.say(f"{name}: SELECTs, statements", selects / len(answers.seconds))

    def _crowded(self, what: str, project: str, path: str) -> None:
        raw = request(self.target, "GET", path, project)
        answers = self._for_a_while(raw, 8)
        self.say(f"{what}, 8 at once, /s", answers.rate)
        self.say(f"{what}, 8 at once: p99, ms", answers.quantile(0.99) * 1000)

    def _for_a_while(self, raw: bytes, at_once: int) -> Answers:
        end = time.perf_counter() + self.size.seconds
        few = 3 * at_once

        def over(number: int) -> bool:
            return number >= few and time.perf_counter() >= end

        answers = asyncio.run(ask(self.target, itertools.repeat(raw), at_once, over))
        self._whole(answers)
        return answers

    def _whole(self, answers: Answers) -> None:
        if answers.faults:
            raise RuntimeError(f"{self.target.name}: {answers.faults[:3]}")

    # -- creates

    def creates(self) -> None:
        """POST alone; to ACTIVE; many at once; many that waited for a taskmanager."""
        size = self.size
        self._clean()
        answers = self._post(size.posts, 1)
        self.say("POST: p50, ms", answers.quantile(0.5) * 1000)
        self.say("POST: p99, ms", answers.quantile(0.99) * 1000)
        self._settled(size.posts)
        self.say("POST, 8 at once, /s", self._post(size.crowd, 8).rate)
        self._settled(size.posts + size.crowd)
        self._clean()
        for _ in range(size.singles):
            self.say("POST to ACTIVE, s", self.built(1))
        self._clean()
        for number in size.bursts:
            spent = self._processor()
            self.say(f"{number} at once: all ACTIVE, s", self.built(number))
            for name, seconds in self._processor().items():
                each = (seconds - spent[name]) * 1000 / number
                self.say(f"{number} at once: {name}'s processor for each, ms", each)
            self._clean()
        if size.queued:
            self._queue(size.queued)
            self._clean()

    def _queue(self, number: int) -> None:
        """Accepted while the taskmanager is stopped, then let go."""
        self.target.pause(True)
        try:
            answers = self._post(number, 8)
            self.say("POST, taskmanager stopped, 8 at once, /s", answers.rate)
        finally:
            self.target.pause(False)
        begun = time.perf_counter()
        self._settled(number)
        seconds = time.perf_counter() - begun
        self.say(f"{number} queued for one taskmanager: all ACTIVE, s", seconds)

    def built(self, number: int) -> float:
        """Seconds from the first POST to the last ACTIVE of so many more."""
        there = len(self.target.statuses(self._project))
        begun = time.perf_counter()
        self._post(number, min(number, 8))
        self._settled(there + number)
        return time.perf_counter() - begun

    def _post(self, number: int, at_once: int) -> Answers:
        raws = iter([self._order() for _ in range(number)])
        answers = asyncio.run(ask(self.target, raws, at_once, lambda n: False))
        self._whole(answers)
        return answers

    def _order(self) -> bytes:
        body = self.target.order(f"db-{next(self._names)}")
        return request(self.target, "POST", "/instances", self._project, body)

    def _settled(self, number: int) -> None:
        """Until so many are ACTIVE."""
        end = time.monotonic() + PATIENCE
        while True:
            found = list(self.target.statuses(self._project).values())
            if found.count("ACTIVE") >= number:
                return
            if "ERROR" in found or time.monotonic() > end:
                raise RuntimeError(f"{self.target.name}: {json.dumps(found)[:500]}")
            time.sleep(LOOK)

    def _clean(self) -> None:
        self.target.wipe(self._project)

    @property
    def _project(self) -> str:
        return self.target.projects[CREATE]

    def _processor(self) -> dict[str, float]:
        pids = self.target.pids()
        return {name: processes.cpu(pid) for name, pid in sorted(pids.items())}

    # -- heartbeats

    def heartbeats(self) -> None:
        """Many at once, and paced ones with the time until each is in the database."""
        told = self.target.heartbeats(1000, self.size.beats, 0)
        if told is None:
            return
        self.say("heartbeats, one conductor, /s", told["per_s"])
        for rate, count in self.size.paced:
            told = self.target.heartbeats(1000, count, rate) or {}
            for part in ("p50", "p99"):
                if f"lag_{part}_ms" in told:
                    name = f"heartbeats at {rate:.0f}/s: lag {part}, ms"
                    self.say(name, told[f"lag_{part}_ms"])
