# SPDX-License-Identifier: Apache-2.0
"""Dates have no zone and no fraction."""

from trove.api import dates


def test_shown() -> None:
    assert dates.shown(1_800_000_000.987) == "2027-01-15T08:00:00"
    assert dates.shown(None) is None
