# SPDX-License-Identifier: Apache-2.0
"""What a Valkey says against a value becomes the rule of a parameter."""

import pytest

from trove.datastores.valkey.agent import rules

INTEGER = "argument couldn't be parsed into an integer"
MEMORY = "argument must be a memory value"


def saying(**answers):
    """What is said to the word, to the least number, and to the largest."""
    by = {rules.WORD: "word", rules.NUMBERS[0]: "low", rules.NUMBERS[1]: "high"}
    return lambda value: answers.get(by[value], "")


@pytest.mark.parametrize(
    "said, rule",
    [
        (
            {"word": "argument(s) must be one of the following: everysec, always, no"},
            {"type": "string", "values": ["everysec", "always", "no"]},
        ),
        ({"word": "argument must be 'yes' or 'no'"}, {"type": "boolean"}),
        (
            {"word": INTEGER, "low": "argument must be between -1 and 500 inclusive"},
            {"type": "integer", "min": -1, "max": 500},
        ),
        (
            {
                "word": MEMORY,
                "low": MEMORY,
                "high": "argument must be between 1 and 9223372036854775807 inclusive",
            },
            {"type": "integer", "min": 1, "max": 2**63 - 1, "unit": "B"},
        ),
        ({"word": MEMORY, "low": MEMORY}, {"type": "integer", "unit": "B"}),
        ({"word": "Invalid event class character."}, {"type": "string"}),
        ({}, {"type": "string"}),
    ],
)
def test_a_rule(said, rule):
    assert rules._rule(saying(**said)) == rule


def test_a_value_that_is_taken_is_taken_back(talk):
    try_ = rules._setting(talk, "bind", "* -::*")
    assert try_("klingon") == ""
    assert talk.said == [
        ("CONFIG", "SET", "bind", "klingon"),
        ("CONFIG", "SET", "bind", "* -::*"),
    ]


def test_what_it_says_against_one_is_repeated(talk, refusal):
    talk.answers["CONFIG SET"] = refusal("ERR can't set immutable config")
    said = rules._setting(talk, "port", "0")("x")
    assert rules.FIXED.search(said)
