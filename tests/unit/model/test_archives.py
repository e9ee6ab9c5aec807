# SPDX-License-Identifier: Apache-2.0
"""What an archive restores: bases, spans, what is kept, and when another begins."""

import pytest

from trove.model.archives import AGAIN, MOST_AGAIN, Base, Span, base, kept_from, pause

A, B, C = Base("a", 10, 100.0), Base("b", 30, 200.5), Base("c", 20, 150.0)
ALL = (A, B, C)


@pytest.mark.parametrize(
    ("moment", "found"),
    [(99.9, None), (100.0, A), (149.9, A), (150.0, C), (200.4, C), (9e9, B), (None, A)],
)
def test_the_last_backup_before_a_moment_is_its_base(
    moment: float | None, found: Base | None
) -> None:
    assert base(ALL, moment) == base(reversed(ALL), moment) == found
    assert base((), moment) is None


def test_what_is_kept_begins_where_the_window_does() -> None:
    for since, place in ((0.0, 10), (100.0, 10), (160.0, 20), (9e9, 30)):
        assert kept_from(ALL, since) == place
    assert kept_from((), 5.0) is None


def test_a_span_has_its_ends_and_is_shown_in_whole_seconds() -> None:
    span = Span(100.25, 200.75)
    assert [span.has(each) for each in (100.2, 100.25, 200.75, 200.8)] == [
        False,
        True,
        True,
        False,
    ]
    assert span.seconds == Span(101, 200)
    assert Span(100.25, 100.75).seconds is None
    assert Span(5.0, 5.0).seconds == Span(5, 5)


def test_the_first_gap_of_a_day_is_closed_at_once() -> None:
    pauses = [pause(gaps) for gaps in range(1, 9)]
    assert pauses[:4] == [0.0, AGAIN, 2 * AGAIN, 4 * AGAIN]
    assert pauses[-1] == pause(999) == MOST_AGAIN
