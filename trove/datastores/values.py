# SPDX-License-Identifier: Apache-2.0
"""Checks the values of a configuration group against a datastore's parameters.

Only a known name with a value of its type and range passes, so nothing an engine would
load, run or open can be said in a group (an allow-list, not a list of evils).
"""

import re
import typing

from trove import errors

TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "float": (int, float),
    "boolean": (bool,),
    "string": (str,),
}


def check(
    parameters: typing.Mapping[str, typing.Mapping[str, typing.Any]],
    values: typing.Mapping[str, typing.Any],
) -> dict[str, typing.Any]:
    """The values by their parameters' own names; raises ``errors.Invalid``."""
    own = names(parameters, values)
    return {name: _one(name, parameters[name], value) for name, value in own.items()}


def names(
    known: typing.Iterable[str], values: typing.Mapping[str, typing.Any]
) -> dict[str, typing.Any]:
    """The values by the names as they are known; raises ``errors.Invalid``."""
    owned = {name.lower(): name for name in known}
    found: dict[str, typing.Any] = {}
    for name, value in values.items():
        own = owned.get(name.lower())
        if own is None:
            raise errors.Invalid(why=f"There is no parameter {name!r}.")
        found[own] = value
    return found


def _one(
    name: str, parameter: typing.Mapping[str, typing.Any], value: typing.Any
) -> typing.Any:
    kind = parameter["type"]
    # A bool is an int in Python, and is none here.
    if not isinstance(value, TYPES[kind]) or (
        isinstance(value, bool) and kind != "boolean"
    ):
        raise errors.Invalid(why=f"The value of {name} is not of type {kind}.")
    if kind in ("integer", "float"):
        low, high = parameter.get("min"), parameter.get("max")
        # Written so that a float that is no number (nan) fails.
        if low is not None and not value >= low:
            raise errors.Invalid(why=f"The value of {name} is below {low}.")
        if high is not None and not value <= high:
            raise errors.Invalid(why=f"The value of {name} is above {high}.")
    if kind == "string":
        _text(name, parameter, str(value))
    return value


def _text(name: str, parameter: typing.Mapping[str, typing.Any], value: str) -> None:
    """One of the engine's words, some of its members, or what the pattern allows."""
    words, members = parameter.get("values"), parameter.get("members")
    pattern = parameter.get("pattern")
    if words is not None and value.casefold() not in map(str.casefold, words):
        raise errors.Invalid(
            why=f"The value of {name} is not one of: {', '.join(words)}."
        )
    if members is not None:
        known = set(map(str.casefold, members))
        if value and not set(value.casefold().split(",")) <= known:
            raise errors.Invalid(
                why=f"The value of {name} is not a list of: {', '.join(members)}."
            )
    bounded = words is not None or members is not None
    if not (re.fullmatch(pattern, value) if pattern is not None else bounded):
        raise errors.Invalid(why=f"The value of {name} is not one that it can have.")
