# SPDX-License-Identifier: Apache-2.0
"""Who acts in a simulation: workers, the bus, guests, a user, the broker's users."""

import contextlib
import itertools
import typing

import greenlet
from sqlalchemy import orm

from tests.chaos.world import KEYS
from trove import errors
from trove.actions import deletion, instances
from trove.actions.begin import Token
from trove.actions.orders import Order
from trove.context import Context
from trove.flows.context import passing
from trove.model import naming
from trove.model.states import JobState, Service
from trove.rpc.messages import Enrolment, JobReport, Report
from trove.workflow.claims import Claim, Claims, Work
from trove.workflow.engine import Engine

if typing.TYPE_CHECKING:
    from tests.chaos.simulation import Simulation

PROJECT = "chaos"
LIMIT = 1
"""Instances a project may have: two creates at once compete for it."""

__all__ = ["Bus", "Guests", "User", "Users", "Worker", "passing"]


class WatchedClaim(Claim):
    """Tells of a write under a fence that is not the highest (INV-9)."""

    world: "Simulation"

    def write(self, work: Work | None = None, **how: typing.Any) -> None:
        def watched(tx: orm.Session) -> None:
            # in the transaction: afterwards this worker may be stopped, in good order
            if self.operation.fence < self.world.fences[self.id]:
                self.world.wrong.append("INV-9: a stale worker wrote")
            if work is not None:
                work(tx)

        super().write(watched, **how)


class WatchedClaims(Claims):
    """Hands out claims that are watched."""

    world: "Simulation"
    kind: type[WatchedClaim] = WatchedClaim

    def take(self, operation_id: str) -> Claim | None:
        claim = super().take(operation_id)
        if claim is not None:
            fences, owner = self.world.fences, self.owner
            last = self.world.owners.get(claim.id, owner)
            if any(w.busy and w.name == last != owner for w in self.world.workers):
                self.world.say(f"{owner} took over from {last}")
            self.world.owners[claim.id] = owner
            fences[claim.id] = max(claim.operation.fence, fences.get(claim.id, 0))
            claim.__class__ = self.kind
            typing.cast(WatchedClaim, claim).world = self.world
        return claim


class Worker(greenlet.greenlet):
    """A taskmanager's worker: carries what is due, and is stopped at any tick."""

    def __init__(
        self, world: "Simulation", name: str, claims: Claims, engine: Engine
    ) -> None:
        super().__init__()
        self._world, self.name = world, name
        self._claims, self._engine = claims, engine
        self.until = 0.0
        """It is not scheduled before: it sleeps, and does not know it."""
        self.busy = False

    def run(self) -> None:
        while True:
            self.busy = True
            for operation in self._claims.due():
                self._engine.run(operation)
            self.busy = False
            self._world.hub.switch()


class Bus:
    """Messages under way: late, out of order, and some twice."""

    def __init__(self, world: "Simulation") -> None:
        self._world = world
        self._under_way: list[typing.Callable[[], None]] = []

    def send(self, message: typing.Callable[[], None]) -> None:
        self._under_way.append(message)

    def deliver(self) -> None:
        """Some of what is under way arrives; what is left comes later."""
        world, waiting = self._world, self._under_way
        world.chance.shuffle(waiting)
        late = [m for m in waiting if world.happens(0.2)]
        again = [m for m in waiting if world.happens(0.1)]
        self._under_way = [*late, *again]
        for message in waiting:
            if message not in late:
                message()


class Users:
    """The broker's guests' users."""

    def __init__(self, world: "Simulation") -> None:
        self._world = world
        self.there: set[str] = set()

    def add_guest(self, instance: str, password: str) -> None:
        self._world.before("users.add")
        self.there.add(instance)
        self._world.after("users.add")

    def remove_guest(self, instance: str) -> None:
        self._world.before("users.remove")
        self.there.discard(instance)
        self._world.after("users.remove")

    def guests(self) -> list[str]:
        return sorted(self.there)

    def set_hash(self, instance: str, password_hash: str) -> None:
        """The conductor's: nothing here looks at it."""


class Guest:
    """One server's agent: it enrols, does each job once, and says so."""

    def __init__(self, server: str, instance: str, boot: int) -> None:
        self.server, self.instance, self.boot = server, instance, boot
        self.seq = itertools.count(1)
        self.done: list[str] = []
        self.enrolled = False
        self.spoke = 0.0
        self.heard = -1

    def take(self, job: str) -> None:
        """Its ledger: a job that comes again is not done again."""
        if job not in self.done:
            self.done.append(job)


