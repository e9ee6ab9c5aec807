# SPDX-License-Identifier: Apache-2.0
"""Hashes of the rows of tables: of the moment of a backup, to be found again in it.

A hash is the engine's own word on all rows of a table, in no order. A database that
serves is written to, so a table whose rows may have changed between a backup's moment
and the one in which they were read is left out, and is counted (ADR 41).
"""

import collections
import dataclasses
import json
import time
import typing

from trove import errors

if typing.TYPE_CHECKING:
    from trove.datastores.saving import Mark

Where = tuple[str, ...]
"""A table: its database, its schema where there are any, and its name."""

CHANGED = "changed_meanwhile"
UNTRANSACTIONAL = "not_transactional"
UNLOGGED = "not_logged"
UNREAD = "not_readable"
LATE = "not_in_time"
MANY = "too_many"
WHY = (CHANGED, UNTRANSACTIONAL, UNLOGGED, UNREAD, LATE, MANY)
"""Why a table is left out."""

MOST = 4096
"""Tables, and ..."""
LARGEST = 384 * 1024
"""... bytes of what is written of them: a guest is told all of it in one message."""
LONGEST = 256
"""Characters of a hash, and of a table's name in a sentence."""
PARTS = (2, 3)
"""How many names are a table's."""
TALKATIVE = 3
"""How many tables a sentence names."""
REST = 600.0
"""Seconds that are rested at once: a conversation that is longer silent is ended."""


class Different(errors.EngineFailed):
    """What was restored has other rows."""

    sentence = "the rows of {tables} are not those that were backed up"


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table, how many rows it has, and the hash of all."""

    where: Where
    rows: int
    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class Hashes:
    """Those that were taken; how many tables were left out, and why; or why there is
    none at all. ``unread`` are those that there are, and that could not be read: it is
    not written down."""

    tables: tuple[Table, ...] = ()
    left_out: dict[str, int] = dataclasses.field(default_factory=dict)
    none: str | None = None
    unread: frozenset[Where] = dataclasses.field(default=frozenset(), compare=False)

    def bounded(self) -> "Hashes":
        """As much of it as is kept."""
        size, kept = 0, 0
        for table in self.tables[:MOST]:
            size += len(_line(table)) + 1
            if size > LARGEST:
                break
            kept += 1
        if kept == len(self.tables):
            return self
        left = self.left_out | {MANY: len(self.tables) - kept}
        return dataclasses.replace(self, tables=self.tables[:kept], left_out=left)

    def said(self) -> dict[str, typing.Any]:
        """What is told of it, without a name."""
        if self.none is not None:
            return {"none": self.none}
        return {"tables": len(self.tables), **self.left_out}


def _always() -> None:
    """Somebody wants it."""


class Limits(typing.NamedTuple):
    """Seconds that may be taken at the most, and bytes in each of them; ``wanted``
    raises when nobody has a use for it any more."""

    seconds: float
    pace: int | None = None
    wanted: typing.Callable[[], None] = _always


class Bound:
    """What is left of these limits, from now on."""

    def __init__(
        self,
        limits: Limits,
        clock: typing.Callable[[], float] = time.monotonic,
        pause: typing.Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._pause, self._pace = clock, pause, limits.pace
        self._limits = limits
        self.wanted = limits.wanted
        self._begun = clock()
        self._until = self._begun + limits.seconds
        self._read = 0

    @property
    def left(self) -> float:
        """Seconds."""
        return self._until - self._clock()

    def again(self) -> "Bound":
        """As much once more, from now on."""
        return Bound(self._limits, self._clock, self._pause)

    def read(self, size: int) -> None:
        """So many bytes were: rests until they might have been, at the pace."""
        if self._pace is None:
            return
        self._read += size
        ahead = self._read / self._pace - (self._clock() - self._begun)
        rest = min(ahead, self.left, REST)
        if rest > 0:
            self._pause(rest)


class RowHashes(typing.Protocol):
    """How an engine hashes the rows of all tables that it serves."""

    def expect(self, limits: Limits) -> None:
        """Before a backup begins: they will be asked for, within these."""

    def taken(self, mark: "Mark") -> Hashes:
        """After it has ended there: of the tables that nobody changed since. It never
        raises for what only means that there are none."""

    def again(self, tables: typing.Sequence[Where], seconds: float) -> Hashes:
        """Of these, of a server that nobody writes to."""


def tried(take: typing.Callable[[], Hashes]) -> Hashes:
    """Whatever it raises, a backup is none the worse: it has no hashes, and this is
    why. What ends the job ends it."""
    try:
        return take().bounded()
    except errors.TroveError as failed:
        if _ends(failed):
            raise
        return Hashes(none=failed.message[:LONGEST])
    except Exception as failed:  # noqa: BLE001 - a backup is worth more than these
        # its words may hold a row, or a name
        return Hashes(none=f"the agent met a {type(failed).__name__}")


def _ends(failed: errors.TroveError) -> bool:
    """Whether it is the job's own end, and no program's."""
    ours = isinstance(failed, errors.Internal)
    return ours and not isinstance(failed, errors.CommandFailed)


def taken_of(
    tables: typing.Iterable[tuple[Where, int]],
    left_out: collections.Counter[str],
    bound: Bound,
    take: typing.Callable[[Where, float], Table],
) -> Hashes:
    """One after the other, with how many bytes each has; ``take`` has so many seconds.

    ``errors.TroveError``: that one cannot be read.
    """
    found: list[Table] = []
    unread: set[Where] = set()
    for where, size in tables:
        bound.wanted()
        why = MANY if len(found) == MOST else LATE if bound.left <= 0 else None
        if why is None:
            try:
                found.append(take(where, max(bound.left, 1.0)))
            except errors.TroveError as failed:
                if _ends(failed):
                    raise
                why = UNREAD if bound.left > 0 else LATE
            bound.read(size)
        if why is not None:
            left_out[why] += 1
            unread.add(where)
    return Hashes(tuple(found), dict(left_out), unread=frozenset(unread))


def compared(before: Hashes, after: Hashes) -> dict[str, int]:
    """How many tables are equal, and how many were not looked at.

    Raises ``Different`` with the names of those that are not, or are not there.
    """
    now = {table.where: table for table in after.tables}
    wrong = [
        table.where
        for table in before.tables
        if now.get(table.where) != table and table.where not in after.unread
    ]
    if wrong:
        raise Different(tables=_named(wrong))
    return {"tables": len(before.tables), "equal": len(now), **after.left_out}


def _named(tables: list[Where]) -> str:
    some = ", ".join(map(shown, tables[:TALKATIVE]))
    more = len(tables) - TALKATIVE
    return some if more <= 0 else f"{some} and {more} more"


def shown(where: Where) -> str:
    """A table's name in a sentence: on one line, and not longer than one."""
    text = ".".join(where)
    plain = "".join(each if each.isprintable() else "?" for each in text)
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}..."


