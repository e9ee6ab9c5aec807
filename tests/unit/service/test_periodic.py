# SPDX-License-Identifier: Apache-2.0
"""Periodic calls: they go on after an error, never overlap, end when told."""

import threading

from trove import errors
from trove.service.periodic import Periodic


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_pauses_are_spread_round_the_interval():
    low = Periodic("p", print, 10.0, jitter=0.2, pick=lambda a, _b: a)
    high = Periodic("p", print, 10.0, jitter=0.2, pick=lambda _a, b: b)
    assert (low.pause(False), high.pause(False)) == (8.0, 12.0)
    assert (low.pause(True), high.pause(True)) == (0.0, 10.0)
    assert Periodic("p", print, 10.0, at_once=True).pause(True) == 0.0


def test_an_error_does_not_end_it():
    calls: list[int] = []
    enough = threading.Event()

    def work() -> None:
        calls.append(1)
        if len(calls) == 3:
            enough.set()
        raise ValueError("once more")

    periodic = Periodic("p", work, 0.001, pick=middle)
    periodic.start()
    assert enough.wait(10)
    assert periodic.alive()
    assert periodic.stop(10)
    assert not periodic.alive()


def test_a_ring_calls_at_once():
    called = threading.Event()
    periodic = Periodic("p", called.set, 3600.0, pick=middle)
    periodic.start()
    periodic.ring()
    assert called.wait(10)
    assert periodic.stop(10)


def test_what_is_away_is_told_in_one_line(caplog):
    calls = []

    def work() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise errors.Unavailable(what="the broker")

    periodic = Periodic("p", work, 0.001, pick=middle)
    periodic.start()
    while len(calls) < 2:
        periodic.ring()
    assert periodic.stop(10)
    assert "the broker does not answer" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_stop_waits_for_the_call_under_way_but_not_for_ever():
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(10)

    periodic = Periodic("p", work, 1.0, at_once=True, pick=middle)
    periodic.start()
    assert begun.wait(10)
    assert not periodic.stop(0.01)
    go_on.set()
    assert periodic.stop(10)


def test_stopping_what_never_started():
    assert Periodic("p", print, 1.0).stop(0.0)
