# SPDX-License-Identifier: Apache-2.0
"""Values of a group are known, typed and in range, or refused."""

import pytest

from trove import errors
from trove.datastores import values

PARAMETERS = {
    "size": {"type": "integer", "min": 1, "max": 9, "restart_required": False},
    "ratio": {"type": "float", "min": 0, "max": 1, "restart_required": False},
    "on": {"type": "boolean", "restart_required": False},
    "mode": {"type": "string", "pattern": "a|b", "restart_required": False},
}


def test_what_is_right_passes_under_its_own_name():
    given = {"SIZE": 1, "ratio": 1, "on": True, "mode": "b"}
    assert values.check(PARAMETERS, given) == {
        "size": 1,
        "ratio": 1,
        "on": True,
        "mode": "b",
    }


@pytest.mark.parametrize(
    "name, value",
    [
        ("size", 0),
        ("size", 10),
        ("size", "1"),
        ("size", 1.0),
        ("size", True),
        ("ratio", float("nan")),
        ("ratio", 1.1),
        ("ratio", True),
        ("on", 1),
        ("on", "on"),
        ("mode", "c"),
        ("mode", "a\n"),
        ("mode", "a\nevil = 1"),
        ("mode", None),
        ("other", 1),
    ],
)
def test_what_is_wrong_is_refused_with_its_name(name, value):
    with pytest.raises(errors.Invalid, match=name):
        values.check(PARAMETERS, {name: value})


WORDS = {
    "word": {"type": "string", "values": ["Off", "ON"]},
    "list": {"type": "string", "members": ["ANSI", "strict"]},
    "none": {"type": "string"},
}


def test_words_are_the_engines_whatever_their_case():
    given = {"word": "off", "list": "STRICT,ansi"}
    assert values.check(WORDS, given) == given
    assert values.check(WORDS, {"list": ""}) == {"list": ""}


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("word", "often", "not one of: Off, ON"),
        ("word", "", "not one of"),
        ("list", "ansi,x", "not a list of: ANSI, strict"),
        ("list", "ansi, strict", "not a list"),
        ("list", "ansi\n", "not a list"),
        ("none", "a", "not one that it can have"),
    ],
)
def test_another_word_is_refused_with_those_there_are(name, value, says):
    with pytest.raises(errors.Invalid, match=says):
        values.check(WORDS, {name: value})
