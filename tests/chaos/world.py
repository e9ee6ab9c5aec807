# SPDX-License-Identifier: Apache-2.0
"""A world for chaos: a cloud, a broker and guests that outlive the processes, a bomb.

Every write of the control database and every call to something outside ticks. At the
tick that a bomb names, the process dies there: a ``Crash`` that no code of ours may
catch. A fault is raised at the n-th call of one name, before or after its deed.
"""

import contextlib
import dataclasses
import datetime
import functools
import itertools
import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from tests.chaos import frozen, kept
from tests.chaos import lent as exported
from tests.chaos.frozen import Frozen
from tests.chaos.store import SECRETS, Savers, Store
from trove import errors
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, Pace
from trove.cloud.memory import world as memory
from trove.conductor.manager import Manager as Conductor
from trove.conductor.reports import Reports
from trove.context import Context
from trove.db import session
from trove.db.queries import (
    backups,
    certificates,
    instances,
    modules,
    quotas,
    recycled,
    snapshots,
    verifications,
)
from trove.db.tables import (
    Archive,
    ArchiveSegment,
    Backup,
    BackupKey,
    BroughtCertificate,
    CloudThing,
    Datastore,
    DatastoreVersion,
    Event,
    Guest,
    Instance,
    InstanceModule,
    Module,
    Operation,
    Record,
    Usage,
)
from trove.flows import FLOWS
from trove.flows.context import Settings, StepContext, Surroundings, passing
from trove.model import naming, operations
from trove.model.backups import SNAPSHOT, BackupState
from trove.model.dumps import Export, Import
from trove.model.operations import CreateInstance, DeleteInstance, NewUser
from trove.model.quotas import BACKUPS, cost_of_instance
from trove.model.states import LIVE, JobState, Modular, Service, Task
from trove.model.verifications import OWNER, UNDER_WAY, Verification
from trove.rpc import sealing
from trove.rpc.messages import Enrolment, JobReport, Report
from trove.storage import manifest
from trove.storage.backups import Names
from trove.storage.vault.protocol import ROWS
from trove.taskmanager.reaper import Reaper
from trove.workflow import journal
from trove.workflow.claims import Claims
from trove.workflow.engine import Engine

BROUGHT = "ab" * 32
"""The fingerprint of the certificate that a user brings."""
LEASE = 30.0
RECOVERY = LEASE + 1
"""Seconds from a crash to the next taskmanager's look."""

NEAR = "10.0.0.0/8"
UP = ("ACTIVE", "VERIFY_RESIZE")
PROJECT = "chaos"
DEFAULTS = {"instances": 10, "ram": -1, "volumes": 100, "backups": 10}
SETTINGS = Settings(
    deployment="chaos",
    management_network="guests",
    brokers=(("10.9.0.1", 5671),),
    guests_vhost="/trove-guests",
    broker_ca="-----BEGIN CERTIFICATE-----",
)
KEYS = sealing.keypair()
TAKEN, REFUSED = "600d" * 8, "0bad" * 8
"""The hashes of contents that a driver takes, and refuses."""
MODULE = "module-1"
NEW = "image-2"
"""The image of the other version, ``w``."""
LENT, LENT_ADDRESS = "44444444-4444-4444-8444-444444444444", "10.9.0.99"
"""A port that the user made, and its address."""
SEGMENTS = (
    (0, (b"before",)),
    (1, (b"a", b"bc")),
    (5, (b"def", b"gh")),
    (9, (b"i", b"j", b"k")),
)
"""The segments of an archive: the first part of each, and its parts. Behind the backups
of this world (``store.WORDS``) the log goes on with the third."""
TRAITS = {
    name: getattr(memory.World(), name)
    for name in ("keeps_sizes", "keeps_sources", "leaves_reserved", "grow_in_use")
}
"""In what a cloud can be otherwise than most, and how most are."""
PAUSE = 4.0
"""Seconds between two batches of a module that is applied everywhere."""


class Crash(BaseException):
    """kill -9: nothing of the process runs after it."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong, at which call, and whether the deed was done all the same.

    ``times`` None: for ever.
    """

    call: str
    error: str
    after: bool = False
    times: int | None = 1

    def __str__(self) -> str:
        when = "after" if self.after else "before"
        return f"{self.error}-{when}-{self.call}-x{self.times or 'ever'}"

    def make(self) -> Exception:
        return {
            "passing": lambda: protocol.Passing("503"),
            "unknown": lambda: protocol.Unknown("the reply was lost"),
            "refused": lambda: protocol.Refused("400", status=400),
            "conflict": lambda: protocol.CloudConflict("409"),
            "unavailable": lambda: errors.Unavailable(what="the broker"),
            "bug": lambda: ZeroDivisionError("nobody foresaw this"),
        }[self.error]()


class Ticking(session.Database):
    """The control database; the process may die before and after each transaction."""

    world: "Played"

    def run(self, work: typing.Any, attempts: int = 5) -> typing.Any:
        self.world.tick("before write")
        done = super().run(work, attempts)
        self.world.tick("after write")
        return done


class Users:
    """The broker's guests' users, in a set."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.there: set[str] = set()

    @contextlib.contextmanager
    def _call(self, name: str) -> typing.Iterator[None]:
        self._world.before(name)
        yield
        self._world.after(name)

    def add_guest(self, instance: str, password: str) -> None:
        with self._call("users.add"):
            self.there.add(instance)

    def remove_guest(self, instance: str) -> None:
        with self._call("users.remove"):
            self.there.discard(instance)

    def guests(self) -> list[str]:
        with self._call("users.list"):
            return sorted(self.there)

    def set_hash(self, instance: str, password_hash: str) -> None:
        """Not part of a flow: the conductor's."""


