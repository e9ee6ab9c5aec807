# SPDX-License-Identifier: Apache-2.0
"""The policy of a datastore: which parameters a user may set, and how far.

Names and limits only. What type a parameter is of, its range and whether it waits for a
restart is the engine's own word; a limit may narrow that, and widens nothing.
"""

import dataclasses
import json
import math
import pathlib
import re
import typing

from trove import errors

Rule = dict[str, typing.Any]
Rules = dict[str, Rule]

LARGEST = 2**63 - 1
"""What clients read a number into; an engine may take more."""

WORDS = re.compile(r"[A-Za-z0-9_ ,=.+-]{0,4000}")
"""A text of which nothing more is known: no path, no quote, no second line."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """How far one parameter may be set. ``until``: this version has it no more."""

    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    until: str | None = None

    def narrow(self, said: Rule) -> Rule | None:
        """Of what an engine says, what this leaves; None: nothing that can be said.

        A text that neither the engine nor this bounds is such a one.
        """
        rule = dict(said)
        if rule["type"] in ("integer", "float"):
            low = [end for end in (rule.get("min"), self.min) if end is not None]
            high = [end for end in (rule.get("max"), self.max) if end is not None]
            if rule["type"] == "integer":
                high.append(LARGEST)
            rule |= {"min": max(low)} if low else {}
            rule |= {"max": min(high)} if high else {}
            fits = not (low and high) or rule["min"] <= rule["max"]
            return rule if fits and not (self.values or self.pattern) else None
        if self.min is not None or self.max is not None:
            return None
        if rule["type"] == "boolean":
            return None if self.values or self.pattern else rule
        if self.values:
            left = self._left(rule.get("values", self.values))
            if not left:
                return None
            rule["values"] = left
        if self.pattern:
            rule["pattern"] = self.pattern
        bounded = rule.keys() & {"values", "members", "pattern"}
        return rule if bounded else None

    def keep(self, name: str, rule: Rule) -> Rule:
        """The rule, which must be within this; raises ``errors.Invalid``."""
        left = self.narrow(rule)
        if left is None:
            raise errors.Invalid(
                f"Parameter {name} cannot be of type {rule['type']} here."
            )
        low, high = rule.get("min", left.get("min")), rule.get("max", left.get("max"))
        if (low, high) != (left.get("min"), left.get("max")):
            raise errors.Invalid(
                f"Parameter {name} can be from {left.get('min')} to {left.get('max')}."
            )
        if len(left.get("values", ())) < len(rule.get("values", ())):
            words = ", ".join(left["values"])
            raise errors.Invalid(f"Parameter {name} can be one of: {words}.")
        return left

    def check(self, name: str, value: typing.Any) -> None:
        """Refuses a value, where nothing is known but this: the engine tries it out.

        Raises ``errors.Invalid``.
        """
        match value:
            case bool():
                fits = not (self.values or self.pattern or self._numbers)
            case int() | float():
                fits = self._holds(value)
            case str() if self.pattern:
                fits = bool(re.fullmatch(self.pattern, value))
            case str() if self.values:
                fits = bool(self._left([value]))
            case str():
                fits = not self._numbers and bool(WORDS.fullmatch(value))
            case _:
                fits = False
        if not fits:
            raise errors.Invalid(
                why=f"The value of {name} is not one that it can have."
            )

    @property
    def _numbers(self) -> bool:
        return self.min is not None or self.max is not None

    def _holds(self, number: float) -> bool:
        low = -math.inf if self.min is None else self.min
        high = LARGEST if self.max is None else self.max
        wordless = not (self.values or self.pattern)
        return wordless and math.isfinite(number) and low <= number <= high

    def _left(self, words: typing.Iterable[str]) -> list[str]:
        allowed = {word.casefold() for word in self.values}
        return [word for word in words if word.casefold() in allowed]


def policy(package: str) -> dict[str, Limit]:
    """The limits beside a ``spec.py``, by name: its ``policy.json``."""
    module = __import__(package, fromlist=["__file__"])
    path = pathlib.Path(str(module.__file__)).with_name("policy.json")
    with path.open(encoding="utf-8") as file:
        return {entry.pop("name"): _limit(entry) for entry in json.load(file)}


def _limit(entry: dict[str, typing.Any]) -> Limit:
    return Limit(**{**entry, "values": tuple(entry.get("values", ()))})
