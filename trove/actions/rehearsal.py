# SPDX-License-Identifier: Apache-2.0
"""What a request would do: the real thing, in a transaction that is taken back.

Everything is checked as it would be, by the same code: the state of the instance, the
quota, the names. Nothing is kept, nobody is told, and no guest is asked.
"""

import contextlib
import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.actions.configurations import hidden
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import configurations, instances, quotas
from trove.db.session import Database
from trove.db.tables import Configuration, Deed, Instance, Operation
from trove.model import operations as kinds
from trove.model.quotas import BACKUPS

T = typing.TypeVar("T")
Row = dict[str, typing.Any]

SHOWN = ("name", "flavor_id", "volume_size", "access", "configuration_id")
"""What of an instance may become another."""

OUT = {
    kinds.RESTART: "database",
    kinds.STOP: "database",
    kinds.REBOOT: "server",
    kinds.RESIZE_FLAVOR: "server",
    kinds.RESIZE_OFFLINE: "server",
    kinds.MIGRATE: "server",
    kinds.UPGRADE: "server",
    kinds.REBUILD: "server",
    kinds.DELETE: "gone",
}
"""What is out of reach while it is carried out; of the others, nothing is."""

RESIZES = (kinds.RESIZE_VOLUME, kinds.RESIZE_OFFLINE)


@dataclasses.dataclass(slots=True)
class Outcome:
    """``quota`` is by resource, in its own unit; ``changes`` by name: before, after."""

    operations: list[Row] = dataclasses.field(default_factory=list)
    reserved: dict[str, int] = dataclasses.field(default_factory=dict)
    returned: dict[str, int] = dataclasses.field(default_factory=dict)
    changes: dict[str, tuple[typing.Any, typing.Any]] = dataclasses.field(
        default_factory=dict
    )


class Rehearsed(Exception):
    """An operation would have been accepted: the rest would only wait for it."""


class _TakenBack(Exception):
    """Ends a transaction, whose work was ``done``, and began an operation or not."""

    def __init__(self, done: typing.Any, begun: bool) -> None:
        super().__init__("nothing is kept")
        self.done, self.begun = done, begun


class _Silent:
    """In the place of a guest: all that is left is to ask it."""

    def __getattr__(self, name: str) -> typing.NoReturn:
        raise Rehearsed()


class Rehearsal:
    """A ``Database`` to actions, as far as they know one; it keeps nothing."""

    def __init__(
        self,
        services: Services,
        context: Context,
        owner: str,
        instance: str | None,
        group: str | None = None,
    ) -> None:
        self._database = services.database
        self._context, self._owner, self._instance = context, owner, instance
        self._group, self._had = group, dict[str, typing.Any]()
        self.outcome = Outcome()
        self.services = services.rehearsing(
            typing.cast(Database, self), lambda instance, context: _Silent()
        )

    def reading(self) -> contextlib.AbstractContextManager[orm.Session]:
        """What is there is there."""
        return self._database.reading()

    def run(self, work: typing.Callable[[orm.Session], T], attempts: int = 5) -> T:
        """Its answer; raises ``Rehearsed`` when it would have begun an operation."""

        def played(tx: orm.Session) -> typing.NoReturn:
            before = self._look(tx)
            self._had = configurations.settings(tx, self._group)
            done = work(tx)
            tx.flush()
            begun = self._note(tx, before, self._look(tx))
            raise _TakenBack(done, begun)

        try:
            self._database.run(played, attempts)
        except _TakenBack as over:
            if over.begun:
                raise Rehearsed() from None
            return typing.cast(T, over.done)
        raise AssertionError("a rehearsal was kept")

    # -- before and after

    def _look(self, tx: orm.Session) -> tuple[Row, dict[str, int]]:
        tx.expire_all()
        row = instances.get(tx, self._instance) if self._instance else None
        project = row.project if row else self._owner
        reserved = {
            str(each["resource"]): int(each["reserved"]) + int(each["in_use"])
            for each in quotas.rows(tx, project, {})
        }
        facts = {name: getattr(row, name) for name in SHOWN} if row else {}
        group = tx.get(Configuration, self._group) if self._group else None
        if group is not None:
            facts = {name: getattr(group, name) for name in ("name", "description")}
            facts["values"] = hidden(group.settings)
        return facts, reserved

    def _note(
        self,
        tx: orm.Session,
        before: tuple[Row, dict[str, int]],
        after: tuple[Row, dict[str, int]],
    ) -> bool:
        """Whether an operation has begun."""
        said = self.outcome
        for name, value in after[0].items():
            if before[0].get(name) != value:
                said.changes[name] = (before[0].get(name), value)
        for resource, amount in after[1].items():
            if more := amount - before[1].get(resource, 0):
                said.reserved[resource] = said.reserved.get(resource, 0) + more
        request = self._context.request_id
        mine = sa.select(Operation).where(Operation.request_id == request)
        begun = list(tx.scalars(mine))
        for operation in begun:
            self._operation(tx, operation)
        for deed in tx.scalars(sa.select(Deed).where(Deed.request_id == request)):
            about = {"type": deed.kind, "outage": "none", "instance_id": self._instance}
            details = {k: v for k, v in deed.payload.items() if k != "user"}
            said.operations.append(about | ({"details": details} if details else {}))
        return bool(begun)

    def _operation(self, tx: orm.Session, operation: Operation) -> None:
        said, input = self.outcome, operation.input or {}
        about: Row = {"type": operation.kind, "outage": OUT.get(operation.kind, "none")}
        if operation.kind != kinds.CREATE:
            about[f"{operation.object_type}_id"] = operation.object_id
        row = instances.get(tx, operation.object_id)
        if operation.kind == kinds.RESIZE_FLAVOR:
            size = kinds.ResizeFlavor.from_dict(input)
            said.changes["flavor_id"] = (size.before.flavor, size.after.flavor)
            if size.after.ram < size.before.ram:
                said.returned["ram"] = size.before.ram - size.after.ram
        elif operation.kind in RESIZES and row:
            said.changes["volume_size"] = (row.volume_size, row.volume_target)
        elif operation.kind == kinds.UPGRADE and row:
            if (version := input["version_id"]) != row.version_id:
                said.changes["datastore_version_id"] = (row.version_id, version)
        elif operation.kind == kinds.DELETE_BACKUP:
            gone = kinds.DeleteBackup.from_dict(input).backups
            said.returned = {BACKUPS: len(gone)}
        elif operation.kind == kinds.DELETE:
            said.returned = dict(kinds.DeleteInstance.from_dict(input).cost)
        elif operation.kind == kinds.CONFIGURE and row:
            former = input["before"]
            same = former == row.configuration_id
            old = self._had if same else configurations.settings(tx, former)
            about["restart_required"] = _slow(tx, row, old)
        said.operations.append(about)


def _slow(tx: orm.Session, row: Instance, old: Row) -> list[str]:
    """The parameters that change, and that the engine takes at a restart only."""
    new = configurations.settings(tx, row.configuration_id)
    changed = [name for name in {*old, *new} if old.get(name) != new.get(name)]
    rules = configurations.rules(tx, row.version_id)
    slow = {name for name, rule in rules.items() if rule["restart_required"]}
    return sorted(name for name in changed if name in slow)
