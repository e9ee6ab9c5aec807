# SPDX-License-Identifier: Apache-2.0
"""The durable state of a world, taken and put back; and when two of them are the same.

What happens after a crash depends on what outlived it: the rows, the cloud, the
broker's users, what the guests did. Two states are the same when they differ in nothing
that any code decides by: ids are numbered in the order in which they appear, and a time
counts by its distance from now, up to the distance at which it stops to matter. What is
not named here counts exactly, so a new column can only make fewer states the same.
"""

import copy
import dataclasses
import functools
import hashlib
import re
import typing

from sqlalchemy.dialects import sqlite

from tests.chaos import kept
from tests.chaos.kept import Row, Rows
from tests.chaos.world import PAUSE, SETTINGS, World
from trove.cloud.memory import world as memory
from trove.db.tables import Record
from trove.db.types import Sealed
from trove.flows import (
    backup_delete,
    context,
    guestjobs,
    instance_delete,
    instance_reboot,
    snapshotting,
)

YOUNG = 280.0
"""Seconds in which no deadline, and no ``within`` of five minutes or more, can end."""

SHORT = 110.0
"""The same for the one ``within`` that is shorter."""

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Place = tuple[str, str]
"""A table's column."""
TABLES = {table.name: table for table in Record.metadata.sorted_tables}

AGING = ("guest_jobs", "instance_modules")
"""The tables whose rows' age counts."""

UNREAD = {
    *((table, "created") for table in TABLES),
    *((table, "updated") for table in TABLES if table not in AGING),
    ("operations", "owner"),
    ("operations", "fence"),  # only ever compared with one's own
    ("events", "at"),
    ("events", "payload"),
    ("guest_reports", "changed_at"),
    ("guest_reports", "seq"),  # the guests' next one is higher, always
}
"""Columns that nothing decides by."""

AGES = {
    ("cloud_things", "posted_at"): SETTINGS.grace,
    ("guest_jobs", "sent_at"): guestjobs.PROBE,
    ("guest_jobs", "updated"): guestjobs.PROBE,
    ("guest_reports", "received_at"): instance_delete.PATIENCE,
    ("instance_modules", "updated"): PAUSE,
}
"""Moments of the past, and the age from which on they are simply old."""

THING = sorted(
    field.name for field in dataclasses.fields(memory.Made) if field.name != "made"
)
"""What counts of a cloud's thing: in lists that lag by nothing, not its age."""

MARKS = {
    ("instances", "fault_at"),
    ("instances", "deleted_at"),
    ("guests", "enrolled_at"),
    ("guests", "certificate_expires"),
    ("recycled_instances", "reclaim_at"),
    ("recycled_instances", "fault_at"),
    ("backups", "key"),
    ("backups", "manifest"),
    ("backups", "location"),
    ("backups", "stored"),
    ("backups", "moment"),
    ("backups", "ended"),
    ("backups", "restore_seconds"),  # measured
    ("backups", "deleted_at"),
    ("archives", "began"),
    ("archives", "latest"),
    ("archive_segments", "since"),
    ("archive_segments", "until"),
}
"""Moments of which only counts whether there is one."""

SEALED = {
    (table.name, column.name)
    for table in TABLES.values()
    for column in table.columns
    if isinstance(column.type, Sealed)
}
"""What counts is what is in it: it is sealed anew each time."""

UNSEALED: typing.Any = Sealed().result_processor(sqlite.dialect(), None)

MEASURED = {("operation_steps", "output")}
"""Where it is written how long something took, which nothing decides by."""
SECONDS = re.compile(r'"seconds": [-+0-9.e]+')

OPERATIONS = [column.name for column in TABLES["operations"].columns]
DUE, LOCK = OPERATIONS.index("due"), OPERATIONS.index("lock_key")

LOOKED_AT = {"make_ports", "make_volume", "boot_server", "extend_volume"}
"""Steps whose waits are the shorter, the younger they are (``StepContext.soon``)."""

CLOCKS = {"lease_until", "due", "deadline", "begun_at"}

COUNTED_BY_RULE = MARKS | SEALED | AGES.keys() | MEASURED

COUNTED = {
    name: [
        (at, place, place not in COUNTED_BY_RULE and column.name not in CLOCKS)
        for at, column in enumerate(table.columns)
        for place in ((name, column.name),)
        if place not in UNREAD
    ]
    for name, table in TABLES.items()
}
"""Of each table: where a column stands, its name, and whether it is as it looks."""