class Guests:
    """All agents, and the callers' ends of them."""

    def __init__(self, world: "Simulation") -> None:
        self._world = world
        self.all: dict[str, Guest] = {}

    def __call__(self, instance: str, context: Context) -> "Caller":
        return Caller(self._world, instance)

    def speak(self) -> None:
        """Each agent of an ACTIVE server says what is new, or that it is there."""
        for server in list(self._world.clouds.made.values()):
            if server.kind != "server" or server.until > self._world.moment:
                continue
            guest = self.all.get(server.id)
            if guest is None:
                owner = naming.owner(server.key)
                guest = Guest(server.id, owner, len(self.all) + 1)
                self.all[server.id] = guest
            news = guest.heard != len(guest.done)
            if news or self._world.moment - guest.spoke > 10:
                guest.spoke = self._world.moment
                self._speak(guest)

    def _speak(self, guest: Guest) -> None:
        context = Context(broker_user=naming.guest_user(guest.instance))
        report = Report(
            boot=guest.boot,
            seq=next(guest.seq),
            service=Service.HEALTHY if guest.done else Service.NEW,
            jobs=tuple(JobReport(id=id, state=JobState.DONE) for id in guest.done),
        )

        def arrive() -> None:
            if guest.instance not in self._world.users.there:
                return  # the broker lets nobody speak without a user
            with contextlib.suppress(errors.Forbidden):
                if not guest.enrolled:
                    enrolment = Enrolment("hash", KEYS[1], "csr")
                    self._world.conductor.enrol(context, enrolment)
                    guest.enrolled = True
            self._world.conductor.heartbeat(context, report)
            self._world.reports.flush()
            guest.heard = max(guest.heard, len(report.jobs))

        self._world.bus.send(arrive)

    def job(self, instance: str, job: str) -> None:
        """A job arrives at whoever is there."""
        for server in self._world.clouds.made.values():
            guest = self.all.get(server.id)
            if guest is not None and guest.instance == instance:
                guest.take(job)


class Caller:
    """The caller's end of one guest: a cast is on its way, or was lost."""

    def __init__(self, world: "Simulation", instance: str) -> None:
        self._world, self._instance = world, instance

    def __getattr__(self, method: str) -> typing.Callable[..., None]:
        def cast(job: str, **arguments: typing.Any) -> None:
            self._world.before(f"guest.{method}")
            self._world.bus.send(lambda: self._world.guests.job(self._instance, job))
            self._world.after(f"guest.{method}")

        return cast


class User:
    """Asks for instances, some twice with one token, and deletes them at any time."""

    def __init__(self, world: "Simulation") -> None:
        self._world = world
        chance = world.chance
        self._context = Context(project=PROJECT, user="u")
        self.answers: dict[str, set[str]] = {}
        self.refused = 0
        self.plan: list[tuple[float, typing.Callable[[], None]]] = []
        """When, and what, is still to come."""
        for number in range(chance.choice((1, 1, 2))):
            token = f"token-{number}"
            at = world.moment + chance.uniform(0, 40) * number
            for again in range(chance.choice((1, 1, 2))):
                when = at + again * chance.uniform(0, 20)
                self.plan.append((when, lambda token=token: self.create(token)))
            if chance.random() < 0.6:
                when = at + chance.uniform(1, 80)
                self.plan.append((when, lambda token=token: self.delete(token)))

    def act(self) -> None:
        """What the plan says for now."""
        due = [entry for entry in self.plan if entry[0] <= self._world.moment]
        for entry in sorted(due, key=lambda entry: entry[0]):
            self.plan.remove(entry)
            entry[1]()

    def create(self, token: str) -> None:
        order = Order(name="db", flavor="2", volume_size=2, version="v")
        with contextlib.suppress(errors.OverLimit):
            seen = instances.create(
                self._world.services,
                self._context,
                PROJECT,
                order,
                Token(token, {"name": "db"}),
            )
            self.answers.setdefault(token, set()).add(seen.instance.id)
            self._world.say(f"the user asks for {token}")
            return
        self.refused += 1

    def delete(self, token: str) -> None:
        """Of what the token made, whatever becomes of it meanwhile; twice is once."""
        for id in self.answers.get(token, ()):
            self._world.say(f"the user deletes what {token} made")
            with contextlib.suppress(errors.NotFound):
                services, now = self._world.services, deletion.NOW
                deletion.delete(services, self._context, id, PROJECT, now)
