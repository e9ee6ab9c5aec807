# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/health.py: a hang is told, a full disk is guarded."""

import threading

import pytest

from trove import errors
from trove.datastores.protocol import Health
from trove.guestagent.health import MIB, SLOW, Disk, Look, Watch, Working, judge
from trove.guestagent.ledger import Job
from trove.guestagent.state import Course

READY = Course(run=True, prepared=True)
ROOM = Disk(used=0, total=10_000 * MIB, free=5_000 * MIB)
FULL = Disk(used=9_900 * MIB, total=10_000 * MIB, free=100 * MIB)
BETWEEN = Disk(used=9_700 * MIB, total=10_000 * MIB, free=300 * MIB)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Engine:
    """Says what the test says; obeys the guard."""

    def __init__(self):
        self.health_is = Health("healthy", role="source")
        self.orders = []
        self.refuses = False
        self.hang = threading.Event()
        self.hang.set()
        self.asked = threading.Event()

    def health(self):
        self.asked.set()
        self.hang.wait(30)
        return self.health_is

    def set_read_only(self, on):
        if self.refuses:
            raise errors.EngineFailed(why="it will not")
        self.orders.append(on)
        self.health_is = Health("read_only" if on else "healthy", role="source")


@pytest.fixture
def engine():
    return Engine()


class Scene:
    def __init__(self, engine):
        self.disk = ROOM
        self.busy = False
        self.clock = Clock()
        self.watch = Watch(
            lambda: engine,
            "/data",
            idle=lambda: self.busy,
            clock=self.clock,
            disk=self.look_at_disk,
        )

    def look_at_disk(self, path):
        if isinstance(self.disk, Exception):
            raise self.disk
        return self.disk

    def service(self):
        return judge(READY, self.watch.latest(), Working(), {})


@pytest.fixture
def scene(engine):
    return Scene(engine)


def test_a_look_that_hangs_is_told_by_the_others(scene, engine):
    scene.watch.look()
    assert scene.service() == ("healthy", "")
    engine.hang.clear()
    engine.asked.clear()
    hung = threading.Thread(target=scene.watch.look)
    hung.start()
    assert engine.asked.wait(10)
    assert scene.service()[0] == "healthy"
    scene.clock.now += SLOW + 5
    state, why = scene.service()
    assert state == "running"
    assert "9 seconds" in why
    engine.hang.set()
    hung.join()
    assert scene.service() == ("healthy", "")


def test_a_full_disk_makes_it_read_only_until_there_is_room(scene, engine):
    scene.watch.look()
    scene.disk = FULL
    scene.watch.look()
    state, why = scene.service()
    assert state == "read_only"
    assert "100 MiB" in why
    assert engine.orders == [True]
    scene.disk = BETWEEN
    scene.watch.look()
    assert engine.orders == [True]
    assert scene.service()[0] == "read_only"
    scene.disk = ROOM
    scene.watch.look()
    scene.watch.look()
    assert engine.orders == [True, False]
    assert scene.service() == ("healthy", "")


def test_the_guard_acts_again_when_a_restart_undid_it(scene, engine):
    scene.disk = FULL
    scene.watch.look()
    engine.health_is = Health("healthy", role="source")
    scene.disk = BETWEEN
    scene.watch.look()
    assert engine.orders == [True, True]


def test_an_agent_that_restarts_lifts_the_guard_of_the_one_before(scene, engine):
    engine.health_is = Health("read_only", role="source")
    scene.watch.look()
    assert engine.orders == [False]


def test_one_that_is_full_by_itself_is_told_nothing_until_the_disk_is_too(
    scene, engine
):
    why = "its memory is full"
    engine.health_is = Health("read_only", why, role="source", filled=True)
    scene.watch.look()
    assert engine.orders == []
    assert scene.service() == ("read_only", why)
    scene.disk = FULL
    scene.watch.look()
    assert engine.orders == [True]


