# SPDX-License-Identifier: Apache-2.0
"""The worker: rings, polls, timers, and a drain with a bound."""

import threading

import pytest

from trove.db.session import DatabaseUnavailable
from trove.taskmanager.manager import Manager
from trove.taskmanager.worker import Worker
from trove.workflow.engine import Parked


class Due:
    """What the database would say is due."""

    def __init__(self):
        self.ids, self.asked = [], threading.Event()
        self.fault, self.failed = None, threading.Event()

    def due(self):
        self.asked.set()
        if self.fault is not None:
            self.failed.set()
            raise self.fault
        ids, self.ids = self.ids, []
        return ids


class Carrier:
    """An engine that notes what it ran, and can be held."""

    def __init__(self):
        self.ran, self.answers = [], {}
        self.news = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()

    def run(self, operation):
        self.hold.wait(10)
        with self.news:
            self.ran.append(operation)
            self.news.notify_all()
            queue = self.answers.get(operation, [])
            answer = queue.pop(0) if queue else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait_for(self, count):
        with self.news:
            assert self.news.wait_for(lambda: len(self.ran) >= count, 10), self.ran


@pytest.fixture
def due():
    return Due()


@pytest.fixture
def carrier():
    return Carrier()


@pytest.fixture
def worker(due, carrier):
    worker = Worker(due, carrier, threads=2, poll=0.02)
    worker.start()
    yield worker
    carrier.hold.set()
    worker.stop(5)


def test_a_ring_runs_an_operation_at_once(worker, carrier):
    Manager(worker, {}.get).run(None, operation="op")
    carrier.wait_for(1)


def test_a_lost_ring_costs_a_poll(worker, due, carrier):
    due.ids = ["op"]
    carrier.wait_for(1)


def test_a_parked_operation_runs_again_when_it_is_due(worker, carrier):
    carrier.answers["op"] = [Parked(0.01), Parked(0.0), None]
    worker.ring("op")
    carrier.wait_for(3)


def test_a_ring_during_the_run_makes_it_run_again(worker, carrier):
    carrier.hold.clear()
    worker.ring("op")
    worker.ring("op")
    carrier.hold.set()
    carrier.wait_for(2)


@pytest.mark.parametrize(
    "fault, traced", [(DatabaseUnavailable(), False), (LookupError("x"), True)]
)
def test_a_database_that_is_away_is_a_line_a_look_and_no_traceback(
    worker, due, carrier, caplog, fault, traced
):
    due.fault = fault
    assert due.failed.wait(10)
    due.ids, due.fault = ["op"], None
    carrier.wait_for(1)
    said = [one for one in caplog.records if "due operations" in one.message]
    assert said and all(bool(one.exc_info) is traced for one in said)
    assert traced or str(fault) in said[0].message


def test_a_failure_does_not_end_the_worker(worker, carrier):
    carrier.answers["bad"] = [RuntimeError("database away")]
    worker.ring("bad")
    worker.ring("good")
    carrier.wait_for(2)
    assert worker.alive()


def test_stop_waits_for_what_runs_and_takes_nothing_new(due, carrier):
    worker = Worker(due, carrier, threads=1, poll=10)
    worker.start()
    carrier.hold.clear()
    worker.ring("op")
    threading.Timer(0.05, carrier.hold.set).start()
    assert worker.stop(10) is True
    worker.ring("late")
    assert carrier.ran == ["op"]


def test_stop_gives_up_when_its_time_is_over(due, carrier):
    worker = Worker(due, carrier, threads=1, poll=10)
    worker.start()
    carrier.hold.clear()
    worker.ring("op")
    assert worker.stop(0.05) is False
    carrier.hold.set()
