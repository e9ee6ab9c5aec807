# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/pulse.py: what it keeps, and what it makes of a refusal."""

import pytest

from trove.datastores.protocol import Health
from trove.datastores.pulse import Filled, Pulse
from trove.datastores.unit import Unit


class Refused(Exception):
    pass


class Talk:
    closed = False

    def close(self):
        self.closed = True


class Probe:
    failures = (Refused,)

    def __init__(self):
        self.state, self.full, self.why = "healthy", False, ""
        self.broken = set()
        self.made = []

    def connect(self):
        if "connect" in self.broken or self.full:
            raise Refused("full" if self.full else "no")
        self.made.append(Talk())
        return self.made[-1]

    def crowded(self, failed):
        return str(failed) == "full"

    def look(self, talk, left):
        assert 0 < left() <= 2.7
        if "look" in self.broken:
            raise Refused
        return Health(self.state, why=self.why, role="source")

    def write(self, talk, found, left):
        if "write" in self.broken:
            raise Refused("no space left")
        if "room" in self.broken:
            raise Filled("its memory is full")


@pytest.fixture
def probe():
    return Probe()


@pytest.fixture
def pulse(probe, host):
    host.state = "active"
    return Pulse(probe, Unit(host, "x.service", "/x", "x"))


def test_a_write_makes_it_healthy(pulse):
    assert pulse.take() == Health("healthy", role="source")


def test_what_an_engine_says_of_its_state_is_told(pulse, probe):
    probe.state, probe.why = "starting", "it reads its data"
    found = pulse.take()
    assert (found.state, found.why) == ("starting", "it reads its data")


def test_only_the_last_connection_is_kept(pulse, probe):
    pulse.take()
    pulse.take()
    assert [talk.closed for talk in probe.made] == [True, False]
    pulse.forget()
    assert probe.made[-1].closed


def test_when_all_are_taken_the_kept_one_tells_the_truth(pulse, probe):
    probe.full = True
    assert pulse.take() == Health("running", "all connections are in use")
    probe.full = False
    pulse.take()
    probe.full = True
    assert pulse.take().state == "healthy"
    probe.broken.add("write")
    assert pulse.take().why == "a write failed: no space left"


def test_a_failed_write_is_no_health(pulse, probe):
    probe.broken.add("write")
    assert pulse.take() == Health(
        "running", "a write failed: no space left", role="source"
    )
    assert probe.made[-1].closed


def test_one_that_has_no_room_is_read_only_and_was_not_told_to_be(pulse, probe):
    probe.broken.add("room")
    why = "its memory is full"
    assert pulse.take() == Health("read_only", why, role="source", filled=True)
    assert not probe.made[-1].closed, "it answers"


def test_read_only_stays_so_whether_the_probe_may_write_or_not(pulse, probe):
    probe.state = "read_only"
    assert pulse.take().why == "the database is read-only"
    probe.broken.add("write")
    found = pulse.take()
    assert (found.state, found.why) == ("read_only", "a write failed: no space left")


@pytest.mark.parametrize("where", ["connect", "look"])
@pytest.mark.parametrize(
    "state, service",
    [("inactive", "stopped"), ("failed", "crashed"), ("active", "running")],
)
def test_no_answer_is_told_by_the_state_of_the_unit(
    pulse, probe, host, where, state, service
):
    probe.broken.add(where)
    host.state = state
    assert pulse.take().state == service
