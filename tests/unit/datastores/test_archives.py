# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/archives.py: files of a log are in a row, or it is lost."""

import pytest

from trove.datastores.archives import LogFile, Lost, in_a_row, whole


def files(*places):
    return [LogFile(place, f"log.{place}", 1) for place in places]


def test_what_comes_after_a_place_is_in_its_order():
    assert in_a_row(files(5, 3, 4, 2), after=3) == files(4, 5)
    assert in_a_row(files(1, 2), after=2) == []


@pytest.mark.parametrize("there", [(5,), (4, 6), (4, 5, 7)])
def test_one_that_is_not_there_is_lost(there):
    with pytest.raises(Lost, match="is not there"):
        in_a_row(files(*there), after=3)


def test_all_that_was_ended_is_there():
    assert whole(files(2, 3, 4), after=2, current=5) == files(3, 4)
    assert whole(files(2), after=2, current=3) == []
    for there, current in (((3,), 5), ((), 4), ((2, 3), 2)):
        with pytest.raises(Lost):
            whole(files(*there), after=2, current=current)