@dataclasses.dataclass(slots=True)
class State:
    """All that outlives a taskmanager, at a moment."""

    moment: float
    rows: Rows
    made: dict[str, memory.Made]
    users: set[str]
    done: dict[str, list[str]]
    service: dict[str, tuple[str, int]]
    planned: dict[str, typing.Callable[[], None]]
    cannot: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    traits: dict[str, bool] = dataclasses.field(default_factory=dict)
    """Of the cloud (``world.TRAITS``)."""
    said: dict[str, dict[str, typing.Any]] = dataclasses.field(default_factory=dict)
    objects: dict[str, bytes] = dataclasses.field(default_factory=dict)
    instance: str = ""
    lies: str = ""

    def key(self) -> bytes:
        """The same for states that nobody could tell apart by what comes next."""
        plain = repr(
            (
                [(name, self._told(name)) for name in TABLES if name in self.rows],
                self._queue(),
                [self._thing(thing) for thing in self.made.values()],
                sorted(self.users),
                list(self.done.items()),
                self.service,
                sorted(self.planned),
                self.cannot,
                self.unknown,
                self.traits,
                self.said,
                self.lies,
            )
        )
        numbers: dict[str, str] = {}

        def named(text: str) -> str:
            return UUID.sub(
                lambda id: numbers.setdefault(id.group(), f"#{len(numbers)}"), text
            )

        told = named(plain)  # before what has no order but that of its names
        told += repr(sorted(named(name) for name in sorted(self.objects)))
        return hashlib.sha256(told.encode()).digest()

    def _queue(self) -> list[int]:
        """Whose turn it is among operations that are due: who is so for longest."""
        waiting = [
            (row[DUE], at)
            for at, row in enumerate(self.rows.get("operations", []))
            if row[LOCK] is not None and row[DUE] <= self.moment
        ]
        return [at for _, at in sorted(waiting)]

    def _told(self, name: str) -> list[list[typing.Any]]:
        return [
            [
                value
                if value is None or (plain and type(value) is not float)
                else self._value(place, value, row)
                for at, place, plain in COUNTED[name]
                for value in (row[at],)
            ]
            for row in self.rows[name]
        ]

    def _value(self, place: Place, value: typing.Any, row: Row) -> typing.Any:
        if place in MARKS:
            return True
        if place in SEALED:
            return _opened(value)
        if place in MEASURED:
            return _unmeasured(value)
        if place in AGES:
            return min(self._age(value), AGES[place] + 1)
        column = place[1]
        if column == "lease_until":
            return max(0.0, -self._age(value)) or None
        if column == "due":
            return max(0.0, -self._age(value))
        if column == "deadline":
            return "far" if value - self.moment > 3 * YOUNG else self._age(value)
        if column == "begun_at":
            return self._begun(self._age(value), row)
        if isinstance(value, float):
            return self._age(value)
        return value

    def _begun(self, age: float, row: Row) -> typing.Any:
        if instance_delete.stop_database.__name__ in row:
            patience = instance_delete.PATIENCE
            return "old" if patience < age <= SHORT else age
        if instance_reboot.reboot_server.__name__ in row and "intent" in row:
            return "old" if instance_reboot.PATIENCE < age <= YOUNG else age
        if backup_delete.delete_objects.__name__ in row:
            return "old" if snapshotting.KEEPS < age <= YOUNG else age
        if "intent" in row and LOOKED_AT.intersection(row) and age <= YOUNG:
            return min(age, 2 * context.LATEST)
        return "young" if age <= YOUNG else age

    def _age(self, moment: float) -> float:
        return round(self.moment - moment, 3)

    def _thing(self, thing: memory.Made) -> typing.Any:
        told = {name: getattr(thing, name) for name in THING}
        told["until"] = max(0.0, -self._age(thing.until))
        if thing.gone_at is not None:
            told["gone_at"] = -self._age(thing.gone_at)
        if thing.order is not None:
            order = thing.order
            told["order"] = (order.ports, order.volume, order.flavor)
        return told

    def same(self, other: "State") -> bool:
        """Whether nothing at all happened between the two."""
        return (
            self.moment == other.moment
            and self.rows == other.rows
            and self.made == other.made
            and self.users == other.users
            and self.done == other.done
            and self.service == other.service
            and self.planned.keys() == other.planned.keys()
            and self.cannot == other.cannot
            and self.unknown == other.unknown
            and self.traits == other.traits
            and self.said == other.said
            and self.objects == other.objects
        )


@functools.lru_cache(4096)
def _opened(sealed: str) -> str:
    return repr(UNSEALED(sealed))


@functools.lru_cache(4096)
def _unmeasured(text: str) -> str:
    """The same few texts are in most of the states that follow each other."""
    return SECONDS.sub("", text)


def take(world: World, later: float = 0.0) -> State:
    """A world's state as it will be after so many seconds in which nobody acts."""
    moment = world.moment + later
    cloud = memory.World(clock=lambda: moment)
    cloud.made = {id: copy.copy(made) for id, made in world.cloud.world.made.items()}
    cloud.pass_time()
    return State(
        moment,
        kept.read(world.database.engine),
        cloud.made,
        set(world.users.there),
        copy.deepcopy(world.guests.done),
        dict(world.reports._service),
        dict(world.planned),
        world.guests.cannot,
        world.guests.unknown,
        world.traits(),
        dict(world.guests.savers.said),
        world.store.taken(),
        world.instance,
        world.guests.savers.lies,
    )


def put_back(world: World, state: State) -> None:
    """Makes a world what it was."""
    world.moment = state.moment
    world.cloud.world.made = {id: copy.copy(t) for id, t in state.made.items()}
    world.users.there = set(state.users)
    world.guests.done = copy.deepcopy(state.done)
    world.reports._service = dict(state.service)
    world.planned = dict(state.planned)
    world.guests.cannot = state.cannot
    world.guests.unknown = state.unknown
    vars(world.cloud.world).update(state.traits)
    world.guests.savers.said = dict(state.said)
    world.guests.savers.lies = state.lies
    world.store.put_back(state.objects)
    world.instance = state.instance
    kept.write(world.database.engine, state.rows)
