# SPDX-License-Identifier: Apache-2.0
"""What an engine says of a value, and what was asked for."""

import pytest

from trove.datastores.classic.variables import near, same, word


@pytest.mark.parametrize(
    "value, wanted, is_it",
    [
        ("ON", True, True),
        ("OFF", True, False),
        ("10.000000", 10, True),
        ("row", "ROW", True),
        ("11", 10, False),
        (None, None, True),
        ("", None, False),
    ],
)
def test_a_value_is_the_one_that_was_asked_for(value, wanted, is_it):
    assert same(value, wanted) is is_it


@pytest.mark.parametrize(
    "value, wanted, is_it",
    [
        ("16384", 16385, True),
        ("1000", 1200, False),
        ("OFF", True, False),
        ("a mode, written out", "mode", True),
        ("no number", 7, False),
    ],
)
def test_a_number_may_be_rounded_and_nothing_else(value, wanted, is_it):
    assert near(value, wanted) is is_it


def test_a_word_of_a_statement_is_quoted():
    assert [word(each) for each in (True, False, 7, 1.5, "a'b")] == [
        "ON",
        "OFF",
        "7",
        "1.5",
        "'a\\'b'",
    ]
