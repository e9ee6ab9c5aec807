# SPDX-License-Identifier: Apache-2.0
"""Rules are what the engine says: each end of one it takes, and nothing beyond it.

That it takes both ends of every rule, and that restart_required agrees with what then
waits, is in test_groups: each of them is set in a running engine.
"""

import json
import math
import re

import pytest

from tests.contract.datastore.conftest import SIZING, printed
from trove import errors
from trove.datastores import registry, rules
from trove.datastores.policy import LARGEST

UNBOUNDED = 1.79769e308
"""What an engine says of a number that it does not bound."""


def of_another(limit, version):
    """Whether an engine of that version has it no more."""
    numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
    return limit.until is not None and numbers >= [
        int(number) for number in limit.until.split(".")
    ]


def beyond(rule):
    """Values that are next to what the engine itself says it takes."""
    match rule["type"]:
        case "integer" | "float" if "min" in rule:
            low, high = rule["min"], rule["max"]
            step = 1 if rule["type"] == "integer" else max(1e-3, high / 1e3)
            # MariaDB takes -1 for a whole number without a sign as an error of its own.
            yield low - step
            if high < min(UNBOUNDED, 2**64 - 1):
                yield high + step
        case "boolean":
            yield 7
        case _ if "values" in rule or "members" in rule:
            yield "klingon"


def test_every_name_of_the_policy_is_the_engines(lab):
    version, said = lab.described.version, lab.described.rules
    for name, limit in registry.get(lab.name).policy.items():
        assert (name in said) != of_another(limit, version), name


def test_a_policy_is_long_and_every_name_of_it_gets_a_rule(lab):
    said = lab.described.rules
    policy = registry.get(lab.name).policy
    assert len(policy) > lab.client.many[0]
    assert set(lab.rules) == set(policy) & set(said)


def test_the_engine_refuses_what_is_next_to_every_range(lab):
    said = lab.described.rules
    tried, taken = 0, []
    for name in lab.rules:
        live = not said[name]["restart_required"]
        if said[name]["type"] == "boolean" and not live:
            continue  # of an option MariaDB takes any word for OFF, or ON
        for value in beyond(said[name]):
            tried += 1
            if lab.client.takes(name, value, live):
                taken.append((name, value))
    assert taken == []
    assert tried > lab.client.many[1]


def test_what_is_next_to_every_rule_reaches_no_engine(lab):
    for name, rule in lab.rules.items():
        for value in (*beyond(rule), math.nan, [], None):
            with pytest.raises(errors.Invalid, match=name):
                rules.checked(lab.machine, registry.get(lab.name), {name: value})


def test_a_declared_rule_is_within_the_generated_one(lab):
    for name, declared in registry.get(lab.name).parameters.items():
        rule = lab.rules[name]
        for same in ("type", "restart_required"):
            assert declared[same] == rule[same], name
        if declared["type"] in ("integer", "float"):
            assert rule["min"] <= declared["min"] < declared["max"] <= rule["max"], name


def test_numbers_fit_into_what_clients_read(lab):
    numbers = [rule for rule in lab.rules.values() if rule["type"] == "integer"]
    assert max(rule["max"] for rule in numbers) <= LARGEST
    assert all(type(rule[end]) is int for rule in numbers for end in ("min", "max"))


def test_the_agent_prints_the_file_and_leaves_nothing(lab):
    """The command, on this very machine, or in the image."""
    text = printed(lab)
    said = rules.read(text, "stdout")
    assert (said.datastore, said.engine) == (lab.name, lab.described.version)
    assert said.rules.keys() == lab.rules.keys()
    assert json.loads(text)[rules.ROOT][0]["name"] == min(lab.rules)
    assert not lab.machine.exists("/var/lib/trove-rules")
    assert lab.engine.health().state == "healthy", "a running engine was not touched"


def test_without_the_images_word_the_policy_bounds_and_the_engine_decides(lab):
    """An image made by hand may have no rules; S6 holds by the policy and the trial."""
    path = lab.machine.path(rules.path(lab.name))
    text = lab.machine.read_file(path)
    lab.machine.remove(path)
    try:
        live = lab.client.harmless
        assert lab.engine.regroup(SIZING, {live: 3}, 7) == ()
        for group in (
            {live: 10**9},
            {live: "3\nplugin_load_add = x"},
            {live: "id -u > /x"},
            {"plugin_load_add": "x"},
            {"archive_command": "x"},
            {"max_connections": -5},
        ):
            with pytest.raises(errors.Invalid):
                lab.engine.regroup(SIZING, group, 7)
    finally:
        lab.machine.write_file(path, text)
        lab.engine.regroup(SIZING, {}, 7)
