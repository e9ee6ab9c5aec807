# SPDX-License-Identifier: Apache-2.0
"""The guests of a run: born when the cloud boots a server, from its user data alone.

Each has the agent's own RPC manager and job ledger; the deeds are a toy's, done by one
thread for all, because a job's child process has no place in this one. Tests say by an
instance's name how its guest behaves.
"""

import configparser
import dataclasses
import itertools
import json
import pathlib
import queue
import threading
import time
import traceback
import typing

from oslo_messaging import exceptions as messaging

from tests.functional.suite.outside import Broker
from tests.tenants import Engine
from trove import errors
from trove.cloud.memory import World
from trove.context import Context
from trove.datastores import registry
from trove.datastores.protocol import Account, Database
from trove.guestagent.accounts import Desk, unsealer
from trove.guestagent.ledger import Job, Ledger, Outcome
from trove.guestagent.manager import Manager
from trove.model.states import JobState, Service
from trove.rpc import codec, passwords, sealing, transport
from trove.rpc.conductor import Conductor
from trove.rpc.guest import Guest as GuestInterface
from trove.rpc.interface import Proxy
from trove.rpc.messages import Enrolment, Group, Plan, Report
from trove.service import certificates

EVERY = 2.0
"""Seconds between two reports of a guest."""


@dataclasses.dataclass
class Guest:
    """One guest: what it was born with, and what it has become."""

    name: str
    server: str
    instance: str
    user: str
    password: str
    datastore: str
    service: str = Service.NEW
    databases: list[str] = dataclasses.field(default_factory=list)
    accounts: dict[str, str] = dataclasses.field(default_factory=dict)
    done: list[str] = dataclasses.field(default_factory=list)
    group: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    """The values of its configuration group."""
    silent: bool = False
    certificate: str = ""
    ledger: Ledger | None = None
    keys: tuple[str, str] = ("", "")
    engine: Engine | None = None
    """Its databases and users, once it was prepared."""
    conductor: Proxy | None = None
    listener: typing.Any = None
    seq: typing.Iterator[int] = dataclasses.field(
        default_factory=lambda: itertools.count(1)
    )


class Queue:
    """In the agent's manager, the place of its jobs: enters one and says so."""

    def __init__(self, ledger: Ledger, entered: typing.Callable[[], None]) -> None:
        self._ledger, self._entered = ledger, entered

    def submit(self, id: str, method: str, arguments: dict[str, typing.Any]) -> Job:
        job, new = self._ledger.accept(id, method, arguments)
        if new:
            self._entered()
        return job


