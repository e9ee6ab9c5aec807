# SPDX-License-Identifier: Apache-2.0
"""What looks again and again: at once, when its pause is over, when it is rung."""

import queue
import threading

import pytest

from trove.service.looping import Looping

BOUND = 10.0
NEVER = 3600.0


class Part(Looping):
    """Tells of each look; one takes as long as ``go`` is not set."""

    name = "part"

    def __init__(self, pause: float = 0.0, wait: float = NEVER) -> None:
        super().__init__(pause)
        self.looks: queue.Queue[str] = queue.Queue()
        self.wait, self.go = wait, threading.Event()
        self.go.set()

    def look(self) -> float:
        self.looks.put(threading.current_thread().name)
        assert self.go.wait(BOUND)
        return self.wait

    def ended(self) -> bool:
        assert self._thread is not None
        self._thread.join(BOUND)
        return not self.alive()


@pytest.fixture(name="part")
def a_part():
    part = Part()
    yield part
    part.go.set()
    assert part.stop(BOUND)


def test_it_looks_at_once_and_by_a_thread_of_its_name(part):
    assert not part.alive()
    part.start()
    assert part.looks.get(timeout=BOUND) == "part" and part.alive()


def test_it_looks_again_when_the_look_has_said_so(part):
    part.wait = 0.01
    part.start()
    for _ in range(3):
        part.looks.get(timeout=BOUND)


def test_a_ring_ends_a_pause_the_first_one_too():
    part = Part(pause=NEVER)
    part.start()
    try:
        for _ in range(2):
            part.ring()
            part.looks.get(timeout=BOUND)
    finally:
        part.stop(BOUND)


def test_a_ring_during_a_look_is_not_lost(part):
    part.go.clear()
    part.start()
    part.looks.get(timeout=BOUND)
    part.ring()
    part.go.set()
    part.looks.get(timeout=BOUND)


def test_an_end_ends_the_pause(part):
    part.start()
    part.looks.get(timeout=BOUND)
    assert part.stop(BOUND) and not part.alive()
    assert part.looks.empty()


def test_a_look_that_hangs_keeps_nobody(part):
    part.go.clear()
    part.start()
    part.looks.get(timeout=BOUND)
    assert part.stop(0.0) and part.alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_look_raises_ends_it(part):
    part.go = None
    part.start()
    part.looks.get(timeout=BOUND)
    assert part.ended(), "its agent would not know that it looks no more"
    part.go = threading.Event()


class Late(threading.Event):
    """It is set between a loop's wait and its look at whether it is to go on."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part

    def clear(self) -> None:
        self._part._stopping.set()
        self.set()
        super().clear()


def test_an_end_between_a_pause_and_a_look_is_not_lost(part):
    part._rung = Late(part)
    part.start()
    assert part.ended() and part.looks.empty()
