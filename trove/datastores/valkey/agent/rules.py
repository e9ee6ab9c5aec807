# SPDX-License-Identifier: Apache-2.0
"""What this very Valkey says of its parameters: types, ranges, words, and whether live.

It has no table of them, but it says what is wrong with a value: of what type it is not,
between which numbers it must be, or of which words it is none.
"""

import re
import typing

from trove.datastores.policy import Rule
from trove.datastores.protocol import Description, Host
from trove.datastores.valkey.agent.health import facts
from trove.datastores.valkey.agent.throwaway import stopped_short, throwaway
from trove.datastores.valkey.agent.wire import Refusal, Talk

ASK = 10.0

WORD = "klingon"
NUMBERS = (str(-(2**63)), "9" * 20)
"""Out of every range: of numbers with a sign, and of sizes in bytes."""

FIXED = re.compile("immutable|protected config")
SIZE = "memory value"
KINDS = {
    "'yes' or 'no'": "boolean",
    "parsed into an integer": "integer",
    SIZE: "integer",
}
WORDS = re.compile(r"one of the following: ([\w, -]+)")
RANGE = re.compile(r"between (-?\d+) and (-?\d+) inclusive")

Try = typing.Callable[[str], str]
"""What the engine says against a value; empty: it takes it."""


def describe(host: Host) -> Description:
    """The rules of all parameters, and the engine's version."""
    with throwaway(host) as (work, talk):
        version = facts(talk.ask("INFO", "server", within=ASK))["valkey_version"]
        rules = {}
        for name, value in sorted(every(talk).items()):
            said = _set(talk, name, WORD)
            fixed = bool(FIXED.search(said))
            try_ = _starting(host, work, name) if fixed else _setting(talk, name, value)
            rules[name] = {**_rule(try_), "restart_required": fixed}
    return Description(version, rules)


def every(talk: Talk) -> dict[str, str]:
    """All parameters of a running engine, and their values as it writes them."""
    said = talk.pairs("CONFIG", "GET", "*", within=ASK)
    return {name: str(value) for name, value in said.items()}


def defaults(host: Host) -> dict[str, str]:
    """What this engine has where no file says otherwise."""
    with throwaway(host) as (_, talk):
        return every(talk)


def _set(talk: Talk, name: str, value: str) -> str:
    try:
        talk.ask("CONFIG", "SET", name, value, within=ASK)
    except Refusal as refused:
        return str(refused)
    return ""


def _setting(talk: Talk, name: str, before: str) -> Try:
    """By setting it in a running server, which then has its own value again."""

    def try_(value: str) -> str:
        said = _set(talk, name, value)
        if not said:
            _set(talk, name, before)
        return said

    return try_


def _starting(host: Host, work: str, name: str) -> Try:
    """By starting a server that ends as soon as it has read what it is given."""
    return lambda value: stopped_short(host, f"--{name}", value, "--dir", work)


def _rule(try_: Try) -> Rule:
    said = try_(WORD)
    if words := WORDS.search(said):
        return {"type": "string", "values": words[1].split(", ")}
    kind = next((kind for key, kind in KINDS.items() if key in said), "string")
    rule: Rule = {"type": kind}
    if kind == "integer":
        answers = (RANGE.search(try_(number)) for number in NUMBERS)
        if found := next(filter(None, answers), None):
            rule |= {"min": int(found[1]), "max": int(found[2])}
        if SIZE in said:
            rule["unit"] = "B"
    return rule