class Authority:
    """Issues a certificate that nobody here looks at."""

    ca_pem = "ca"
    serial = "1"

    def issue(self, *about: object) -> tuple[str, str, datetime.datetime]:
        end = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
        return "certificate", self.serial, end

    issue_for_guest = issue


def life(server: memory.Made) -> str:
    """A server that was built anew is another guest."""
    return f"{server.id} {server.mark or ''}"


class Guests:
    """The guests: each does a job once, and says so until it was heard."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.done: dict[str, list[str]] = {}
        self.cannot: tuple[str, ...] = ()
        """How the names of the jobs end that fail."""
        self.unknown: tuple[str, ...] = ()
        """And of those that the agents' release does not have: dropped unanswered."""
        self.savers = Savers(KEYS[0])
        self.frozen = Frozen(world.cloud.world, self.savers)

    def __call__(self, instance: str, context: Context) -> "Caller":
        return Caller(self._world, self, instance)

    def speak(self) -> None:
        """Every guest whose server is ACTIVE enrols, beats, and repeats its results."""
        world = self._world
        world.cloud.world.pass_time()  # a reboot ends whether anybody looks or not
        self.frozen.passes(world.moment)
        for server in world.cloud.world.made.values():
            if server.kind != "server" or server.status not in UP or server.passing:
                continue
            instance = naming.owner(server.key)
            if instance not in world.users.there:
                continue
            context = Context(broker_user=naming.guest_user(instance))
            with contextlib.suppress(errors.Forbidden):
                done = self.done.get(life(server), [])
                renewed = any("/renew_certificate" in id for id in done)
                world.authority.serial = "2" if renewed else "1"
                world.conductor.enrol(context, Enrolment("hash", KEYS[1], "csr"))
                world.conductor.heartbeat(
                    context,
                    Report(
                        boot=server.boots,
                        seq=next(world.seq),
                        service=Service.HEALTHY if done else Service.NEW,
                        jobs=tuple(
                            JobReport(
                                id=id, state=self._end(id), result=self._result(id)
                            )
                            for id in done
                        ),
                    ),
                )
        world.reports.flush()

    def _result(self, job: str) -> dict[str, typing.Any] | None:
        """Of a module: its driver refuses contents that begin like this."""
        if job in self.savers.said:
            return self.savers.said[job]
        if "/change_tls" in job:
            return {"mode": "mtls", "brought": True, "fingerprint": BROUGHT}
        if "/remove_module" in job:
            return {"applied": False, "message": "gone"}
        if "/apply_module" not in job:
            return None
        refused = job.endswith(REFUSED[:8])
        return {"applied": not refused, "message": "no" if refused else "yes"}

    def _end(self, job: str) -> JobState:
        if self.savers.goes_on(job) and not job.endswith(self.cannot or ("?",)):
            return JobState.RUNNING
        return JobState.FAILED if job.endswith(self.cannot) else JobState.DONE


class Caller:
    """The caller's end of one guest."""

    def __init__(self, world: "World", guests: Guests, instance: str) -> None:
        self._world, self._guests, self._instance = world, guests, instance

    def __getattr__(self, method: str) -> typing.Callable[..., None]:
        def cast(job: str, **arguments: typing.Any) -> None:
            self._world.before(f"guest.{method}")
            for server in self._world.cloud.world.made.values():
                if server.kind == "server" and (
                    naming.owner(server.key) == self._instance
                ):
                    jobs = self._guests.done.setdefault(life(server), [])
                    if self._guests.savers.hears(job, method, arguments):
                        continue
                    if job not in jobs and not job.endswith(self._guests.unknown):
                        jobs.append(job)
                        self._guests.frozen.hears(
                            *(job, method, self._instance),
                            arguments.get("seconds", 0),
                            self._world.moment,
                        )
            self._world.after(f"guest.{method}")

        return cast


