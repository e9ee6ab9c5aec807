# SPDX-License-Identifier: Apache-2.0
"""Limits are bounded, and a last page has no link."""

import pytest

from trove import errors
from trove.api import paging
from trove.api.links import Links


def test_limits() -> None:
    assert paging.wanted({}, 20) == paging.Wanted(20)
    assert paging.wanted({"limit": "5", "marker": "m"}, 20) == paging.Wanted(5, "m")
    assert paging.wanted({"limit": "500"}, 20).limit == 20


@pytest.mark.parametrize("limit", ["", "0", "-1", "abc", "1.5", "٣", "9" * 40, " 1"])
def test_no_limit(limit: str) -> None:
    with pytest.raises(errors.Invalid):
        paging.wanted({"limit": limit}, 20)


def test_a_marker_is_as_it_is_unless_the_link_says_otherwise() -> None:
    assert paging.marker({}) is paging.marker({"marker": ""}) is None
    assert paging.marker({"marker": "100%25"}) == "100%25"
    assert paging.marker({"marker": "100%2525", "marker_quoted": "1"}) == "100%25"
    with pytest.raises(errors.Invalid):
        paging.marker({"marker": "%ff", "marker_quoted": "1"})


def test_the_last_page_has_no_link() -> None:
    assert paging.links(Links("h"), {}, paging.Page([1]), "things") == {}
    more = paging.links(Links("h"), {}, paging.Page([1], "m"), "things")
    assert set(more) == {"links", "things_links"}
