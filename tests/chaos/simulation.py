# SPDX-License-Identifier: Apache-2.0
"""One simulated deployment: a seed decides who acts next, what fails and who dies.

The engine, the flows, the journal, the ledger, the actions, the conductor and the
reaper are the product's own. Time, the cloud, the broker, the bus and the guests are
fakes that outlive every worker. Workers are greenlets: one may be stopped at any write
or outside call, for longer than its lease, while others go on.
"""

import dataclasses
import random
import sqlite3

import greenlet

from tests.chaos import actors
from tests.chaos.world import SETTINGS, Authority, Crash, Ticking, shared
from trove.actions.services import Services
from trove.actions.services import Settings as ApiSettings
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, Pace
from trove.cloud.memory import World as CloudWorld
from trove.conductor.manager import Manager as Conductor
from trove.conductor.reports import Reports
from trove.flows import FLOWS
from trove.flows.context import StepContext, Surroundings
from trove.model.states import LIVE
from trove.taskmanager.reaper import Reaper
from trove.workflow.engine import Engine

LEASE = 30.0
WORKERS = 2
ROUGH = 90.0
"""Seconds in which things go wrong; then it gets calm, and everything must end."""

CALM = 3000.0
REAP_EVERY = 120.0
REAPS = 3

_LIVE = ", ".join(f"'{state.value}'" for state in LIVE)
ALIVE = f"SELECT 1 FROM operations WHERE state IN ({_LIVE}) LIMIT 1"
DUE = (
    f"SELECT 1 FROM operations WHERE state IN ({_LIVE}) AND due <= :now "
    "AND lock_key IS NOT NULL "
    "AND (lease_until IS NULL OR lease_until < :now) LIMIT 1"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Odds:
    """How often things go wrong in one seed, at each point where they can."""

    crash: float
    pause: float
    switch: float
    fault: float
    visible_after: float

    @classmethod
    def draw(cls, chance: random.Random) -> "Odds":
        return cls(
            crash=chance.choice((0.0, 0.01, 0.03)),
            pause=chance.choice((0.0, 0.01, 0.03)),
            switch=chance.choice((0.0, 0.1, 0.3)),
            fault=chance.choice((0.0, 0.02, 0.08)),
            visible_after=chance.choice((0.0, 0.0, 6.0, 15.0)),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a mutant replaces."""

    claims: type[actors.WatchedClaims] = actors.WatchedClaims
    context: type[StepContext] = StepContext
    reaps: int = REAPS
    guards_volumes: bool = True
    odds: Odds | None = None


class Simulation:
    """What a seed decides, from the first request to the last reaping."""

    def __init__(self, seed: int, parts: Parts | None = None) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.parts = parts or Parts()
        self.odds = self.parts.odds or Odds.draw(self.chance)
        self.moment, self.rough = 1_000_000.0, True
        self.wrong: list[str] = []
        self.fences: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.told: list[str] = []
        self.slept = False
        self.quarantine: set[str] = set()
        self.database: Ticking = shared(self)
        raw = self.database.engine.raw_connection()
        self._line: sqlite3.Connection = raw.driver_connection  # the only one there is
        raw.close()
        self._outside()
        self.workers: list[actors.Worker] = []
        self.hired = 0
        for _ in range(WORKERS):
            self.hire()

    def _outside(self) -> None:
        self.clouds = CloudWorld(
            clock=self.now,
            pace=Pace(boot=3, create=2, remove=1),
            visible_after=self.odds.visible_after,
        )
        self.cloud = MemoryCloud(
            deployment=SETTINGS.deployment,
            world=self.clouds,
            before=lambda name, said: self.before(name),
            after=lambda name, said, answer: self.after(name),
        )
        quiet = MemoryCloud(deployment=SETTINGS.deployment, world=self.clouds)
        self.bus = actors.Bus(self)
        self.users = actors.Users(self)
        self.guests = actors.Guests(self)
        self.reports = Reports(self.database, lambda operation: None)
        self.conductor = Conductor(
            self.database,
            self.users,
            Authority(),
            lambda operation: None,
            self.reports,
        )
        self.services = Services(
            self.database,
            quiet,
            lambda operation: None,
            ApiSettings(
                default_datastore="mariadb",
                quotas={"instances": actors.LIMIT, "ram": -1, "volumes": 100},
            ),
        )
        self.user = actors.User(self)
        self.reaper = Reaper(self.database, quiet, self.users)

    # -- time, and what goes wrong -------------------------------------------------

    def now(self) -> float:
        return self.moment

    def happens(self, odds: float) -> bool:
        return self.rough and self.chance.random() < odds

    def tick(self, label: str) -> None:
        """A write or an outside call of a worker is next, or was just done."""
        worker = greenlet.getcurrent()
        if not isinstance(worker, actors.Worker):
            return
        if self.happens(self.odds.crash):
            self.say(f"{worker.name} dies {label}")
            raise Crash(label)
        if self.happens(self.odds.pause):
            worker.until = self.moment + self.chance.choice((8.0, 45.0, 80.0))
            self.slept = True
            self.say(f"{worker.name} sleeps {label}")
            self.hub.switch()
        elif self.happens(self.odds.switch):
            self.hub.switch()

    def before(self, name: str) -> None:
        self.tick(f"before {name}")
        if self._acting() and self.happens(self.odds.fault):
            self.say(f"{name} fails")
            raise self.chance.choice(
                (protocol.Passing("503"), protocol.Unknown("it never arrived"))
            )
        if name == "compute.boot" and not self.parts.guards_volumes:
            for thing in self.clouds.made.values():
                thing.server = None

    def after(self, name: str) -> None:
        self.guard_volumes()
        if self._acting() and self.happens(self.odds.fault):
            self.say(f"the reply of {name} is lost")
            raise protocol.Unknown("the reply was lost")
        self.tick(f"after {name}")

    def guard_volumes(self) -> None:
        """INV-6, all the time."""
        held = [t.order.volume for t in self.clouds.made.values() if t.order]
        if len(held) != len(set(held)):
            self.wrong.append("INV-6: two servers on one volume")

    def _acting(self) -> bool:
        return isinstance(greenlet.getcurrent(), actors.Worker)

    def say(self, what: str) -> None:
        """Remembers what went wrong when, for whoever reads a red seed."""
        self.told.append(f"{self.moment - 1_000_000.0:6.1f} {what}")

    # -- who acts ------------------------------------------------------------------

    def hire(self) -> None:
        """One more worker, that knows nothing but the rows."""
        self.hired += 1
        name = f"tm-{self.hired}"
        claims = self.parts.claims(self.database, name, lease=LEASE, clock=self.now)
        claims.world = self
        around = Surroundings(
            self.database, self.cloud, self.users, self.guests, SETTINGS
        )
        engine = Engine(
            claims,
            FLOWS,
            lambda claim: self.parts.context(claim, around),
            actors.passing,
            jitter=self.chance.random,
        )
        self.workers.append(actors.Worker(self, name, claims, engine))

    def run(self) -> None:
        """Rough times, then calm ones until nothing is live, then the reaper."""
        self.hub = greenlet.getcurrent()
        while self.moment < 1_000_000.0 + ROUGH:
            self.turn()
        self.rough = False
        self.clouds.visible_after = 0.0
        limit, reap_at = self.moment + CALM, self.moment + REAP_EVERY
        while self.live() or self.user.plan:
            self.turn()
            if self.parts.reaps and self.moment > reap_at:
                # what a zombie made holds what is being undone, until it is reaped
                self.reaper.reap()
                reap_at += REAP_EVERY
            if self.moment > limit:
                self.wrong.append("INV-1: something never ends")
                break
        self.moment += 100.0  # whoever slept comes back
        self.turn()
        for worker in self.workers:
            while worker.busy and not worker.dead:
                worker.switch()
        if not self.slept:
            # only who comes back late makes what was undone: undo is exact without
            for left in self.reaper.look():
                self.wrong.append(f"INV-2: a {left.kind} is left over: {left.why}")
        for _ in range(self.parts.reaps):
            self.reaper.reap()
            self.moment += 5.0

    def turn(self) -> None:
        """Somebody acts, in an order that the seed decides; a second or so passes."""
        self.user.act()
        self.guests.speak()
        self.bus.deliver()
        awake = [w for w in self.workers if w.until <= self.moment]
        self.chance.shuffle(awake)
        for worker in awake:
            if worker.busy or self.due():
                self.step(worker)
        self.moment += self.chance.choice((0.5, 1.0, 3.0)) if self.rough else 3.0

    def step(self, worker: "actors.Worker") -> None:
        """A worker goes on from where it was stopped; one that dies is replaced."""
        try:
            worker.switch()
        except Crash:
            self.workers.remove(worker)
            self.hire()

    # -- rows, without the ORM: asked all the time ---------------------------------

    def due(self) -> bool:
        """Whether a look for work would find some."""
        return self._any(DUE)

    def live(self) -> bool:
        return self._any(ALIVE)

    def _any(self, sql: str) -> bool:
        found = self._line.execute(sql, {"now": self.moment}).fetchone()
        return found is not None
