# SPDX-License-Identifier: Apache-2.0
"""A control plane in small on a real database, and faults at chosen statements.

The API's action, the flows, engine and journal are the product's; the cloud is the
memory cloud, and a guest is one call to the conductor. What takes time takes none: the
journal's moments are moved instead.
"""

import collections
import contextlib
import datetime
import itertools
import time
import typing

import psycopg
import pymysql
import sqlalchemy as sa

from trove import errors
from trove.actions import audit, deletion, instances, orders
from trove.actions.begin import Token
from trove.actions.services import Services
from trove.actions.services import Settings as ApiSettings
from trove.cloud.memory import MemoryCloud
from trove.conductor.manager import Manager as Conductor
from trove.conductor.reports import Reports
from trove.context import Context
from trove.db.queries import datastores
from trove.db.session import Database
from trove.db.tables import Instance, Operation
from trove.flows import FLOWS
from trove.flows.context import Settings, StepContext, Surroundings, passing
from trove.model import naming
from trove.model.states import LIVE, JobState, Service
from trove.rpc import passwords, sealing
from trove.rpc.messages import Enrolment, JobReport, Report
from trove.workflow.claims import Claims
from trove.workflow.engine import Engine

SETTINGS = Settings("faulty", "guests", (("10.9.0.1", 5671),), "/g", "ca", grace=0.0)
ORDER = orders.Order("db", "1", volume_size=1, datastore="mariadb")
KEYS = sealing.keypair()
HASH = passwords.hash_password("a password of its own")

T = typing.TypeVar("T")

FAULTS: dict[str, dict[str, typing.Callable[[], Exception]]] = {
    "mysql": {
        "1213": lambda: pymysql.err.OperationalError(1213, "Deadlock found"),
        "1205": lambda: pymysql.err.OperationalError(1205, "Lock wait timeout"),
        "gone": lambda: pymysql.err.OperationalError(2013, "Lost connection"),
    },
    "postgresql": {
        "40001": lambda: psycopg.errors.SerializationFailure("could not serialize"),
        "40P01": lambda: psycopg.errors.DeadlockDetected("deadlock detected"),
        "gone": lambda: psycopg.errors.AdminShutdown("terminating connection"),
    },
}


class Chosen:
    """The fault of one statement, or of one COMMIT: by its number, once."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._kind = self._engine.dialect.name
        self.statements, self.commits = 0, 0
        self._at: tuple[int, str] | None = None
        self._lost: int | None = None
        self._deed: tuple[int, typing.Callable[[], None]] | None = None
        sa.event.listen(self._engine, "do_execute", self._executed)
        sa.event.listen(self._engine, "do_execute_no_params", self._executed)
        self._commit = self._engine.dialect.do_commit
        self._engine.dialect.do_commit = self._committed  # type: ignore[method-assign]

    def statement(self, number: int, fault: str) -> None:
        """That statement is refused, with all of its transaction."""
        self._at = (number, fault)

    def reply(self, number: int) -> None:
        """That COMMIT is done, and nobody is told."""
        self._lost = number

    def before(self, number: int, deed: typing.Callable[[], None]) -> None:
        """Something happens right before that statement."""
        self._deed = (number, deed)

    def _executed(self, *_: object) -> None:
        self.statements += 1
        if self._deed is not None and self._deed[0] == self.statements:
            self._deed[1]()
        if self._at is not None and self._at[0] == self.statements:
            raise FAULTS[self._kind][self._at[1]]()

    def _committed(self, connection: typing.Any) -> None:
        self._commit(connection)
        self.commits += 1
        if self._lost == self.commits:
            connection.driver_connection.close()
            if self._kind == "mysql":
                raise pymysql.err.OperationalError(2013, "Lost connection")
            raise psycopg.OperationalError("server closed the connection")

    def close(self) -> None:
        self._engine.dialect.do_commit = self._commit  # type: ignore[method-assign]
        for name in ("do_execute", "do_execute_no_params"):
            sa.event.remove(self._engine, name, self._executed)


def patiently(ask: typing.Callable[[], T], within: float = 30.0) -> T:
    """Asks again until it is answered, as a client does that is told 503."""
    end = time.monotonic() + within
    while True:
        try:
            return ask()
        except errors.Unavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


class Users:
    """The broker's users, in a set."""

    def __init__(self) -> None:
        self.there: set[str] = set()

    def add_guest(self, instance: str, password: str) -> None:
        self.there.add(instance)

    def remove_guest(self, instance: str) -> None:
        self.there.discard(instance)

    def guests(self) -> list[str]:
        return sorted(self.there)

    def set_hash(self, instance: str, password_hash: str) -> None:
        """Nobody connects here."""


class Issuer:
    """Issues what nobody looks at."""

    ca_pem = "ca"

    def issue_for_guest(self, *_: object) -> tuple[str, str, datetime.datetime]:
        return "certificate", "1", datetime.datetime(2036, 1, 1, tzinfo=datetime.UTC)


