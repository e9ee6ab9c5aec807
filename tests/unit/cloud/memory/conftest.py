# SPDX-License-Identifier: Apache-2.0
"""A memory cloud on a clock that the test turns."""

import pytest

from trove.cloud.memory import MemoryCloud, Pace


class Clock:
    """Seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cloud(clock):
    pace = Pace(boot=20, reboot=5, remove=3, create=4, extend=6)
    return MemoryCloud(clock=clock, pace=pace)
