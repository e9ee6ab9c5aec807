# SPDX-License-Identifier: Apache-2.0
"""A guest is listened to so often; the others, and the control plane, as ever."""

import logging

import pytest

from trove.rpc import rates
from trove.rpc.rates import Rates


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(name="clock")
def a_clock_that_is_passed_in():
    return Clock()


def said(bucket, times, sender="guest-a"):
    """How many of so many messages were let through."""
    return sum(bucket.allow(sender) for _ in range(times))


def test_a_burst_and_then_ten_a_second(clock):
    """Section 4, flood."""
    bucket = Rates(10, 50, clock)
    assert said(bucket, 1000) == 50
    assert said(bucket, 1000) == 0
    for _ in range(5):
        clock.now += 1
        assert said(bucket, 1000) == 10
    assert bucket.dropped["guest-a"] == 950 + 1000 + 5 * 990


def test_silence_fills_the_bucket_and_never_more(clock):
    bucket = Rates(10, 50, clock)
    assert said(bucket, 60) == 50
    clock.now += 3600
    assert said(bucket, 60) == 50


def test_a_flood_costs_no_other_guest(clock):
    bucket = Rates(10, 50, clock)
    said(bucket, 10_000)
    assert said(bucket, 50, "guest-b") == 50
    assert bucket.dropped["guest-b"] == 0


@pytest.mark.parametrize("sender", [None, "trove-control", "guest-", "guest", 7])
def test_who_is_no_guest_is_not_counted(clock, sender):
    """The control plane is trusted; and nobody, whom the endpoint will refuse."""
    assert said(Rates(10, 50, clock), 1000, sender) == 1000


def test_a_rate_of_nought_is_no_limit(clock):
    assert said(Rates(0, 50, clock), 1000) == 1000


def test_the_log_has_a_line_a_minute_for_each_guest(clock, caplog):
    caplog.set_level(logging.WARNING)
    bucket = Rates(10, 1, clock)
    for _ in range(119):
        clock.now += 1
        said(bucket, 100, "guest-a")
        said(bucket, 100, "guest-b")
    told = [line for line in caplog.messages if "guest-a" in line]
    assert len(told) == 2
    assert len(caplog.messages) == 4


def test_guests_that_are_gone_are_forgotten(clock, monkeypatch):
    monkeypatch.setattr(rates, "ROOM", 10)
    bucket = Rates(10, 50, clock)
    for n in range(10):
        said(bucket, 100, f"guest-{n}")
    clock.now += 3600
    said(bucket, 1, "guest-new")
    assert list(bucket.dropped) == []
    assert len(bucket._buckets) == 1


def test_who_goes_on_over_its_rate_is_noted_and_a_burst_is_not(clock):
    """Section 4, flood: for the conductor, which shuts it out."""
    floods = rates.Floods(clock)
    bucket = Rates(10, 50, clock, floods)
    said(bucket, 50 + rates.FLOOD - 1)
    assert floods.take() == []
    said(bucket, 1)
    assert floods.take() == ["guest-a"]
    assert floods.take() == []


def test_a_slow_flood_is_noted_after_some_seconds(clock):
    floods = rates.Floods(clock)
    bucket = Rates(10, 50, clock, floods)
    for _ in range(30):
        clock.now += 0.5
        said(bucket, 15, "guest-b")
    assert floods.take() == ["guest-b"]


def test_many_messages_that_are_none_are_a_flood_and_a_few_are_not(clock):
    floods = rates.Floods(clock)
    for _ in range(10):
        for _ in range(rates.REFUSED - 1):
            floods.refused("guest-a")
        clock.now += rates.WITHIN + 1
    assert floods.take() == []
    for _ in range(rates.REFUSED):
        floods.refused("guest-a")
        floods.refused("trove-control")
    assert floods.take() == ["guest-a"]
