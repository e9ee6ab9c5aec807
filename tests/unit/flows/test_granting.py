# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/flows/granting.py: what a guest wants, by its own word."""

import types

import pytest

from trove.flows import granting
from trove.flows.granting import Wish
from trove.storage.vault.protocol import LIST, Signed


def job(result, state="running"):
    return types.SimpleNamespace(state=state, result=result)


def test_a_wish_is_a_number_of_an_attempt():
    assert granting.wish(job({"attempt": 2, "want": 7})) == Wish(2, 7)
    assert granting.wish(job({"attempt": 1, "want": LIST})) == Wish(1, LIST)


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        {"attempt": 1},
        {"want": 1},
        {"attempt": 0, "want": 1},
        {"attempt": 99, "want": 1},
        {"attempt": True, "want": 1},
        {"attempt": 1, "want": -1},
        {"attempt": 1, "want": 2 * LIST},
        {"attempt": 1, "want": "1"},
        {"attempt": [1], "want": {}},
    ],
)
def test_anything_else_is_none(said):
    assert granting.wish(job(said)) is None


def test_what_has_ended_wants_nothing():
    assert granting.wish(job({"attempt": 1, "want": 1}, state="done")) is None
    assert granting.wish(None) is None


def context(moment):
    return types.SimpleNamespace(
        claim=types.SimpleNamespace(now=lambda: moment),
        settings=types.SimpleNamespace(store_authorities="a CA"),
    )


def signed(attempt, number):
    return Signed(f"http://store/{attempt}/{number}", {"If-None-Match": "*"})


def test_what_is_granted_begins_a_little_before_and_is_bounded():
    said = granting.granted(context(7.5), Wish(2, 100), signed)
    assert (said["serial"], said["attempt"], said["first"]) == (7500, 2, 84)
    assert len(said["requests"]) == granting.TOGETHER
    assert said["authorities"] == "a CA"
    assert said["requests"][0] == ["http://store/2/84", {"If-None-Match": "*"}]
    assert granting.granted(context(8), Wish(1, 3), signed)["first"] == 0


def test_it_ends_where_there_is_nothing_more():
    said = granting.granted(
        context(1),
        Wish(1, 0),
        lambda attempt, number: signed(attempt, number) if number < 3 else None,
    )
    assert len(said["requests"]) == 3


def test_the_list_is_granted_by_itself():
    only = granting.granted(
        context(1),
        Wish(1, LIST),
        lambda attempt, number: signed(attempt, number) if number == LIST else None,
    )
    assert (only["first"], len(only["requests"])) == (LIST, 1)