class World:
    """All that outlives a taskmanager, and the taskmanagers one after another."""

    def __init__(
        self,
        fault: Fault | None = None,
        *bombs: int,
        visible_after: float = 0.0,
    ) -> None:
        self.seq = itertools.count(1)
        self.ids = itertools.count(1)
        self._forget(fault)
        self.database = shared(self)
        self.cloud = MemoryCloud(
            deployment=SETTINGS.deployment,
            clock=self.now,
            pace=Pace(boot=3, create=2, remove=1, resize=3, reboot=4, rebuild=4),
            images=[*memory.IMAGES, protocol.Image(NEW, "guest", ("trove", "new"))],
            visible_after=visible_after,
            before=lambda name, said: self.before(name),
            after=lambda name, said, answer: self.after(name),
        )
        self.flows = FLOWS
        self.instance = ""
        self.users = Users(self)
        self.guests = Guests(self)
        self.store = Store(self)
        self.backup = ""
        self.reports = Reports(self.database, lambda operation: None)
        self.authority = Authority()
        self.conductor = Conductor(
            self.database,
            self.users,
            self.authority,
            lambda operation: None,
            self.reports,
        )
        self.reaper = Reaper(self.database, self.cloud, self.users)
        self.armed = list(bombs)

    def _forget(self, fault: Fault | None) -> None:
        self.moment = 1_000_000.0
        self._born = itertools.count(1)
        self.fault, self.left = fault, fault.times if fault else 0
        self.bombs: list[int] = []
        self.access: dict[str, typing.Any] | None = None
        self.locality: str | None = None
        self.nic: dict[str, typing.Any] | None = None
        self.armed: list[int] = []
        """The ticks to die at, each counted from the death before."""
        self.ticks = 0
        self.calls: list[str] = []
        self.watch: typing.Callable[[], None] = lambda: None
        """Told of every tick."""
        self._counting = False
        self.planned: dict[str, typing.Callable[[], None]] = {}

    def reset(self, fault: Fault | None = None) -> None:
        """As it was at its birth, but for the numbers that only grow."""
        self._forget(fault)
        shared(self)
        self.cloud.world.made.clear()
        self.users.there.clear()
        self.guests.done.clear()
        self.guests.cannot = ()
        self.guests.unknown = ()
        self.guests.savers.said.clear()
        self.guests.savers.lies = ""
        self.store.put_back({})
        vars(self.cloud.world).update(TRAITS)
        self.reports._service.clear()

    def takes_over(self, fault: Fault | None = None) -> None:
        """The same, for somebody who puts rows and things there at once."""
        self._forget(fault)
        lent(self)

    def traits(self) -> dict[str, bool]:
        """What its cloud does otherwise than most."""
        return {name: getattr(self.cloud.world, name) for name in TRAITS}

    # -- time, crashes, faults -----------------------------------------------------

    def now(self) -> float:
        return self.moment

    def pass_time(self, seconds: float) -> None:
        self.moment += seconds

    def tick(self, label: str) -> None:
        """One point at which a process can die."""
        if not self._counting:
            return
        self.ticks += 1
        self.watch()
        if self.bombs and self.ticks == self.bombs[0]:
            self.bombs.pop(0)
            self.ticks = 0
            raise Crash(label)

    def before(self, name: str) -> None:
        self.tick(f"before {name}")
        if self._counting:
            self.calls.append(name)
            self._maybe(name, after=False)

    def when(self, name: str, deed: typing.Callable[[], None]) -> None:
        """Once, right after a call of that name: somebody else does something."""
        self.planned[name] = deed

    def servers_are(self, status: str) -> None:
        """The cloud shows them so, whatever it was doing with them."""
        for made in self.cloud.world.made.values():
            if made.kind == "server":
                made.status, made.passing = status, ""

    def after(self, name: str) -> None:
        deed = self.planned.pop(name, None) if self._counting else None
        if deed is not None:
            self._counting = False
            deed()
            self._counting = True
        if self._counting:
            self._maybe(name, after=True)
        self.tick(f"after {name}")

    def _maybe(self, name: str, after: bool) -> None:
        fault = self.fault
        if fault is None or (fault.call, fault.after) != (name, after):
            return
        if self.left is None:
            raise fault.make()
        if self.left > 0:
            self.left -= 1
            raise fault.make()

    def spent(self) -> bool:
        """Whether there was a fault, and it will not happen again."""
        return self.fault is not None and self.left == 0

    # -- taskmanagers --------------------------------------------------------------

    def run(self, limit: int = 400) -> None:
        """Taskmanagers, one dying after another, until nothing is live."""
        self.bombs = list(self.armed)
        self.hire()
        for _ in range(limit):
            if self.turn():
                return
        raise AssertionError(f"nothing ends: {self.live()}, calls {self.calls[-9:]}")

    def hire(self) -> None:
        """A new taskmanager, that knows nothing but the rows."""
        self._manager = self._taskmanager()

    def turn(self) -> bool:
        """What is due is carried, then the guests speak; True: nothing is live."""
        for operation in self._manager[0].due():
            try:
                self._counting = True
                self._manager[1].run(operation)
            except Crash:
                self.moment += RECOVERY
                self.hire()
                break  # what else was due, this one alone knew
            finally:
                self._counting = False
        return self.rest()

    def rest(self) -> bool:
        """The guests speak, and two seconds pass; True: nothing is live."""
        self.guests.speak()
        if not self.live():
            return True
        self.moment += 2.0
        return False

    def _taskmanager(self) -> tuple[Claims, Engine]:
        claims = Claims(
            self.database, f"tm-{next(self.ids)}", lease=LEASE, clock=self.now
        )
        around = Surroundings(
            *(self.database, self.cloud, self.users, self.guests, SETTINGS),
            self.store,
            lambda place, before: exported.Borrowed(self, place, before),
        )
        engine = Engine(
            claims,
            self.flows,
            lambda claim: StepContext(claim, around),
            passing,
            jitter=lambda: 0.5,
        )
        return claims, engine

    def live(self) -> list[tuple[str, str, str | None]]:
        raw = self.database.engine.raw_connection()  # without the ORM: asked each turn
        cursor = raw.cursor()
        states = ", ".join(f"'{state.value}'" for state in LIVE)
        cursor.execute(
            f"SELECT kind, state, fault FROM operations WHERE state IN ({states})"
        )
        found: list[tuple[str, str, str | None]] = cursor.fetchall()
        raw.close()
        return found

    # -- what the API does ---------------------------------------------------------

    def create(
        self,
        *asked: str,
        restore: str | None = None,
        replay: operations.Replay | None = None,
    ) -> str:
        """An accepted POST /instances, with these modules, or of that backup, and what
        is replayed after it."""
        id = str(uuid.UUID(int=next(self._born)))
        cost = cost_of_instance(1024, 2)
        order = CreateInstance(
            image="image-1",
            datastore="mariadb",
            version="10.11",
            vcpus=1,
            cost=cost,
            users=(NewUser("u", "p"),),
            modules=asked,
            restore=restore,
            replay=replay,
        )

        def work(tx: orm.Session) -> None:
            quotas.reserve(tx, PROJECT, cost, DEFAULTS)
            tx.add(self._row(id))
            tx.flush()
            instances.changes(tx, id, restored_from=restore)
            modules.ask(tx, id, asked)
            journal.open(
                tx,
                kind=operations.CREATE,
                project=PROJECT,
                object_type=operations.INSTANCE,
                object_id=id,
                input=order.to_dict(),
                deadline=FLOWS[operations.CREATE].deadline,
                request_id="req-1",
            )

        self.database.run(work)
        self.instance = id
        return id

    def lend(self) -> None:
        """The next create is with a port of the user's."""
        place = {"network": "net-1", "subnet": "subnet-of-net-1"}
        self.nic = {"port": LENT, **place, "virtual": [LENT_ADDRESS]}
        self.cloud.lend(PROJECT, "net-1", LENT_ADDRESS, id=LENT)

    def bind(self) -> None:
        """The user gives it to a server of his own."""
        self.cloud.world.made[LENT].server = "theirs"

    def _row(self, id: str) -> Instance:
        return Instance(
            id=id,
            project=PROJECT,
            name="db",
            task=Task.BUILDING,
            version_id="v",
            flavor_id="2",
            volume_size=2,
            ram=1024,
            server_number=7,
            restart_required=False,
            was_active=False,
            access=self.access,
            locality=self.locality,
            nic=self.nic,
            port_id=(self.nic or {}).get("port"),
            created=self.moment,
            updated=self.moment,
        )

    def delete(self, keep: float = 0.0) -> None:
        """An accepted DELETE, in whatever state; its volume is kept for so long."""
        input = DeleteInstance(keep=keep).to_dict()
        self._ask(operations.DELETE, Task.DELETING, input)

    def undelete(self) -> None:
        """An accepted undelete of one in the recycle bin."""
        order = CreateInstance("image-1", "mariadb", "10.11", 1, {}, kept=True)

        def work(tx: orm.Session) -> None:
            entry = recycled.get(tx, self.instance)
            assert entry is not None
            row = tx.get_one(Instance, self.instance)
            cost = cost_of_instance(row.ram, row.volume_size)
            quotas.reserve(tx, PROJECT, cost, DEFAULTS)
            quotas.settle(tx, PROJECT, cost)
            columns = {"volume_target": None, "ram_target": None}
            columns["port_id"] = (self.nic or {}).get("port")
            recycled.revive(tx, self.instance, **columns)
            modules.ask(tx, self.instance, entry.modules)

        self.database.run(work)
        self._ask(operations.UNDELETE, Task.BUILDING, order.to_dict())

    def reclaim(self) -> None:
        """The time of one in the recycle bin is over."""

        def work(tx: orm.Session) -> None:
            self._open(tx, operations.RECLAIM, {}, None)

        self.database.run(work)

    def restart(self) -> None:
        """An accepted restart."""
        self._ask(operations.RESTART, Task.REBOOTING)

    def configure(self) -> None:
        """An accepted change of what the database is configured with."""
        self._ask(operations.CONFIGURE, Task.UPDATING, {"before": None})

    def change_access(self) -> None:
        """An accepted change of who reaches the port."""
        self.access = {"is_public": False, "allowed_cidrs": [NEAR]}
        self._ask(operations.ACCESS, Task.UPDATING, {"before": None})

    def change_ssl(self) -> None:
        """An accepted certificate of a user's."""
        input = operations.ChangeSsl("mtls", "pair", "ca").to_dict()
        self._ask(operations.SSL, Task.UPDATING, input)

    def show_to_all(self, public: bool) -> None:
        """An accepted change that it has a public address, or has none."""
        before = {"is_public": not public, "allowed_cidrs": []}
        self.access = {"is_public": public, "allowed_cidrs": []}
        self._ask(operations.ACCESS, Task.UPDATING, {"before": before})

    def resize_volume(self) -> None:
        """An accepted resize, from 2 GiB to 3."""
        self._ask(operations.RESIZE_VOLUME, Task.RESIZING)

    def resize_offline(self) -> None:
        """The same where a volume that a server has cannot grow."""
        self.cloud.world.grow_in_use = False
        self._ask(operations.RESIZE_OFFLINE, Task.RESIZING)

    def reboot(self) -> None:
        """An accepted reboot of the server."""
        self._ask(operations.REBOOT, Task.REBOOTING)

    def stop(self) -> None:
        """An accepted stop of the database."""
        self._ask(operations.STOP, Task.UPDATING)

    def discard(self) -> None:
        """An accepted end of a copy of the data."""
        self._ask(operations.DISCARD, Task.UPDATING, {"copy": "old-failed"})

    def export(self) -> None:
        """An accepted export of two databases."""
        place = dataclasses.asdict(exported.PLACE)
        names = exported.NAMES
        input = Export(names.name, names.databases, place).to_dict()
        self._ask(operations.EXPORT, Task.BACKING_UP, input)

    def load_dump(self) -> None:
        """An accepted import."""
        place = dataclasses.asdict(exported.PLACE)
        name, data = exported.LOADED, exported.LOADED_DATA
        self.store.put_back(self.store.taken() | {exported.FOLDER + name: data})
        input = Import(name, len(data), "shop", place).to_dict()
        self._ask(operations.IMPORT, Task.UPDATING, input)

    def back_up(
        self,
        parent: str | None = None,
        delete: DeleteInstance | None = None,
        driver: str | None = None,
        scheduled: bool = False,
        rows: bool = False,
    ) -> str:
        """An accepted POST /backups; or a DELETE with a last backup before; or what a
        policy makes."""
        id = str(uuid.UUID(int=next(self._born) + 2**32))

        def work(tx: orm.Session) -> None:
            quotas.reserve(tx, PROJECT, {BACKUPS: 1}, DEFAULTS)
            quotas.settle(tx, PROJECT, {BACKUPS: 1})
            tx.add(
                Backup(
                    id=id,
                    project=PROJECT,
                    name="nightly",
                    instance_id=self.instance,
                    parent_id=parent,
                    scheduled=scheduled,
                    version_id="v",
                    state=BackupState.NEW,
                    driver=driver or self.store.driver,
                    container="c" if driver is None else "",
                    created=self.moment,
                    updated=self.moment,
                )
            )

        self.database.run(work)
        self.backup = id
        input = operations.BackUp(id, delete, rows).to_dict()
        self._ask(operations.BACK_UP, Task.BACKING_UP, input)
        return id

    def verify(self, backup: str) -> str:
        """A backup that waited has its place."""
        id = str(uuid.UUID(int=next(self._born)))
        cost = cost_of_instance(1024, 2)
        order = CreateInstance(
            image="image-1",
            datastore="mariadb",
            version="10.11",
            vcpus=1,
            cost=cost,
            restore=backup,
        )

        def work(tx: orm.Session) -> None:
            quotas.reserve(tx, OWNER, cost, {"instances": 1})
            tx.add(self._row(id))
            tx.flush()
            instances.changes(tx, id, project=OWNER, restored_from=backup)
            verifications.running(tx, backup)
            journal.open(
                tx,
                kind=operations.VERIFY,
                project=OWNER,
                object_type=operations.INSTANCE,
                object_id=id,
                input=order.to_dict(),
                deadline=FLOWS[operations.VERIFY].deadline,
                request_id="req-5",
            )

        self.database.run(work)
        self.instance = id

    def archived(self) -> str:
        """The log of the instance: four segments of it, of two parts each."""
        id = str(uuid.UUID(int=next(self._born) + 2**33))
        wrapped = self.store.keys.wrap(PROJECT, b"a" * 32)
        said = {"driver": self.store.driver, "container": "c", "key": wrapped.key}
        said |= {"ring": wrapped.ring, "version_id": "v", "created": self.moment}
        names, place = Names(PROJECT, id), self.store.path

        def work(tx: orm.Session) -> None:
            row = Archive(id=id, project=PROJECT, state="CLOSED", **said)
            row.instance_id, row.updated = self.instance, self.moment
            row.segments, row.part, row.first, row.last = 4, 12, 5, 8
            row.began, row.latest = 999_000.0, 1_000_300.0
            tx.add(row)
            for number, (part, parts) in enumerate(SEGMENTS):
                listed = manifest.list_of([manifest.Part.of(data) for data in parts])
                about = {"part": part, "count": len(parts), "parts": listed}
                about |= {"first": 5 + number, "last": 5 + number}
                since, until = 999_000.0 + 400 * number, 999_400.0 + 400 * number
                about |= {"since": since, "until": until}
                tx.add(ArchiveSegment(archive_id=id, number=number, **about))

        self.database.run(work)
        for part, parts in SEGMENTS:
            for number, data in enumerate(parts, part):
                file = place / names.of(1, number)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        self.store.opened()
        return id

    def delete_backup(self, *ids: str) -> None:
        """An accepted DELETE of a backup and what stands on it."""

        def work(tx: orm.Session) -> None:
            for id in ids:
                backups.changes(tx, id, state=BackupState.DELETING)
            journal.open(
                tx,
                kind=operations.DELETE_BACKUP,
                project=PROJECT,
                object_type=operations.BACKUP,
                object_id=ids[-1],
                input=operations.DeleteBackup(ids).to_dict(),
                deadline=FLOWS[operations.DELETE_BACKUP].deadline,
                request_id="req-4",
            )

        self.database.run(work)

    def resize_flavor(self) -> None:
        """An accepted change of the flavor, from 1 GiB of memory to 2."""
        before, after = operations.Size("2", 1024, 1), operations.Size("3", 2048, 2)
        input = operations.ResizeFlavor(before, after).to_dict()
        self._ask(operations.RESIZE_FLAVOR, Task.RESIZING, input)

    def module(self, md5: str) -> str:
        """A module that everybody has; its id."""

        def work(tx: orm.Session) -> None:
            tx.merge(
                Module(
                    id=MODULE,
                    name="hello",
                    type="ping",
                    contents="eA==",
                    md5=md5,
                    auto_apply=False,
                    visible=True,
                    live_update=True,
                    priority_apply=False,
                    apply_order=5,
                    is_admin=True,
                    created=self.moment,
                    updated=self.moment,
                )
            )

        self.database.run(work)
        return MODULE

    def apply_module(self) -> None:
        """An accepted POST of a module."""
        input = operations.ChangeModules(apply=(MODULE,)).to_dict()
        self._ask(operations.MODULES, Task.UPDATING, input)

    def remove_module(self) -> None:
        """An accepted DELETE of a module."""
        input = operations.ChangeModules(remove=(MODULE,)).to_dict()
        self._ask(operations.MODULES, Task.UPDATING, input)

    def reapply_module(self) -> None:
        """An accepted PUT of a module, on all that have it."""

        def work(tx: orm.Session) -> None:
            operation = journal.open(
                tx,
                kind=operations.REAPPLY,
                project=PROJECT,
                object_type=operations.MODULE,
                object_id=MODULE,
                input=operations.ReapplyModule(1, PAUSE).to_dict(),
                deadline=FLOWS[operations.REAPPLY].deadline,
                request_id="req-3",
            )
            modules.mark(tx, MODULE, operation, None, md5=None, but=None)

        self.database.run(work)

    def upgrade(self, carries: bool = False) -> None:
        """An accepted change of the version."""
        input = operations.RebuildInstance(NEW, "11.8", "w", carries=carries).to_dict()
        self._ask(operations.UPGRADE, Task.UPGRADING, input)

    def migrate(self) -> None:
        """An accepted migration."""
        input = operations.MigrateInstance(None).to_dict()
        self._ask(operations.MIGRATE, Task.MIGRATING, input)

    def rebuild(self) -> None:
        """An accepted rebuild."""
        input = operations.RebuildInstance(NEW, "10.11", "v").to_dict()
        self._ask(operations.REBUILD, Task.REBUILDING, input)

    def _ask(
        self, kind: str, task: Task, input: dict[str, typing.Any] | None = None
    ) -> None:
        def work(tx: orm.Session) -> None:
            row = tx.get_one(Instance, self.instance)
            row.task = task
            if kind == operations.CONFIGURE:
                row.configuration_id = "group"
            if kind == operations.SSL:
                certificates.brought(tx, row.id, BROUGHT, 9e9)
            if kind == operations.MODULES:
                modules.ask(tx, row.id, [MODULE])
            if kind == operations.ACCESS:
                row.access = self.access
            if kind in (operations.RESIZE_VOLUME, operations.RESIZE_OFFLINE):
                row.volume_target = 3
                quotas.reserve(tx, PROJECT, {"volumes": 1}, DEFAULTS)
            if kind == operations.RESIZE_FLAVOR:
                row.ram_target = 2048
                quotas.reserve(tx, PROJECT, {"ram": 1024}, DEFAULTS)
            tx.flush()
            holder = journal.live(tx, operations.INSTANCE, row.id)
            after = holder.id if holder and journal.cancel(tx, holder.id) else None
            self._open(tx, kind, input or {}, after)

        self.database.run(work)

    def _open(
        self,
        tx: orm.Session,
        kind: str,
        input: dict[str, typing.Any],
        after: str | None,
    ) -> None:
        journal.open(
            tx,
            kind=kind,
            project=PROJECT,
            object_type=operations.INSTANCE,
            object_id=self.instance,
            input=input,
            deadline=FLOWS[kind].deadline,
            request_id="req-2",
            after=after,
        )

    # -- what must hold ------------------------------------------------------------

    def check(self) -> None:
        """INV-1 to 5, 7, 19, from the rows and the cloud."""
        for _ in range(3):
            self.reaper.reap()
            self.moment += 5
        with self.database.reading() as tx:
            assert not list(
                tx.scalars(sa.select(Operation.id).where(Operation.state.in_(LIVE)))
            ), "INV-1: something is live"
            assert not list(
                tx.scalars(
                    sa.select(Operation.lock_key).where(Operation.lock_key.is_not(None))
                )
            ), "INV-7: a lock is held by nobody"
            for operation in tx.scalars(sa.select(Operation)):
                assert operation.input is None, "a sealed input outlived its operation"
                assert operation.state == "done" or operation.fault, "INV-3: no reason"
            row = tx.get_one(Instance, self.instance)
            for operation in tx.scalars(sa.select(Operation)):
                if operation.kind == operations.CONFIGURE:
                    has = "group" if operation.state == "done" else None
                    assert row.configuration_id == has, "a group that was not taken"
                if operation.kind in (operations.UPGRADE, operations.REBUILD):
                    done = operation.state == "done"
                    other = done and operation.kind == operations.UPGRADE
                    assert row.version_id == ("w" if other else "v"), "another version"
                    for made in self.cloud.world.made.values():
                        if made.kind == "server" and made.order:
                            image = NEW if done else "image-1"
                            assert made.order.image == image, "another image"
                    if done:
                        self._check_copy(operation.id)
                if operation.kind == operations.SSL:
                    self._check_brought(tx, row, operation.state == "done")
                if operation.kind == operations.RESIZE_OFFLINE:
                    self._check_whole()
                if operation.kind == operations.MIGRATE:
                    where = "host-2" if operation.state == "done" else "host-1"
                    for made in self.cloud.world.made.values():
                        if made.kind == "server":
                            assert (made.host, made.left) == (where, ""), "elsewhere"
            alive = row.deleted_at is None and row.was_active
            kept = self._check_bin(tx, row)
            floating = {
                address
                for made in self.cloud.world.made.values()
                if made.kind == "floating_ip"
                for address in made.addresses
            }
            entries = row.addresses or []
            told = {each["address"] for each in entries if each["type"] == "public"}
            assert told == floating, "a public address that is another's"
            want = {(k, row.id) for k in ("server", "volume", "port", "group")}
            if row.locality:
                want.add(("server_group", row.id))
            if (row.access or {}).get("is_public"):
                want.add(("floating_ip", row.id))
            ours = [t for t in self.cloud.things() if t.deployment]
            want |= self._check_snapshots(tx)
            have = [(t.kind, naming.owner(t.key)) for t in ours]
            if not alive:
                want = {("volume", row.id)} if kept else set()
                want |= self._check_snapshots(tx)
            assert sorted(have) == sorted(want), "INV-2, INV-16"
            assert self.users.there == ({row.id} if alive else set()), "INV-16: a user"
            self._check_lent(row, alive)
            given_up = set(
                tx.scalars(sa.select(Backup.id).where(Backup.state == "DELETE_FAILED"))
            )
            for thing in tx.scalars(
                sa.select(CloudThing).where(
                    CloudThing.state == "created", CloudThing.owner.not_in(given_up)
                )
            ):
                there = {t.id for t in self.cloud.things()} | self.users.there
                assert thing.external_id in there, "INV-4: owned, but not there"
            assert row.volume_target is None or not alive, "INV-5: a wish outlived it"
            assert row.ram_target is None or not alive, "INV-5: a wish outlived it"
            servers = {
                (
                    made.status != "VERIFY_RESIZE",
                    made.order.flavor if made.order else "",
                )
                for made in self.cloud.world.made.values()
                if made.kind == "server"
            }
            want_servers = {(True, row.flavor_id)} if alive else set()
            assert servers == want_servers, "a server of another flavor"
            assert row.ram == {"2": 1024, "3": 2048}[row.flavor_id]
            cidrs = {
                rule.cidr
                for made in self.cloud.world.made.values()
                for rule in made.rules
                if rule.direction == "ingress"
            }
            reached = (row.access or {}).get("allowed_cidrs") or ["0.0.0.0/0"]
            assert cidrs == (set(reached) if alive else set()), "S18: another access"
            volumes = {
                made.size
                for made in self.cloud.world.made.values()
                if made.kind == "volume"
            }
            stays = alive or kept or self._standing(tx)
            there = {row.volume_size} if stays else set()
            assert volumes == there, "another size"
            cost = cost_of_instance(row.ram, row.volume_size) if alive else {}
            cost[BACKUPS] = self._check_backups(tx)
            for usage in tx.scalars(sa.select(Usage)):
                assert usage.reserved == 0, "INV-5: reserved by nobody"
                assert usage.used == cost.get(usage.resource, 0), "INV-5"
            for had in tx.scalars(sa.select(InstanceModule)):
                assert row.deleted_at is None, "a module of an instance that is gone"
                assert had.status != Modular.WAITING, "INV-3: a module that waits"
                assert had.reapply is None, "INV-1: a module that is due"
            seqs = list(
                tx.scalars(
                    sa.select(Event.seq)
                    .where(Event.object_id == row.id)
                    .order_by(Event.seq)
                )
            )
            assert seqs == list(range(1, len(seqs) + 1)), "INV-19: a gap"
        for server, jobs in self.guests.done.items():
            assert len(jobs) == len(set(jobs)), f"INV-11: twice on {server}"

    def _check_snapshots(self, tx: orm.Session) -> set[tuple[str, str]]:
        """What is in the cloud because of backups that are snapshots."""
        statement = sa.select(Backup).where(
            Backup.driver == SNAPSHOT, Backup.deleted_at.is_(None)
        )
        rows = tx.scalars(statement).all()
        frozen.check(self.cloud.world, rows)
        made = [thing for thing in self.cloud.things() if thing.kind == "snapshot"]
        there = {("snapshot", naming.owner(thing.key)) for thing in made}
        return there | {("volume", id) for id in self._standing(tx)}

    def _standing(self, tx: orm.Session) -> dict[str, str]:
        """The deleted instances whose volumes stay for snapshots, and the volumes."""
        gone = tx.scalars(sa.select(Instance).where(Instance.deleted_at.is_not(None)))
        return {r.id: str(r.volume_id) for r in gone if snapshots.stands(tx, r.id)}

    def _check_bin(self, tx: orm.Session, row: Instance) -> bool:
        """Whether it is in the recycle bin: marked there, and the one that it had."""
        entry = recycled.get(tx, row.id)
        assert entry is None or row.deleted_at is not None, "in the bin, and there"
        made = [t for t in self.cloud.world.made.values() if t.kind == "volume"]
        marked = [each.id for each in made if each.retained]
        stands = self._standing(tx)
        ours = list(stands.values())
        if entry is not None and row.id not in stands:
            ours.append(str(row.volume_id))
        assert marked == ours, "INV-16: kept, and in no bin"
        kept = sa.select(CloudThing.external_id).where(CloudThing.state == "retained")
        assert list(tx.scalars(kept)) == ours, "INV-4: another is kept"
        ends = sa.select(Operation.kind, Operation.state).order_by(Operation.created)
        last = tx.execute(ends).all()[-1]
        if entry is not None and tuple(last) == (operations.UNDELETE, "failed"):
            assert entry.fault, "INV-3: no reason"
        return entry is not None or row.id in stands

    def _check_backups(self, tx: orm.Session) -> int:
        """How many there are: of each that is COMPLETED all is in the store (INV-10),
        and of no other anything."""
        kind = sa.select(Operation.state).where(Operation.kind == operations.EXPORT)
        done = "done" in list(tx.scalars(kind))
        taken = exported.check(self.store.taken(), done)
        there = {
            name: data for name, data in taken.items() if not name.startswith(SECRETS)
        }
        known = set(tx.scalars(sa.select(BackupKey.id)))
        assert self.store.secrets() == known, "INV-2: a key that is nobody's"
        found = list(tx.scalars(sa.select(Backup).where(Backup.deleted_at.is_(None))))
        for row in found:
            assert row.state in ("COMPLETED", "FAILED", "DELETE_FAILED"), row.state
            assert row.state == "COMPLETED" or row.fault, "INV-3: no reason"
            if row.driver == SNAPSHOT:
                self._check_verified(tx, row)
                continue
            names = Names(row.project, row.id)
            mine = {name for name in there if name.startswith(names.prefix)}
            self._check_verified(tx, row)
            if row.state == "COMPLETED" and self._spoilt(row, there):
                assert mine, "INV-16: what is sick is its user's to delete"
            elif row.state == "COMPLETED":
                data = there[names.manifest]
                said = manifest.read(
                    data, str(row.manifest), functools.partial(self._signing, row)
                )
                for number, part in enumerate(said.parts):
                    data = there[names.of(1, number)]
                    assert manifest.Part.of(data) == part, "INV-10: another part"
                hashed = names.of(1, ROWS) in mine
                assert len(mine) == len(said.parts) + 2 + hashed, (
                    "INV-16: more than its parts"
                )
            else:
                assert row.state == "DELETE_FAILED" or not mine, "INV-16: left there"
            there = {name: data for name, data in there.items() if name not in mine}
        there = self._check_archives(tx, there)
        assert not there, "INV-16: of a backup that is gone"
        return len(found)

    def _spoilt(self, row: Backup, there: dict[str, bytes]) -> bool:
        """Whether a story has changed its manifest: it is never verified then."""
        data = there[Names(row.project, row.id).manifest]
        spoilt = manifest.digest(data) != row.manifest
        tried = row.verification is not None
        assert not spoilt or (tried and row.verified_at is None), "INV-10: a lie"
        return spoilt

    def _check_verified(self, tx: orm.Session, row: Backup) -> None:
        """What is said of it is the operation's end, and of its instance nothing is
        left but that (INV-3, INV-10)."""
        tried = tx.scalar(
            sa.select(Operation).where(Operation.kind == operations.VERIFY)
        )
        if tried is None or row.verification is None:
            assert row.verification is None and not row.unsound
            return
        scratch = tx.get_one(Instance, tried.object_id)
        assert scratch.deleted_at is not None, "INV-16: a server that is kept"
        assert tx.scalar(sa.select(sa.func.count(Guest.instance_id))) == 0
        told = {row.verify_fault is None, row.verified_at is not None}
        assert told == {row.verification == Verification.VERIFIED}, "half of a result"
        assert row.verification not in UNDER_WAY, "INV-1: one that goes on for ever"
        assert row.unsound == (row.verification == Verification.FAILED)
        assert (tried.state == "done") <= (row.verified_at is not None)
        kinds = list(
            tx.scalars(sa.select(Event.kind).where(Event.object_id == row.instance_id))
        )
        ends = {"instance.backup_verified", "instance.backup_not_verified"}
        assert len([kind for kind in kinds if kind in ends]) == 1, "INV-19: told twice"

    def _signing(self, row: Backup, ring: str) -> bytes:
        assert ring == row.ring, "another key than the one that its row names"
        return self.store.keys.signing(PROJECT, ring)[1]

    def _check_archives(
        self, tx: orm.Session, there: dict[str, bytes]
    ) -> dict[str, bytes]:
        """What is nobody's: of an archive all is there, and no list of a restore's but
        one that ended well, and that the store did not let go of."""
        done = {row.id for row in tx.scalars(sa.select(Operation)) if not row.fault}
        for row in tx.scalars(sa.select(Archive)):
            names = Names(row.project, row.id)
            for part, parts in SEGMENTS:
                for number, data in enumerate(parts, part):
                    assert there.pop(names.of(1, number)) == data, "a part of a log"
            for id in done:
                there.pop(f"{names.prefix}restore-{id}", None)
        return there

    def _check_whole(self) -> None:
        """A server that is on, and has its volume."""
        made = self.cloud.world.made.values()
        servers = [one for one in made if one.kind == "server"]
        assert all(one.status == "ACTIVE" for one in servers), "a server that is off"
        held = [one.server for one in made if one.kind == "volume"]
        assert held == [one.id for one in servers], "a volume that nobody has"

    def _check_copy(self, operation: str) -> None:
        """It is forgotten, unless the data of now were made of what it says."""
        did = {job for jobs in self.guests.done.values() for job in jobs}
        loaded, forgot = (f"{operation}/{deed}_data" for deed in ("load", "forget"))
        assert (forgot in did) != (loaded in did), "a copy of the data"

    def _check_brought(self, tx: orm.Session, row: Instance, done: bool) -> None:
        """Its owner is told of the end of what serves, and of nothing that is gone."""
        found = list(tx.scalars(sa.select(BroughtCertificate.in_force)))
        assert found == ([done] if row.deleted_at is None else []), "another serves"

    def _check_lent(self, row: Instance, alive: bool) -> None:
        """A user's port is the user's, and one that owns nothing has none."""
        lent, made = row.nic is not None, self.cloud.world.made
        assert [t.id for t in made.values() if not t.deployment] == [LENT] * lent
        assert not lent or made[LENT].server in (None, "theirs"), "bound by us"
        assert not alive or not lent or made[LENT].server is None, "one that is bound"
        assert row.port_id == (LENT if lent and alive else None), "INV-16: a port"
        spoken = {pair for t in made.values() for pair in t.pairs}
        assert spoken == ({LENT_ADDRESS} if lent and alive else set())
        if lent and alive:
            shown = [each["address"] for each in row.addresses or []]
            assert shown[0] == LENT_ADDRESS and len(shown) == 2, shown
            orders = [t.order for t in made.values() if t.kind == "server"]
            assert all(LENT_ADDRESS in o.user_data for o in orders if o), "not told"


