# SPDX-License-Identifier: Apache-2.0
"""The parameters of a running Valkey: a group's values taken, and read back."""

import re
import typing

from trove import errors
from trove.datastores.layers import Settings
from trove.datastores.unit import scrub
from trove.datastores.valkey.agent.rules import every
from trove.datastores.valkey.agent.wire import Refusal, Talk

TIMEOUT = 20.0
"""Seconds for one command: to make do with less memory takes its time."""

IMMUTABLE = re.compile(r"argument '([^']+)'\) - can't set immutable")


def word(value: typing.Any) -> str:
    """A value as the engine writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def take(talk: Talk, wanted: Settings, group: Settings) -> tuple[str, ...]:
    """Has these values in force, all of them or none; the names that wait.

    ``group`` are those of them that a group says: they are read back. Raises
    ``errors.Invalid`` when the engine refuses one.
    """
    now = every(talk)
    other = {
        name: word(value)
        for name, value in wanted.items()
        if not same(now.get(name), value)
    }
    waiting = []
    while other:
        fixed = _set(talk, other)
        if fixed is None:
            break
        waiting.append(fixed)
        del other[fixed]
    now = every(talk)
    for name, value in group.items():
        # A text is what the engine made of it: it puts letters in its own order.
        if name not in waiting and not (
            same(now.get(name), value) or isinstance(value, str)
        ):
            why = f"{name} was set to {value}, and is {now.get(name)}"
            raise errors.EngineFailed(why=why)
    return tuple(sorted(waiting))


def same(now: str | None, wanted: typing.Any) -> bool:
    """Whether the engine's word for a value is this value."""
    return now is not None and now.casefold() == word(wanted).casefold()


def _set(talk: Talk, values: dict[str, str]) -> str | None:
    """Sets all at once; the name of one that cannot change while it runs."""
    words = [text for pair in values.items() for text in pair]
    try:
        talk.ask("CONFIG", "SET", *words, within=TIMEOUT)
    except Refusal as refused:
        fixed = IMMUTABLE.search(str(refused))
        if fixed is None or fixed[1] not in values:
            raise errors.Invalid(why=scrub(str(refused))) from refused
        return fixed[1]
    return None
