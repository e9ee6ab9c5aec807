# SPDX-License-Identifier: Apache-2.0
"""The system variables of a running engine: a group's values taken, and read back.

What a variable is, where its value came from and whether it can change is the engine's
own word; where it says so is each engine's own.
"""

import abc
import typing

from trove.datastores.classic.sql import Talk, literal
from trove.datastores.layers import Settings

TIMEOUT = 20.0
"""Seconds for one statement: a smaller buffer pool takes its time."""

ROUNDED = 0.05
"""How far from what was asked for the engine may round a number."""

Row = typing.TypeVar("Row")
"""One variable, as an engine describes it."""


class Variables(abc.ABC, typing.Generic[Row]):
    """Those of ``names`` that the engine has. ``path``: the file of the group's."""

    aliases: typing.ClassVar[dict[str, str]]
    """Options of the file whose variable has another name."""
    rounds: typing.ClassVar[int] = 1
    """In how many all are set: the value of one may bound another's."""

    def __init__(self, talk: Talk, names: typing.Iterable[str], path: str) -> None:
        self._talk, self._path = talk, path
        self._names = sorted(names)

    # -- what differs

    @abc.abstractmethod
    def _rows(self) -> dict[str, Row]:
        """All variables with a global value, by name."""

    @abc.abstractmethod
    def _ours(self, row: Row) -> bool:
        """Whether a group gave it its value, in its file or in the running engine."""

    @abc.abstractmethod
    def _settle(self, row: Row, wanted: typing.Any) -> bool:
        """Sets one, to its default for None; False: it waits for a restart."""

    @abc.abstractmethod
    def _check(self, name: str, row: Row, wanted: typing.Any) -> None:
        """Raises unless what is in force is what was asked for."""

    # -- what does not

    def take(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        """Sets what can be set; the names that wait for a restart."""
        for _ in range(self.rounds):
            waiting = self._round(group, lower)
        for name, row in self._found().items():
            if name in group and name not in waiting:
                self._check(name, row, group[name])
        return tuple(waiting)

    def _round(self, group: Settings, lower: Settings) -> list[str]:
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
        return waiting

    def _set(self, name: str, wanted: typing.Any) -> None:
        value = "DEFAULT" if wanted is None else word(wanted)
        self._talk.rows(f"SET GLOBAL {name} = {value}", TIMEOUT)

    def _found(self) -> dict[str, Row]:
        """By the names of the file; an alias only where the name itself is none."""
        rows = self._rows()
        return {
            name: rows[own]
            for name in self._names
            for own in [name if name in rows else self.aliases.get(name, name)]
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


def word(wanted: typing.Any) -> str:
    """A value in a statement."""
    match wanted:
        case bool():
            return "ON" if wanted else "OFF"
        case int() | float():
            return str(wanted)
        case _:
            return literal(str(wanted))


def _truth(wanted: typing.Any) -> bool:
    return isinstance(wanted, bool)
