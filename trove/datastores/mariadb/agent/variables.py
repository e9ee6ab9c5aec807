# SPDX-License-Identifier: Apache-2.0
"""The system variables of a running MariaDB: a group's values taken, and read back.

What a variable is, where its value came from and whether it can change is the engine's
own word: ``INFORMATION_SCHEMA.SYSTEM_VARIABLES``.
"""

import dataclasses
import logging
import typing

from trove import errors
from trove.datastores.layers import Settings
from trove.datastores.mariadb.agent.sql import Talk, literal

LOG = logging.getLogger(__name__)

TIMEOUT = 20.0
"""Seconds for one statement: a smaller buffer pool takes its time."""

ALIASES = {"default_time_zone": "time_zone", "transaction_isolation": "tx_isolation"}
"""Options of the file whose variable has another name."""

ROUNDED = 0.05
"""How far from what was asked for the engine may round a number."""

SELECT = """\
SELECT LOWER(variable_name), global_value, global_value_origin, global_value_path, \
read_only, default_value, numeric_block_size FROM information_schema.system_variables \
WHERE global_value IS NOT NULL"""
"""Short, though it finds more than is wanted: a group may bound what the engine reads
of a statement (``max_allowed_packet``) to a kilobyte."""


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """One row. ``origin``: CONFIG, SQL, COMPILE-TIME, AUTO, ...; ``path``: the file;
    ``block``: a number is a multiple of it, and rounded down to one in a file.
    """

    name: str
    value: str
    origin: str
    path: str | None
    read_only: str
    default: str | None
    block: str | None = None

    def whole(self, wanted: typing.Any) -> typing.Any:
        """What the engine makes of a number that it finds in a file."""
        if isinstance(wanted, bool) or not isinstance(wanted, int):
            return wanted
        return wanted - wanted % max(1, int(self.block or 1))


class Variables:
    """Those of ``names`` that the engine has. ``path``: the file of the group's."""

    def __init__(self, talk: Talk, names: typing.Iterable[str], path: str) -> None:
        self._talk, self._path = talk, path
        self._names = sorted(names)

    def take(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        """Sets what can be set; the names that wait for a restart."""
        found = self._found()
        waiting = []
        for name in self._names:
            row = found.get(name)
            if row is None:
                if name in group:
                    waiting.append(name)
            elif name in group or self._ours(row):
                wanted = group.get(name, lower.get(name))
                if not self._settle(row, wanted):
                    waiting.append(name)
        self._check(group)
        return tuple(waiting)

    def _ours(self, row: Variable) -> bool:
        """Whether a group gave it its value, in its file or in the running engine."""
        return row.origin == "SQL" or row.path == self._path

    def _settle(self, row: Variable, wanted: typing.Any) -> bool:
        """Sets one, to its default for None; False: it waits for a restart."""
        aim = row.default if wanted is None else wanted
        if row.read_only == "YES":
            return same(row.value, aim)
        word = "DEFAULT" if wanted is None else _word(row.whole(wanted))
        self._talk.rows(f"SET GLOBAL {row.name} = {word}", TIMEOUT)
        return True

    def _check(self, group: Settings) -> None:
        """What is in force is what was asked for, by the engine's own word."""
        for name, row in self._found().items():
            if name not in group or row.read_only == "YES":
                continue  # it has the value, or it waits
            if row.origin not in ("SQL", "CONFIG"):
                why = f"{name} was set, and its value is not from there"
                raise errors.EngineFailed(why=why)
            if not near(row.value, row.whole(group[name])):
                why = f"{name} was set to {group[name]}, and is {row.value}"
                raise errors.EngineFailed(why=why)

    def _found(self) -> dict[str, Variable]:
        """By the names of the file; an alias only where the name itself is none."""
        rows = {row[0]: Variable(*row) for row in self._talk.rows(SELECT, TIMEOUT)}
        return {
            name: rows[own]
            for name in self._names
            for own in [name if name in rows else ALIASES.get(name, name)]
            if own in rows
        }


def same(value: str | None, wanted: typing.Any) -> bool:
    """Whether the engine's word for a value is this value."""
    if value is None or wanted is None:
        return value is wanted
    said = {True: "ON", False: "OFF"}.get(wanted, wanted) if _truth(wanted) else wanted
    try:
        return float(value) == float(said)
    except ValueError:
        return value.casefold() == str(said).casefold()


def near(value: str, wanted: typing.Any) -> bool:
    """The same, or a number that the engine rounds it to.

    A text is what the engine made of it: it writes modes out, and codes as names.
    """
    if _truth(wanted) or isinstance(wanted, str):
        return isinstance(wanted, str) or same(value, wanted)
    try:
        return bool(abs(float(value) - wanted) <= max(1, abs(wanted) * ROUNDED))
    except ValueError:
        return False


def _truth(wanted: typing.Any) -> bool:
    return isinstance(wanted, bool)


def _word(wanted: typing.Any) -> str:
    match wanted:
        case bool():
            return "ON" if wanted else "OFF"
        case int() | float():
            return str(wanted)
        case _:
            return literal(str(wanted))