class Clock:
    """The clock of whichever world is played now."""

    world: "Played"

    def __call__(self) -> float:
        return self.world.moment

    def sleep(self, seconds: float) -> None:
        self.world.moment += seconds


_clock = Clock()
_one: list[Ticking] = []


class Played(typing.Protocol):
    """Whatever has a time, and is told of writes."""

    moment: float

    def tick(self, label: str) -> None: ...


def shared(world: Played) -> Ticking:
    """One database for all worlds, emptied: its compiled statements are kept."""
    database = lent(world)
    raw = database.engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    for table in reversed(Record.metadata.sorted_tables):
        cursor.execute(f"DELETE FROM {table.name}")
    cursor.execute("COMMIT")
    raw.close()
    kept.forget()
    accept_datastore(database, world.moment)
    return database


def lent(world: Played) -> Ticking:
    """The database is that world's, with whatever the one before left in it."""
    if not _one:
        _one.append(Ticking("sqlite://", clock=_clock, sleep=_clock.sleep))
        kept.watch(_one[0].engine)
        _clock.world = world
        Record.metadata.create_all(_one[0].engine)
    _clock.world = _one[0].world = world
    return _one[0]


def accept_datastore(database: Ticking, moment: float) -> None:
    """The one that every world has."""
    with database.transaction() as tx:
        tx.add(Datastore(id="d", name="mariadb", created=moment, updated=moment))
        for id, number, image in (("v", "10.11", "image-1"), ("w", "11.8", NEW)):
            tx.add(
                DatastoreVersion(
                    id=id,
                    datastore_id="d",
                    name=number,
                    number=number,
                    manager="mariadb",
                    image_id=image,
                    created=moment,
                    updated=moment,
                )
            )
