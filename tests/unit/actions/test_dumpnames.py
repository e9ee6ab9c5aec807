# SPDX-License-Identifier: Apache-2.0
"""The names of dumps: held by a request, then by an operation, and let go of."""

import pytest

from tests.api.world import DEMO, OTHER
from trove.actions import dumpnames
from trove.actions.begin import Token
from trove.actions.dumpnames import HELD, UnderWay


@pytest.fixture
def reserve(world):
    def ask(name, token=None, project=DEMO, container="mine"):
        return dumpnames.reserve(world.services, project, container, name, token)

    return ask


def taken(world, reserved):
    world.database.run(reserved.taken)


@pytest.mark.parametrize(
    "one, other, both",
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a/b", "a", True),
        ("a/parts/0", "a", True),
        ("a", "ab", False),
        ("a/b", "a/c", False),
        ("A", "a", False),
    ],
)
def test_whether_two_names_are_in_each_others_way(one, other, both):
    assert dumpnames.overlap(one, other) is both


def test_a_request_holds_a_name_until_it_lets_it_go(world, reserve):
    first = reserve("a")
    with pytest.raises(UnderWay, match="a/b into mine"):
        reserve("a/b")
    others = reserve("b"), reserve("a", container="yours"), reserve("a", project=OTHER)
    first.release(world.services)
    reserve("a")
    for other in others:
        taken(world, other)


def test_one_that_died_holds_it_for_some_minutes(world, reserve):
    late = reserve("a")
    world.clock += HELD - 1
    with pytest.raises(UnderWay):
        reserve("a")
    world.clock += 1
    second = reserve("a")
    with pytest.raises(UnderWay):
        taken(world, late)
    taken(world, second)


def test_a_slow_one_goes_on_when_nobody_else_came(world, reserve):
    late = reserve("a")
    world.clock += 9 * HELD
    taken(world, late)
    with pytest.raises(UnderWay):
        taken(world, late)


def test_a_request_that_comes_again_with_its_key_has_it_still(world, reserve):
    """The first one may have died, or be at work: it is the same export."""
    token = Token("k", None)
    first, again = reserve("a", token), reserve("a", token)
    with pytest.raises(UnderWay):
        reserve("a", Token("other", None))
    assert first == again
    taken(world, again)
