# SPDX-License-Identifier: Apache-2.0
"""MySQL's names: what it would store, and what it would store otherwise."""

import pytest

from trove import errors
from trove.datastores import registry

NAMING = registry.get("mysql").naming


@pytest.mark.parametrize("name", ["u" * 32, "漢" * 32, "'", "'a", "a'", '"a"'])
def test_a_user_that_it_keeps(name):
    NAMING.check_user(name)


@pytest.mark.parametrize("name", ["u" * 33, "\U0001f600", "''", "'a'", "mysql.sys"])
def test_a_user_that_it_would_not_let_in_or_would_call_otherwise(name):
    with pytest.raises(errors.Invalid):
        NAMING.check_user(name)


@pytest.mark.parametrize("name", ["d" * 64, "_" * 64, "%" * 51])
def test_a_database_that_it_keeps(name):
    """A grant is for the name itself: nothing in it is escaped, and none is longer."""
    NAMING.check_database(name)


@pytest.mark.parametrize(
    "name", ["d" * 65, "%" * 52, "\U0001f600", "#mysql50#x", "sys", "trove_internal"]
)
def test_a_database_that_it_has_no_room_for_or_has_itself(name):
    with pytest.raises(errors.Invalid):
        NAMING.check_database(name)


def test_another_series_does_not_take_data_over():
    assert registry.get("mysql").same == 1