class Small:
    """All of it."""

    def __init__(self, database: Database, plain: Database) -> None:
        self.database = database
        self._plain = plain
        """The same, without faults: for whoever looks on."""
        self.cloud = MemoryCloud(deployment="faulty", after=self._after)
        self.users = Users()
        self.made: collections.Counter[str] = collections.Counter()
        self.done: dict[str, list[str]] = {}
        self._seq = itertools.count(1)
        self.services = Services(
            database,
            self.cloud,
            lambda operation: None,
            ApiSettings(default_datastore="mariadb"),
        )
        self._conductor = Conductor(
            database,
            self.users,
            Issuer(),
            lambda operation: None,
            Reports(database, lambda operation: None),
        )
        with plain.transaction() as tx:
            datastores.register_version(
                tx, "mariadb", "10.11", "10.11", manager="mariadb",
                image_tags=["trove", "guest"], default=True, active=True,
            )  # fmt: skip

    # -- outside -------------------------------------------------------------------

    def _after(self, name: str, said: dict[str, typing.Any], answer: object) -> None:
        if name.rpartition(".")[2].startswith(("create", "boot")):
            self.made[f"{name} {said.get('key')}"] += 1

    def _speak(self) -> None:
        """Every guest says what it has to say, until it was heard."""
        for thing in self.cloud.things():
            instance = naming.owner(thing.key)
            if thing.kind != "server" or instance not in self.users.there:
                continue
            context = Context(broker_user=naming.guest_user(instance))
            with contextlib.suppress(errors.Unavailable):
                self._conductor.enrol(context, Enrolment(HASH, KEYS[1], "csr"))
                jobs = self.done.get(instance, [])
                report = Report(
                    boot=1,
                    seq=next(self._seq),
                    service=Service.HEALTHY if jobs else Service.NEW,
                    jobs=tuple(JobReport(id=id, state=JobState.DONE) for id in jobs),
                )
                self._conductor.heartbeat(context, report)

    def _guest(self, instance: str, context: Context) -> typing.Any:
        small = self

        class Caller:
            def __getattr__(self, method: str) -> typing.Callable[..., None]:
                def cast(job: str, **_: object) -> None:
                    jobs = small.done.setdefault(instance, [])
                    jobs += [] if job in jobs else [job]

                return cast

        return Caller()

    # -- inside --------------------------------------------------------------------

    def create(self) -> str:
        """A client that asks with one key until it is answered."""
        context, token = Context(project="p"), Token("key", {"name": "db"})

        def ask() -> str:
            seen = instances.create(self.services, context, "p", ORDER, token)
            return seen.instance.id

        return patiently(ask)

    def delete(self, id: str) -> None:
        """The same of a delete: what is gone was deleted."""

        def ask() -> None:
            with contextlib.suppress(errors.InstanceNotFound):
                deletion.delete(
                    self.services, Context(project="p"), id, "p", deletion.NOW
                )

        patiently(ask)

    def run(self) -> None:
        """Taskmanagers, until nothing is live; whoever fails is followed by another."""
        for number in range(200):
            claims = Claims(
                self.database, f"tm-{number}", lease=30, clock=time.monotonic
            )
            around = Surroundings(
                self.database, self.cloud, self.users, self._guest, SETTINGS
            )
            engine = Engine(
                claims,
                FLOWS,
                lambda claim, around=around: StepContext(claim, around),
                passing,
            )
            with contextlib.suppress(errors.Unavailable):
                for operation in patiently(claims.due):
                    # what the worker does with what the engine lets out
                    with contextlib.suppress(errors.Unavailable):
                        engine.run(operation)
            self._speak()
            if not patiently(self._pass_time):
                return
        raise AssertionError("nothing ends")

    def _pass_time(self) -> int:
        """Leases end and moments come; how many operations are live."""

        def work(tx: typing.Any) -> int:
            live = sa.update(Operation).where(Operation.state.in_(LIVE))
            return int(tx.execute(live.values(due=0, lease_until=None)).rowcount)

        return self._plain.run(work)

    def check(self, id: str, there: bool) -> None:
        """INV-1 to 8, and that nothing was made twice."""
        said = audit.audit(self._plain, self.cloud, self.users, sleep=lambda _: None)
        told = [str(violation) for violation in said]
        assert told == [], told
        with self._plain.reading() as tx:
            assert list(tx.scalars(sa.select(Instance.id))) == [id]
            kinds = list(tx.execute(sa.select(Operation.kind, Operation.state)))
        assert len(kinds) == len(set(kinds)), kinds
        assert all(state == "done" for _, state in kinds), kinds
        assert not [what for what, count in self.made.items() if count > 1]
        assert len(self.cloud.things()) == (4 if there else 0)
        jobs = self.done.get(id, [])
        assert len(jobs) == len(set(jobs)), "INV-11"