class Fleet:
    """All guests, moved by one thread."""

    def __init__(self, world: World, broker: Broker, home: pathlib.Path) -> None:
        self._world, self._broker, self._home = world, broker, home
        self._news: queue.Queue[tuple[str, Guest | None]] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self.asleep: dict[str, Guest] = {}
        """Booted, and without a word yet: their names begin with ``dark``."""
        self.guests: dict[str, Guest] = {}
        """By instance."""
        self.faults: list[str] = []
        """What no guest should have met."""
        self._ending: list[threading.Thread] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._news.put(("end", None))
        self._thread.join(20)
        for guest in list(self.guests.values()):
            self._bury(guest)
        for ending in self._ending:
            ending.join(10)

    # -- the cloud's word, the tests' words

    def booted(self, order: typing.Any, server: typing.Any) -> None:
        """A server has been made: somewhere a guest wakes."""
        guest = _born(order, server.id)
        if order.name.startswith("dark"):
            self.asleep[guest.instance] = guest
        else:
            self._news.put(("wake", guest))

    def wake(self, instance: str) -> None:
        """A guest that was kept from speaking speaks."""
        self._news.put(("wake", self.asleep.pop(instance)))

    def become(self, instance: str, service: str) -> None:
        """Its database is in another state from now on."""
        self.guests[instance].service = service
        self._news.put(("beat", self.guests[instance]))

    def deaf(self, instance: str) -> bool:
        """Whether nobody listens there any more: another guest may, by its name."""
        return instance not in self.guests and not any(
            ending.is_alive() for ending in self._ending
        )

    # -- the thread

    def _run(self) -> None:
        due = time.monotonic() + EVERY
        while True:
            try:
                what, guest = self._news.get(timeout=0.2)
            except queue.Empty:
                what, guest = "nothing", None
            if what == "end":
                return
            self._guarded(what, guest)
            if time.monotonic() >= due:
                due = time.monotonic() + EVERY
                for each in list(self.guests.values()):
                    self._guarded("beat", each)

    def _guarded(self, what: str, guest: Guest | None) -> None:
        if guest is None:
            return
        try:
            {"wake": self._wake, "beat": self._beat, "job": self._jobs}[what](guest)
        except Exception as error:  # noqa: BLE001 - every test looks at the list
            gone = guest.server not in self._world.made
            if gone or guest.user not in self._broker.users:
                self._bury(guest)  # deleted meanwhile: a server that goes says no more
            elif what == "wake" and isinstance(error, errors.Unavailable):
                self._news.put(("wake", guest))  # as an agent: it goes on trying
            elif isinstance(error, errors.Forbidden | messaging.MessagingException):
                self.faults.append(f"{guest.name}: {error!r}")
            else:
                self.faults.append(f"{guest.name}: {traceback.format_exc()}")

    def _bury(self, guest: Guest) -> None:
        self.guests.pop(guest.instance, None)
        if guest.listener is not None:
            # not by this thread: it takes a while, and the living wait for it
            ending = threading.Thread(target=guest.listener.stop, args=(10,))
            ending.start()
            self._ending.append(ending)
            guest.listener = None

    # -- one guest

    def _wake(self, guest: Guest) -> None:
        """What the agent does at its first start: keys, enrolment, its own queue."""
        opened = self._broker.connection(guest.user)
        guest.keys = sealing.keypair()
        _key, request = certificates.server_key_and_request()
        secret = passwords.new_password()
        guest.conductor = Proxy(Conductor, opened, Context(), retry=1)
        enrolled = guest.conductor.enrol(
            Enrolment(passwords.hash_password(secret), guest.keys[1], request)
        )
        guest.certificate = enrolled.certificate
        guest.ledger = Ledger(self._home / guest.server / "jobs")  # of that root disk
        jobs = Queue(guest.ledger, lambda: self._news.put(("job", guest)))
        manager = Manager(
            guest.ledger,
            typing.cast(typing.Any, jobs),
            lambda: self._news.put(("beat", guest)),
            _desk(guest),
        )
        guest.listener = transport.server(
            opened, GuestInterface, manager, guest.instance
        )
        guest.listener.start()
        self.guests[guest.instance] = guest
        self._beat(guest)

    def _beat(self, guest: Guest) -> None:
        if guest.instance not in self.guests or guest.silent:
            return
        if guest.server not in self._world.made:
            self._bury(guest)
            return
        assert guest.ledger is not None and guest.conductor is not None
        guest.conductor.heartbeat(
            Report(
                boot=self._world.made[guest.server].boots,
                seq=next(guest.seq),
                service=guest.service,
                version="1.0",
                disk_used=1 << 28,
                disk_total=1 << 30,
                agent="functional",
                jobs=guest.ledger.reports(),
            )
        )

    def _jobs(self, guest: Guest) -> None:
        assert guest.ledger is not None
        while (job := guest.ledger.next()) is not None:
            job = guest.ledger.begin(job)
            self._beat(guest)
            guest.ledger.finish(job, self._do(guest, job))
            guest.done.append(job.method)
            self._beat(guest)

    def _do(self, guest: Guest, job: Job) -> Outcome:
        if guest.name.startswith("broken"):
            guest.service = Service.FAILED
            return Outcome(5, JobState.FAILED, "the toy is broken")
        if job.method == "prepare":
            plan = codec.decode(Plan, job.arguments["plan"], "plan")
            secrets = sealing.unseal(guest.keys[0], plan.sealed)
            guest.accounts = {u["name"]: u["password"] for u in secrets["users"]}
            guest.group = dict(plan.group)
            guest.databases = [database.name for database in plan.databases]
            guest.engine = _engine(guest.datastore, guest.databases, secrets["users"])
        if job.method == "configure":
            group = codec.decode(Group, job.arguments["group"], "group")
            guest.group = dict(group.values)
            rules = registry.get(guest.datastore).parameters
            waiting = [n for n in guest.group if rules[n]["restart_required"]]
            return Outcome(100, JobState.DONE, None, {"restart": waiting})
        stopped = job.method == "stop_database"
        guest.service = Service.STOPPED if stopped else Service.HEALTHY
        return Outcome(100, JobState.DONE, None, {})


def _desk(guest: Guest) -> Desk:
    """Where it is asked for its accounts; the agent's own."""
    return Desk(
        lambda: typing.cast(Engine, guest.engine),
        unsealer(lambda: guest.keys[0]),
        lambda: guest.engine is not None,
    )


def _engine(
    datastore: str, databases: list[str], users: list[dict[str, typing.Any]]
) -> Engine:
    made = Engine(registry.get(datastore).naming)
    made.accounts.create_databases([Database(name) for name in databases])
    made.accounts.create_accounts(
        [
            Account(u["name"], u["host"], tuple(u["databases"]), u["password"])
            for u in users
        ]
    )
    return made


def _born(order: typing.Any, server: str) -> Guest:
    """From the user data, as the agent reads it."""
    head, _, body = order.user_data.partition("\n")
    assert head == "#cloud-config"
    files = {f["path"]: f["content"] for f in json.loads(body)["write_files"]}
    conf = configparser.ConfigParser(interpolation=None)
    conf.read_string(files["/etc/trove/guest.conf"])
    return Guest(
        name=order.name,
        server=server,
        instance=conf["guest"]["instance"],
        user=conf["broker"]["user"],
        password=conf["broker"]["password"],
        datastore=conf["guest"]["datastore"],
    )
