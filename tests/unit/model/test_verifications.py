# SPDX-License-Identifier: Apache-2.0
"""Which backups are verified: so many of a week, spread, and none twice."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.model import verifications
from trove.model.verifications import EVERY, MOST, NEVER, WEEK, chosen

DAY, HOUR = 86400.0, 3600.0
MONDAY = 2900 * WEEK


def taken(often, moments, window=120):
    last, found = None, []
    for moment in moments:
        if chosen(often, window, last, moment):
            found.append(moment)
            last = moment
    return found


def test_every_one_or_none():
    moments = [MONDAY + n * HOUR for n in range(9)]
    assert taken(EVERY, moments) == moments
    assert taken(NEVER, moments) == []


def test_a_daily_one_is_each_days_though_it_begins_a_little_earlier():
    """No turn is lost because a backup waited less for its own than the last one."""
    late = [30.0, 5.0, 45.0, 1.0, 59.0, 2.0, 3.0]
    moments = [MONDAY + n * DAY + 2 * HOUR + late[n] for n in range(7)]
    assert taken(7, moments) == moments


def test_one_a_week_is_the_first_of_its_week():
    """The week begins with the window."""
    moments = [MONDAY + 2 * HOUR + n * 6 * HOUR for n in range(60)]
    assert taken(1, moments) == [moments[0], moments[28], moments[56]]


@given(
    st.integers(1, MOST),
    st.integers(0, 24 * 60 - 1),
    st.lists(st.floats(0, 2 * WEEK), max_size=60),
)
def test_a_week_has_no_more_than_so_many(often, window, offsets):
    moments = sorted(MONDAY + offset for offset in offsets)
    found = taken(often, moments, window)
    weeks = [(moment - window * 60) // WEEK for moment in found]
    assert all(weeks.count(week) <= often for week in set(weeks))
    assert not moments or found[0] == moments[0]


@pytest.mark.parametrize("said", ["every", "never", "1", "9", "10", "99", "100", "168"])
def test_what_is_written_is_read(said):
    assert re.fullmatch(verifications.WORDS, said)
    assert str(verifications.written(verifications.often(said))) == said


@pytest.mark.parametrize("said", ["0", "169", "170", "200", "007", "-1", "", "Every"])
def test_what_is_no_number_of_a_week(said):
    assert not re.fullmatch(verifications.WORDS, said)
