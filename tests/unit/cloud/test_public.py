# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/cloud/public.py."""

import pytest

from trove.cloud import public
from trove.cloud.protocol import Network

INNER = Network("n-1", "guests")
NORTH = Network("n-2", "north", public=True)
SOUTH = Network("n-3", "south", public=True)


@pytest.mark.parametrize(
    ("networks", "wanted", "found"),
    [
        ([INNER, NORTH], None, NORTH),
        ([INNER, NORTH], "", NORTH),
        ([INNER, NORTH, SOUTH], None, None),
        ([INNER, NORTH, SOUTH], "south", SOUTH),
        ([INNER, NORTH, SOUTH], "n-2", NORTH),
        ([INNER, NORTH], "guests", None),
        ([INNER], None, None),
    ],
)
def test_one_is_chosen_or_none(networks, wanted, found):
    assert public.choose(networks, wanted) is found
