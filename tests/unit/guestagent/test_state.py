# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/state.py: what is read is what was written, or is told."""

import pytest

from trove.guestagent import state
from trove.guestagent.disks import Volume


def test_boots_only_grow(places):
    first = [state.next_boot(places, clock=lambda: 4e8) for _ in range(3)]
    assert first == [400_000_000, 400_000_001, 400_000_002]
    places.boot.write_text("gibberish")
    assert state.next_boot(places, clock=lambda: 5e8) == 500_000_000
    assert state.next_boot(places) == 500_000_001


def test_a_course_is_read_as_written(places):
    assert state.load_course(places) == state.Course()
    course = state.Course(Volume("u", "l", "xfs", True), run=True, prepared=True)
    state.save_course(places, course)
    assert state.load_course(places) == course
    assert places.course.stat().st_mode & 0o777 == 0o600


def test_a_guest_is_read_as_written(places):
    with pytest.raises(state.StateError):
        state.load_guest(places)
    guest = state.Guest("i", "toy", "toy.agent", "/data", "nobody")
    state.save_guest(places, guest)
    assert state.load_guest(places) == guest


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "1", '{"odd": 1}', '{"run": true, "volume": {"a": 1}}']
)
def test_what_is_not_a_state_is_told(places, content):
    places.course.write_text(content)
    with pytest.raises(state.StateError):
        state.load_course(places)
    places.guest.write_text(content)
    with pytest.raises(state.StateError):
        state.load_guest(places)
