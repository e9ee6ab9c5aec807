# SPDX-License-Identifier: Apache-2.0
"""The audit: whether the database, the cloud and the broker agree.

INV-1 to 7 and 16 are evaluated here, those of rows alone in ``auditrows``. It reads
only. What is seen outside is listed first and the database after it, in one
moment; and because things move between the two, a violation is told only when it is
there twice. Its sentences hold nothing that changes by itself, so they can be compared.
"""

import collections
import dataclasses
import time
import typing
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy import orm

from trove.actions import auditrows, recount
from trove.cloud.protocol import Cloud
from trove.db.session import Database, epoch_now
from trove.db.tables import Backup, CloudThing, Event, Instance, Operation
from trove.model import backups, naming, operations
from trove.model.states import BUSY, LIVE, OperationState, Task, ThingState

UNDO_BUDGET = 3600.0
"""Seconds past its deadline in which an operation may still take back what it did."""

PAUSE = 3.0
"""Seconds between the two looks."""

HELD = (*LIVE, OperationState.STUCK)
PASSING = (*sorted(BUSY), Task.BUILDING, Task.DELETING)


class Guests(typing.Protocol):
    """The broker's users."""

    def guests(self) -> list[str]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One line of an audit."""

    invariant: int
    text: str

    def __str__(self) -> str:
        return f"INV-{self.invariant}: {self.text}"


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """A thing that the cloud or the broker lists. ``kind`` is the ledger's word."""

    kind: str
    id: str
    key: str | None
    servers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.key or 'no key'})"


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """What was listed; ``kinds`` are those that somebody could be asked for."""

    things: tuple[Outside, ...]
    kinds: frozenset[str]


def audit(
    database: Database,
    cloud: Cloud | None,
    broker: Guests | None,
    *,
    pause: float = PAUSE,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Violation]:
    """Every violation, in order; those that were gone at the second look are none."""
    first = look(database, cloud, broker)
    if not first:
        return []
    sleep(pause)
    still = set(look(database, cloud, broker))
    return [violation for violation in first if violation in still]


def look(
    database: Database, cloud: Cloud | None, broker: Guests | None
) -> list[Violation]:
    """One look. Without a cloud or a broker its part is left out."""
    world = outside(cloud, broker)
    with database.snapshot() as tx:
        found = [
            *_overdue(tx),
            *_without_end(tx),
            *_ledger(tx, world),
            *(Violation(5, text) for text in recount.differences(tx)),
            *_twins(world),
            *_locks(tx),
            *(
                Violation(number, text)
                for number, check in auditrows.CHECKS.items()
                for text in check(tx)
            ),
        ]
    return sorted(
        set(found), key=lambda violation: (violation.invariant, str(violation))
    )


def outside(cloud: Cloud | None, broker: Guests | None) -> World:
    """Everything of this deployment's that is there."""
    things: list[Outside] = []
    kinds: set[str] = set()
    if cloud is not None:
        things += [Outside("server", s.id, s.key) for s in cloud.compute.owned()]
        things += [Outside("port", p.id, p.key) for p in cloud.network.owned_ports()]
        things += [Outside("group", g.id, g.key) for g in cloud.network.owned_groups()]
        things += [
            Outside("floating_ip", f.id, f.key)
            for f in cloud.network.owned_floating_ips()
        ]
        things += [
            Outside("server_group", g.id, g.key) for g in cloud.server_groups.owned()
        ]
        things += [
            Outside("volume", v.id, v.key, v.servers) for v in cloud.volumes.owned()
        ]
        things += [Outside("snapshot", s.id, s.key) for s in cloud.snapshots.owned()]
        kinds |= {"server", "port", "group", "floating_ip", "server_group", "volume"}
        kinds.add("snapshot")
    if broker is not None:
        users = broker.guests()
        things += [Outside("user", id, naming.key(id, "user")) for id in users]
        kinds.add("user")
    return World(tuple(things), frozenset(kinds))


# -- operations --------------------------------------------------------------------


def _overdue(tx: orm.Session) -> Iterator[Violation]:
    """INV-1: nothing is in passing for ever."""
    late = sa.select(Operation.id, Operation.kind, Operation.object_id, Operation.state)
    for id, kind, object_id, state in tx.execute(
        late.where(
            Operation.state.in_(LIVE), Operation.deadline < epoch_now() - UNDO_BUDGET
        )
    ):
        yield Violation(
            1, f"operation {id} ({kind} of {object_id}) is {state} past its deadline"
        )
    for id, kind, object_id, _state in tx.execute(
        late.where(Operation.state == OperationState.STUCK)
    ):
        yield Violation(1, f"operation {id} ({kind} of {object_id}) is stuck")
    lock = sa.literal(f"{operations.INSTANCE}:", sa.String()) + Instance.id
    for id, task in tx.execute(
        sa.select(Instance.id, Instance.task)
        .outerjoin(Operation, Operation.lock_key == lock)
        .where(
            Instance.deleted_at.is_(None),
            Instance.task.in_(PASSING),
            Operation.id.is_(None),
        )
    ):
        yield Violation(1, f"instance {id} is {task}, and no operation carries that")
    before = orm.aliased(Operation)
    for id, kind, after in tx.execute(
        sa.select(Operation.id, Operation.kind, Operation.after)
        .outerjoin(before, sa.and_(before.id == Operation.after, _holds(before)))
        .where(
            Operation.state == OperationState.PENDING,
            Operation.lock_key.is_(None),
            before.id.is_(None),
        )
    ):
        yield Violation(
            1, f"operation {id} ({kind}) waits for {after}, which has ended"
        )