# -- as they are written down ---------------------------------------------------------


def write(hashes: Hashes) -> bytes:
    """As JSON; at the most a little more than ``LARGEST`` bytes."""
    lines = ",".join(map(_line, hashes.tables))
    about = {"left_out": hashes.left_out, "none": hashes.none}
    return f'{{"about":{json.dumps(about)},"tables":[{lines}]}}'.encode()


def _line(table: Table) -> str:
    return json.dumps([list(table.where), table.rows, table.hash])


def read(data: bytes | str) -> Hashes:
    """The reverse, of somebody who may be anybody: ``errors.Invalid``."""
    try:
        match json.loads(data):
            case {
                "about": {"left_out": dict(left), "none": none},
                "tables": list(said),
            }:
                tables = tuple(map(_table, said[: MOST + 1]))
                return Hashes(tables, _counts(left), _why(none)).bounded()
    except (ValueError, RecursionError):
        pass
    raise errors.Invalid(why="these are no hashes of rows")


def _table(said: typing.Any) -> Table:
    match said:
        case [list(where), int(rows), str(hash)] if (
            type(rows) is int
            and 0 <= rows < 2**63
            and len(hash) <= LONGEST
            and len(where) in PARTS
            and all(isinstance(name, str) and _whole(name) for name in where)
        ):
            return Table(tuple(where), rows, hash)
    raise errors.Invalid(why="that is no hash of a table's rows")


def _whole(name: str) -> bool:
    """No half of a pair: such a text cannot be sent."""
    return len(name) <= LONGEST and not any("\ud800" <= c <= "\udfff" for c in name)


def _counts(said: dict[str, typing.Any]) -> dict[str, int]:
    return {
        why: number
        for why in WHY
        if type(number := said.get(why)) is int and 0 < number < 2**31
    }


def _why(said: typing.Any) -> str | None:
    if said is None or (isinstance(said, str) and _whole(said)):
        return said
    raise errors.Invalid(why="that is no reason")