def test_a_replica_is_left_read_only(scene, engine):
    engine.health_is = Health("read_only", role="replica")
    scene.watch.look()
    assert engine.orders == []


def test_a_small_disk_is_guarded_by_bytes(scene, engine):
    scene.disk = Disk(used=0, total=1024 * MIB, free=63 * MIB)
    scene.watch.look()
    assert engine.orders == [True]
    scene.disk = Disk(used=0, total=1024 * MIB, free=97 * MIB)
    scene.watch.look()
    assert engine.orders == [True, False]


def test_an_engine_that_refuses_the_guard_is_asked_again(scene, engine):
    engine.refuses = True
    scene.disk = FULL
    scene.watch.look()
    assert scene.service()[0] == "read_only"
    engine.refuses = False
    scene.watch.look()
    assert engine.orders == [True]


def test_a_read_only_file_system_and_one_that_does_not_answer_are_told(scene, engine):
    scene.disk = Disk(1, 2, 1, read_only=True)
    scene.watch.look()
    assert scene.service()[0] == "read_only"
    scene.disk = OSError(5, "Input/output error")
    scene.watch.look()
    why = "the data's file system fails: Input/output error"
    assert scene.service() == ("running", why)
    engine.health_is = Health("crashed", "the database was killed by a signal")
    scene.watch.look()
    assert scene.service() == ("crashed", why)
    assert engine.orders == []


def test_each_look_of_its_thread_is_told(engine):
    """So that a report need not wait for a clock."""
    told = threading.Event()
    watch = Watch(
        lambda: engine, "/data", idle=lambda: False, seen=told.set, disk=lambda _: ROOM
    )
    watch.start()
    assert told.wait(10)
    assert watch.latest().health is not None
    assert watch.stop(5.0)


def test_nothing_is_looked_at_while_a_job_works_on_it(scene, engine):
    scene.watch.look()
    scene.busy = True
    engine.asked.clear()
    scene.watch.look()
    assert not engine.asked.is_set()
    assert scene.watch.latest().health is None


def job(method, state, fault=None):
    return Job("op/x", 1, method, state, fault=fault)


@pytest.mark.parametrize(
    ("course", "health", "current", "last", "state", "why"),
    [
        (Course(), None, None, [], "new", ""),
        (
            Course(),
            None,
            job("prepare", "running"),
            [job("prepare", "running")],
            "starting",
            "prepared",
        ),
        (
            Course(),
            None,
            None,
            [job("prepare", "failed", "no disk")],
            "failed",
            "no disk",
        ),
        (READY, None, None, [], "starting", ""),
        (READY, Health("healthy"), None, [job("prepare", "done")], "healthy", ""),
        (
            READY,
            Health("stopped"),
            job("restart_database", "running"),
            [],
            "starting",
            "",
        ),
        (READY, Health("stopped"), job("stop_database", "running"), [], "stopped", ""),
        (READY, Health("crashed", "gone"), None, [], "crashed", "gone"),
        (
            Course(run=False, prepared=True),
            Health("crashed", "gone"),
            None,
            [],
            "stopped",
            "",
        ),
        (
            READY,
            Health("stopped"),
            None,
            [job("take_up", "failed", "Volume is missing")],
            "stopped",
            "missing",
        ),
        (
            READY,
            Health("healthy"),
            None,
            [job("take_up", "failed", "Volume is missing")],
            "healthy",
            "",
        ),
    ],
)
def test_what_is_said_of_the_service(course, health, current, last, state, why):
    found = judge(
        course, Look(health, ROOM), Working(current), {one.method: one for one in last}
    )
    assert found[0] == state
    assert why in found[1]


def test_what_a_job_waits_for_in_vain_is_said():
    """T15: not *starting* for as long as somebody waits for a volume."""
    now = Working(job("take_up", "running"), "the volume did not appear")
    found = judge(READY, Look(Health("stopped"), ROOM), now, {})
    assert found == ("stopped", "the volume did not appear")
