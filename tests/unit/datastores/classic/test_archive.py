# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/classic/archive.py: where the log of a backup goes on."""

import pytest

from trove.datastores.classic import archive


@pytest.mark.parametrize(
    "mark",
    [
        "binlog.000004:1234",
        "filename 'binlog.000004', position '1234', GTID of the last change '0-7-2'",
        "filename 'binlog.000004', position '1234'",
    ],
)
def test_where_a_log_goes_on(mark):
    assert archive.begins(mark) == (4, 1234)
    words = archive.marked(mark)
    assert words["place"] == "4" and float(words["at"]) > 1.7e9


def test_a_backup_without_a_log_has_no_place():
    assert archive.begins("") is None
    assert set(archive.marked("")) == {"at"}


def test_a_number_grows_longer():
    assert archive.number("binlog.1000000") == 1_000_000
