# SPDX-License-Identifier: Apache-2.0
"""What trove-manage prints, for people and for programs."""

import io
import json

import pytest

from trove.cmd.manage_output import Output, distance, moment, span


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (2.34, "2.3 s"),
        (12.4, "12 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (7200, "2 h"),
        (7265, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_span_is_told_in_two_units(seconds, told):
    assert span(seconds) == told


def test_a_moment_is_utc_and_near_or_far():
    assert moment(1.5) == "1970-01-01T00:00:01Z"
    assert moment(1.5, "milliseconds") == "1970-01-01T00:00:01.500Z"
    assert distance(12) == "in 12 s"
    assert distance(-12) == "12 s ago"


def test_what_is_coming_is_told_with_its_distance():
    said = io.StringIO()
    out = Output(as_json=False, to=said)
    out.now = 100.0
    out.rows([{"due": 112.0, "created": 1.0}], ("due", "created"))
    assert "1970-01-01T00:01:52Z (in 12 s)" in said.getvalue()
    assert "1970-01-01T00:00:01Z\n" in said.getvalue()


def test_programs_read_the_same_moments_and_seconds_as_numbers():
    said = io.StringIO()
    out = Output(as_json=True, to=said)
    out.facts({"due": 1.25, "took": 3.5, "steps": [{"begun_at": 2.0, "took": 0.5}]})
    assert json.loads(said.getvalue()) == {
        "due": "1970-01-01T00:00:01.250Z",
        "took": 3.5,
        "steps": [{"begun_at": "1970-01-01T00:00:02.000Z", "took": 0.5}],
    }
