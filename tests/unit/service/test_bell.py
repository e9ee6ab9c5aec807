# SPDX-License-Identifier: Apache-2.0
"""Whoever has work to tell of is not kept, whatever the broker does."""

import logging
import threading
import time

import pytest

from trove.service.bell import Bell


def until(met, within=5.0):
    end = time.monotonic() + within
    while not met():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_it_rings_in_order() -> None:
    rung: list[str] = []
    bell = Bell(rung.append)
    for number in range(20):
        bell(f"op-{number}")
    until(lambda: len(rung) == 20)
    assert rung == [f"op-{number}" for number in range(20)]


def test_a_broker_that_hangs_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """More than fit are dropped, and said; what waits is rung when it goes on."""
    hung, goes_on, rung = threading.Event(), threading.Event(), []

    def ring(operation: str) -> None:
        hung.set()
        assert goes_on.wait(10)
        rung.append(operation)

    bell = Bell(ring, most=2)
    bell("op-0")
    assert hung.wait(5)
    with caplog.at_level(logging.WARNING):
        for number in range(1, 5):
            bell(f"op-{number}")
    assert rung == []
    assert [r.args for r in caplog.records] == [("op-3",), ("op-4",)]
    goes_on.set()
    until(lambda: rung == ["op-0", "op-1", "op-2"])


def test_one_that_fails_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    rung: list[str] = []

    def ring(operation: str) -> None:
        if operation == "op-0":
            raise LookupError("nobody there")
        rung.append(operation)

    bell = Bell(ring)
    with caplog.at_level(logging.WARNING):
        bell("op-0")
        bell("op-1")
        until(lambda: rung == ["op-1"])
    assert "operation op-0: nobody was told: nobody there" in caplog.text
