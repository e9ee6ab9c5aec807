# SPDX-License-Identifier: Apache-2.0
"""What a step is handed: its operation, the rows, the cloud, the broker, the guests."""

import dataclasses
import typing

from sqlalchemy import orm

from trove import errors
from trove.cloud import protocol as cloud
from trove.context import Context
from trove.datastores import registry
from trove.datastores.spec import Datastore
from trove.db.queries import instances
from trove.db.session import Database
from trove.db.tables import DatastoreVersion, Instance, Operation
from trove.model import naming
from trove.storage.backups import Storage
from trove.storage.lent import Borrow, Lent
from trove.workflow.claims import Claim
from trove.workflow.flow import Wait
from trove.workflow.ledger import Ledger, MayHaveLanded

SOONEST, LATEST, HEARD = 0.2, 2.0, 10.0
"""Seconds between two looks at what a cloud is making; at the most, and where the cloud
says when it has."""


class GuestUsers(typing.Protocol):
    """The broker's users, one a guest (``rpc/broker.py``)."""

    def add_guest(self, instance: str, password: str) -> None: ...

    def remove_guest(self, instance: str) -> None: ...

    def guests(self) -> list[str]: ...


class GuestCaller(typing.Protocol):
    """Makes the caller's end of ``rpc.guest.Guest`` for one instance."""

    def __call__(self, instance: str, context: Context) -> typing.Any: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided, as the flows need it.

    ``brokers`` are ``(address, port)`` as *guests* reach the broker. In seconds:
    ``grace`` is how long a new thing may stay invisible, ``call_timeout`` bounds one
    outside call.
    """

    deployment: str
    management_network: str
    brokers: tuple[tuple[str, int], ...]
    guests_vhost: str
    broker_ca: str
    object_stores: tuple[tuple[str, int], ...] = ()
    """``(address, port)`` of where guests bring their logs; no address: anywhere."""
    public_network: str | None = None
    """Which network public addresses are of, where the cloud has several."""
    heartbeat_interval: int = 10
    grace: float = 20.0
    call_timeout: float = 20.0
    look: float = LATEST
    """Seconds between two looks at what a cloud is doing, at the most."""
    fstype: str = "xfs"
    device: str = "/dev/vdb"
    commands_key: str | None = None
    """The public key of the commands' signatures."""
    freeze: int = 30
    """Seconds for which a volume is held still for its snapshot, at the most."""
    backup_pace: int | None = None
    """Bytes of its data that a guest reads in a second for a backup, at the most."""
    rows_within: float = 3600.0
    """Seconds in which a guest hashes the rows of its tables."""
    store_authorities: str = ""
    """CA certificates (PEM) that guests are told of for object stores."""


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside that steps act on."""

    database: Database
    cloud: cloud.Cloud
    users: GuestUsers
    guests: GuestCaller
    settings: Settings
    storage: Storage | None = None
    """Where backups are, if an operator has said."""
    borrow: Borrow = Lent
    """Opens a container that its project lent."""


class StepContext:
    """Handed to every step of one operation."""

    def __init__(self, claim: Claim, around: Surroundings) -> None:
        self.claim = claim
        self.cloud = around.cloud
        self.users = around.users
        self.settings = around.settings
        self.storage = around.storage
        self._around = around
        self._instance: Instance | None = None
        self._version: DatastoreVersion | None = None
        self.ledger = Ledger(
            claim,
            grace=around.settings.grace,
            call_timeout=around.settings.call_timeout,
        )

    # -- rows ----------------------------------------------------------------------

    @property
    def operation(self) -> Operation:
        return self.claim.operation

    @property
    def object_id(self) -> str:
        """The instance (or other object) that this is about."""
        return self.claim.operation.object_id

    @property
    def context(self) -> Context:
        """Who asked, for messages and the cloud's logs."""
        operation = self.claim.operation
        request = operation.request_id
        if request is None:
            return Context(project=operation.project)
        return Context(project=operation.project, request_id=request)

    def instance(self) -> Instance:
        """The instance's row, deleted or not, as it was when it was first asked for.

        A worker lets go of an operation that waits: that is a moment ago.
        """
        if self._instance is None:
            with self.claim.database.reading() as tx:
                self._instance = instances.get(tx, self.object_id)
        if self._instance is None:
            raise errors.InstanceNotFound(id=self.object_id)
        return self._instance

    def version(self, instance: Instance) -> DatastoreVersion:
        """The datastore version's row of an instance."""
        if self._version is None or self._version.id != instance.version_id:
            with self.claim.database.reading() as tx:
                self._version = tx.get_one(DatastoreVersion, instance.version_id)
        return self._version

    def datastore(self, instance: Instance) -> Datastore:
        """What the instance's datastore declares."""
        return registry.get(self.version(instance).manager)

    def output(self, step: typing.Callable[..., typing.Any]) -> dict[str, typing.Any]:
        """What an earlier step of this operation left."""
        row = self.claim.steps.get(step.__name__)
        return (row.output if row else None) or {}

    def write(self, work: typing.Callable[[orm.Session], None]) -> None:
        """One fenced transaction."""
        self.claim.write(work)

    @property
    def waited(self) -> float:
        """Seconds since the step was begun."""
        begun = max(
            (row.begun_at for row in self.claim.steps.values()),
            default=self.claim.now(),
        )
        return max(self.claim.now() - begun, 0.0)

    def soon(self, why: str) -> Wait:
        """A cloud makes something and may tell nobody: it is looked at often at first.

        A thing that is made in no time costs no second, and one that takes minutes no
        more calls than it did.
        """
        return Wait(min(max(self.waited / 2, SOONEST), self.settings.look), why)

    def again(self, why: str) -> Wait:
        """A cloud does something that takes a while."""
        return Wait(self.settings.look, why)

    # -- things outside ------------------------------------------------------------

    def key(self, role: str, attempt: int = 0) -> str:
        return naming.key(self.object_id, role, attempt)

    @property
    def borrow(self) -> Borrow:
        """Opens a container that its project lent."""
        return self._around.borrow

    def guest(self) -> typing.Any:
        """The instance's agent: a proxy of ``rpc.guest.Guest``."""
        return self._around.guests(self.object_id, self.context)

    def ensure(
        self,
        kind: str,
        key: str,
        find: typing.Callable[[str], typing.Sequence[typing.Any]],
        make: typing.Callable[[str], typing.Any],
        data_bearing: bool = False,
        in_parts: bool = False,
    ) -> str | Wait:
        """``Ledger.ensure`` with the cloud's words: finders and makers of things."""

        def made() -> str:
            try:
                return str(make(key).id)
            except cloud.Unknown as lost:
                raise MayHaveLanded(lost.message) from lost

        return self.ledger.ensure(
            key,
            kind,
            find=lambda: [thing.id for thing in find(key)],
            make=made,
            data_bearing=data_bearing,
            in_parts=in_parts,
        )

    def absent(
        self,
        key: str,
        find: typing.Callable[[str], typing.Sequence[typing.Any]],
        delete: typing.Callable[[str], None],
        show: typing.Callable[[str], typing.Any],
        retain: typing.Callable[[str], None] | None = None,
    ) -> Wait | None:
        """``Ledger.absent`` with the cloud's words."""
        return self.ledger.absent(
            key,
            find=lambda: [thing.id for thing in find(key)],
            delete=delete,
            there=lambda id: show(id) is not None,
            retain=retain,
        )


def passing(fault: BaseException) -> float | None:
    """Seconds that the other side asked for, 0 if it did not say; None: it is final."""
    if isinstance(fault, cloud.Passing):
        return fault.retry_after or 0.0
    if isinstance(fault, errors.Unavailable):
        return 0.0
    return None
