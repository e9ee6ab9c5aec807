# SPDX-License-Identifier: Apache-2.0
"""Links lead to where they say."""

import urllib.parse

from trove.api.links import Links
from trove.api.paging import marker

HERE = Links("https://h:8779", "t", "instances/7/users")


def test_a_thing_has_two() -> None:
    assert HERE.of("instances", "7") == [
        {"rel": "self", "href": "https://h:8779/v1.0/t/instances/7"},
        {"rel": "bookmark", "href": "https://h:8779/instances/7"},
    ]


def test_a_marker_survives_those_who_decode_once_and_those_who_follow() -> None:
    for name in ("u%@%", "a&b=c#d+e f", "ü@10.0.0.1", "100%25", "%2525", "shop"):
        (link,) = HERE.next({"limit": "2", "marker": "old"}, name)
        query = urllib.parse.urlsplit(link["href"]).query
        once = dict(urllib.parse.parse_qsl(query))
        assert once["limit"] == "2"
        # follows the link
        assert marker(once) == name
        # takes the marker out and puts it, as it is, into a query of its own
        again = urllib.parse.parse_qsl(f"marker={once['marker']}")
        assert marker(dict(again)) == name
