# SPDX-License-Identifier: Apache-2.0
"""The rules of parameters as a file: what an engine says of itself, written and read.

One form for all who have it: the agent that asks the engine, the image that carries
it, the guest that checks by it, and the operator who loads it (contract, 10.4).
"""

import json
import typing

from trove import errors
from trove.datastores import values
from trove.datastores.policy import Limit, Rule, Rules
from trove.datastores.protocol import Host
from trove.datastores.spec import Datastore

ROOT = "configuration-parameters"
DIRECTORY = "/usr/share/trove/rules"
"""Where an image has them, a file for each datastore."""

ENDS = ("min", "max")
LISTS = ("values", "members")


class Document(typing.NamedTuple):
    """A file's contents; which engine said so, where the file says it."""

    rules: Rules
    datastore: str | None = None
    engine: str | None = None


def path(datastore: str) -> str:
    """Where an image has the rules of a datastore."""
    return f"{DIRECTORY}/{datastore}.json"


def write(datastore: str, engine: str, rules: Rules) -> str:
    """The text of a file, one parameter a line."""
    entries = [json.dumps({"name": name, **rules[name]}) for name in sorted(rules)]
    lines = ",\n  ".join(entries)
    about = f'"datastore": {json.dumps(datastore)}, "engine": {json.dumps(engine)}'
    return f'{{{about},\n "{ROOT}": [\n  {lines}\n]}}\n'


def read(text: str, name: str) -> Document:
    """The contents of a file of that name; raises ``errors.Invalid`` if it is none.

    Only ``name``, ``type`` and ``restart_required`` must be there.
    """
    try:
        told = json.loads(text)
        entries = told[ROOT]
        rules = {str(entry["name"]): _rule(entry) for entry in entries}
        about = [_text(told.get(key)) for key in ("datastore", "engine")]
    except (ValueError, KeyError, TypeError):
        raise errors.Invalid(f"{name} is no file of {ROOT}.") from None
    if len(rules) < len(entries):
        raise errors.Invalid(f"{name} names a parameter twice.")
    return Document(rules, *about)


def _rule(entry: typing.Any) -> Rule:
    rule: Rule = {"type": str(entry["type"])}
    if rule["type"] not in values.TYPES:
        raise ValueError(rule["type"])
    rule["restart_required"] = bool(entry["restart_required"])
    for end in ENDS:
        bound = entry.get(end)
        if bound is not None:
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise ValueError(bound)
            rule[end] = bound
    for key in LISTS:
        words = entry.get(key)
        if words is not None:
            if not isinstance(words, list):
                raise ValueError(words)
            rule[key] = [str(word) for word in words]
    if (unit := _text(entry.get("unit"))) is not None:
        rule["unit"] = unit
    return rule


def _text(given: typing.Any) -> str | None:
    if given is not None and not isinstance(given, str):
        raise ValueError(given)
    return given


# -- in a guest


def known(host: Host, datastore: Datastore) -> Rules | None:
    """What the engine of this image takes; None: the image does not say."""
    text = host.read_file(host.path(path(datastore.name)))
    if text is None:
        return None
    said = read(text, path(datastore.name)).rules
    # The policy again: who can write that file is no reason to go beyond it.
    return narrowed(datastore.policy, said)


def narrowed(policy: typing.Mapping[str, Limit], said: Rules) -> Rules:
    """Of what an engine says, what the policy leaves."""
    left = {
        name: limit.narrow(said[name]) for name, limit in policy.items() if name in said
    }
    return {name: rule for name, rule in left.items() if rule is not None}


def checked(
    host: Host, datastore: Datastore, group: typing.Mapping[str, typing.Any]
) -> dict[str, typing.Any]:
    """A group's values once more, by the engine of this image, or else by the policy.

    It cannot be widened from outside, whatever the control plane was told to believe.
    """
    by = known(host, datastore)
    if by is not None:
        return values.check(by, group)
    own = values.names(datastore.policy, group)
    for name, given in own.items():
        datastore.policy[name].check(name, given)
    return own