def _holds(operation: typing.Any) -> sa.ColumnElement[bool]:
    held: sa.ColumnElement[bool] = operation.lock_key.is_not(None)
    return held


def _without_end(tx: orm.Session) -> Iterator[Violation]:
    """INV-3: what was accepted was done, or failed for a reason the user can see."""
    silent = sa.select(Operation.id, Operation.kind).where(
        Operation.state == OperationState.FAILED,
        sa.or_(Operation.fault.is_(None), Operation.fault == ""),
    )
    for id, kind in tx.execute(silent):
        yield Violation(3, f"operation {id} ({kind}) failed without a reason")
    told = sa.exists().where(
        Event.object_id == Operation.object_id,
        Event.kind.in_([Operation.kind + ".end", Operation.kind + ".error"]),
    )
    for id, kind, state in tx.execute(
        sa.select(Operation.id, Operation.kind, Operation.state).where(
            Operation.state.in_([OperationState.DONE, OperationState.FAILED]), ~told
        )
    ):
        yield Violation(3, f"operation {id} ({kind}) is {state}, and no event says so")


def _locks(tx: orm.Session) -> Iterator[Violation]:
    """INV-7: one live operation for an object; others wait for it by name."""
    for type, id, count in tx.execute(
        sa.select(Operation.object_type, Operation.object_id, sa.func.count())
        .where(Operation.state.in_(HELD), Operation.lock_key.is_not(None))
        .group_by(Operation.object_type, Operation.object_id)
        .having(sa.func.count() > 1)
    ):
        yield Violation(7, f"{type} {id} is held by {count} operations at once")
    for id, kind, state in tx.execute(
        sa.select(Operation.id, Operation.kind, Operation.state).where(
            Operation.state.in_(HELD),
            Operation.state != OperationState.PENDING,
            Operation.lock_key.is_(None),
        )
    ):
        yield Violation(7, f"operation {id} ({kind}) is {state} without its lock")


# -- things ------------------------------------------------------------------------


def _ledger(tx: orm.Session, world: World) -> Iterator[Violation]:
    """INV-2, INV-4 and INV-16: the ledger against what is there, both ways."""
    rows = {
        row.key: row
        for row in tx.scalars(sa.select(CloudThing))
        if row.kind in world.kinds
    }
    held = set(
        tx.scalars(sa.select(Operation.object_id).where(Operation.state.in_(HELD)))
    )
    owners = {row.owner for row in rows.values()} | {
        naming.owner(thing.key) for thing in world.things if thing.key
    }
    # a backup is made by its instance's operation
    held |= set(
        tx.scalars(sa.select(Backup.id).where(Backup.state.in_(backups.RUNNING)))
    )
    buried = _buried(tx, owners)
    for thing in world.things:
        owner = naming.owner(thing.key) if thing.key else ""
        why = None if owner in held else _nobodys(thing, rows.get(thing.key or ""))
        if why is not None and owner in buried:
            yield Violation(16, f"{thing} is left of a deleted instance")
        elif why is not None:
            yield Violation(2, f"{thing} {why}")
    yield from _missing(rows, world, held, buried)


def _nobodys(thing: Outside, row: CloudThing | None) -> str | None:
    if thing.key is None:
        return "has this deployment's tag, but no key"
    if row is None:
        return "is not in the ledger"
    if row.state == ThingState.GONE:
        return "is gone by the ledger"
    if row.state == ThingState.INTENT:
        return "was never written down as made, and nobody is making it"
    if row.external_id != thing.id:
        return f"is not the ledger's {row.external_id}"
    return None


def _missing(
    rows: dict[str, CloudThing], world: World, held: set[str], buried: set[str]
) -> Iterator[Violation]:
    there = {(thing.kind, thing.id) for thing in world.things}
    for row in rows.values():
        if row.owner in held or row.state == ThingState.GONE:
            continue
        if row.owner in buried and row.state != ThingState.RETAINED:
            yield Violation(
                16,
                f"the ledger still has {row.key} ({row.state}) of a deleted instance",
            )
        elif row.state != ThingState.INTENT and (
            (row.kind, row.external_id) not in there
        ):
            yield Violation(
                4, f"{row.kind} {row.external_id} ({row.key}) is not there any more"
            )


def _buried(tx: orm.Session, owners: set[str]) -> set[str]:
    """Those of the owners that are deleted instances."""
    gone: set[str] = set()
    ordered = sorted(owners)
    for start in range(0, len(ordered), 500):
        few = ordered[start : start + 500]
        gone.update(
            tx.scalars(
                sa.select(Instance.id).where(
                    Instance.id.in_(few), Instance.deleted_at.is_not(None)
                )
            )
        )
    return gone


def _twins(world: World) -> Iterator[Violation]:
    """INV-6: one server for an instance, and a volume at one server."""
    servers = collections.Counter(
        naming.owner(thing.key)
        for thing in world.things
        if thing.kind == "server" and thing.key
    )
    for owner, count in servers.items():
        if count > 1:
            yield Violation(6, f"instance {owner} has {count} servers")
    for thing in world.things:
        if len(thing.servers) > 1:
            yield Violation(6, f"{thing} is at servers {', '.join(thing.servers)}")
