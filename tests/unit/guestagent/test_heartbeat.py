# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/heartbeat.py: when a report comes, and what it says."""

import time

import pytest

from trove import errors
from trove.datastores.protocol import Health
from trove.guestagent import heartbeat, state
from trove.guestagent.health import Disk, Watch
from trove.guestagent.heartbeat import Heartbeat, Reporter
from trove.guestagent.ledger import Ledger, Outcome, save_outcome


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Engine:
    said = Health("healthy", role="source", position="7", version="1.0")

    def health(self):
        return self.said

    def set_read_only(self, on):
        pass


def until(look):
    end = time.monotonic() + 10
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def scene(places):
    return Scene(places)


class Scene:
    def __init__(self, places):
        state.save_course(places, state.Course(run=True, prepared=True))
        self.clock = Clock()
        self.engine = Engine()
        self.ledger = Ledger(places.jobs, self.clock)
        self.watch = Watch(
            lambda: self.engine,
            "/data",
            idle=lambda: self.reporter.idle(),
            clock=self.clock,
            disk=lambda path: Disk(3 << 30, 10 << 30, 7 << 30),
        )
        self.reporter = Reporter(
            places,
            self.ledger,
            self.watch,
            boot=4,
            version="1.2",
            certificate=lambda: ("2027-01-01T00:00:00+00:00", self.ending),
        )
        self.ending = ""
        self.sent = []
        self.away = False
        self.heart = Heartbeat(
            self.reporter,
            self.send,
            10.0,
            clock=self.clock,
            pick=lambda low, high: high,
        )

    def send(self, report):
        if self.away:
            raise errors.Unavailable(what="the broker")
        self.sent.append(report)

    def live(self, seconds):
        """Beats as its thread would, for so long."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            wait = self.heart.look()
            assert 0 <= wait <= 10
            self.clock.now += max(wait, 0.01)


def test_it_says_all_it_knows(scene):
    scene.watch.look()
    scene.heart.look()
    (report,) = scene.sent
    assert (report.boot, report.seq, report.service) == (4, 1, "healthy")
    assert (report.role, report.position, report.version) == ("source", "7", "1.0")
    assert (report.disk_used, report.disk_total) == (3 << 30, 10 << 30)
    assert (report.agent, report.jobs) == ("1.2", ())
    assert report.certificate_expires.startswith("2027")
    assert 1 << 20 < report.rss < 1 << 32


def test_it_comes_each_interval_and_its_number_grows(scene):
    scene.watch.look()
    scene.live(60)
    assert [report.seq for report in scene.sent] == list(range(1, len(scene.sent) + 1))
    assert len(scene.sent) == 5  # each 12 s: the longest the jitter makes of 10


def test_a_change_comes_at_once(scene):
    scene.watch.look()
    scene.live(3)
    assert len(scene.sent) == 1
    scene.engine.said = Health("crashed", "the process is gone")
    scene.watch.look()
    scene.live(1)
    assert [report.service for report in scene.sent] == ["healthy", "crashed"]
    assert scene.sent[-1].why == "the process is gone"


def test_the_end_of_a_job_comes_at_once(scene):
    scene.watch.look()
    scene.live(3)
    job, _ = scene.ledger.accept("op/restart", "restart_database", {})
    scene.live(1)
    scene.ledger.finish(scene.ledger.begin(job), Outcome(state="done", result={}))
    scene.live(1)
    states = [[job.state for job in report.jobs] for report in scene.sent]
    assert states == [[], ["sent"], ["done"]]


@pytest.mark.parametrize("method", ["apply_module", "remove_module", "forget_data"])
def test_a_job_that_leaves_the_database_alone_hides_nothing(scene, method):
    """Neither while it is under way nor after it is a database less healthy."""
    scene.reporter.changed()  # it has been taken up before
    scene.watch.look()
    job, _ = scene.ledger.accept("op/1", method, {})
    job = scene.ledger.begin(job)
    scene.watch.ring(stale=scene.reporter.changed())
    scene.live(3)
    scene.watch.look()
    scene.live(3)
    scene.ledger.finish(job, Outcome(state="done", result={}))
    scene.watch.ring(stale=scene.reporter.changed())
    scene.live(3)
    assert {report.service for report in scene.sent} == {"healthy"}
    assert [job.state for job in scene.sent[-1].jobs] == ["done"]


def test_things_that_change_all_the_time_do_not_flood(scene):
    for turn in range(200):
        scene.engine.said = Health("healthy" if turn % 2 else "running")
        scene.watch.look()
        scene.heart.ring()
        scene.heart.look()
        scene.clock.now += 0.05
    assert len(scene.sent) <= 10 / heartbeat.GAP + heartbeat.BURST


def restart(scene):
    """Begun, and told; the job."""
    scene.reporter.changed()
    scene.watch.look()
    scene.live(3)
    made = scene.ledger.accept("7/restart_database", "restart_database", {})[0]
    job = scene.ledger.begin(made)
    scene.watch.ring(stale=scene.reporter.changed())
    scene.live(1)
    return job


def ended(scene, job):
    """It is done; the database was not looked at yet."""
    scene.ledger.finish(job, Outcome(100, "done"))
    scene.watch.ring(stale=scene.reporter.changed())
    scene.heart.ring()
    scene.live(1)


def told(scene):
    """What each report said of the database and of its jobs."""
    return [(r.service, *(job.state for job in r.jobs)) for r in scene.sent]


def test_a_restart_is_done_when_the_database_is_seen(scene):
    """An action asked for right after it is not refused."""
    ended(scene, restart(scene))
    scene.watch.look()
    scene.heart.look()
    assert told(scene) == [("healthy",), ("starting", "running"), ("healthy", "done")]


def test_a_database_that_cannot_be_seen_keeps_no_end_of_a_job(scene):
    ended(scene, restart(scene))
    assert told(scene)[-1] == ("starting", "running")
    scene.live(4)
    assert told(scene)[-1] == ("starting", "done")


def test_what_a_look_finds_is_reported_without_waiting_for_a_clock(scene):
    """The thread sleeps much longer than a report takes; the watch wakes it."""
    scene.engine.said = Health("running")
    scene.watch.look()
    scene.engine.said = Engine.said
    scene.heart.start()
    until(lambda: scene.sent)
    scene.clock.now += 5
    scene.watch.look()
    scene.heart.wake()
    until(lambda: len(scene.sent) == 2)
    assert scene.sent[-1].service == "healthy"
    assert scene.heart.stop(5.0)


def test_a_report_that_cannot_be_sent_is_dropped_and_the_next_is_fresh(scene):
    scene.watch.look()
    scene.away = True
    scene.live(30)
    assert scene.sent == []
    scene.engine.said = Health("crashed", "gone")
    scene.watch.look()
    scene.away = False
    scene.live(13)
    assert scene.sent[0].service == "crashed"
    assert scene.sent[0].seq > 1


def test_what_a_job_brought_about_is_seen(scene, places):
    state.save_course(places, state.Course(run=False, prepared=True))
    scene.engine.said = Health("stopped")
    scene.reporter.changed()
    scene.watch.look()
    scene.heart.look()
    assert scene.sent[0].service == "stopped"
    assert not scene.reporter.course.run


def test_a_database_that_serves_through_a_job_is_told_as_it_is(scene):
    """An action asked for right after a change of the configuration is not refused."""
    scene.reporter.changed()
    scene.watch.look()
    job = scene.ledger.accept("7/configure", "configure", {})[0]
    for move in (
        scene.ledger.begin,
        lambda job: scene.ledger.finish(job, Outcome(100, "done")),
    ):
        job = move(job)
        scene.watch.ring(stale=scene.reporter.changed())
        scene.live(1)
        scene.watch.look()
    assert {report.service for report in scene.sent} == {"healthy"}
    assert [job.state for job in scene.sent[-1].jobs] == ["done"]


def test_what_was_seen_before_a_restart_is_of_no_use(scene):
    job = restart(scene)
    scene.engine.said = Health("crashed", "the process is gone")
    ended(scene, job)
    scene.watch.look()
    scene.live(1)
    assert told(scene)[1:] == [("starting", "running"), ("crashed", "done")]


def test_what_stands_in_the_way_of_a_job_comes_at_once(scene):
    """T15: a volume that is missing at a start, while it is waited for."""
    scene.engine.said = Health("stopped")
    job = scene.ledger.begin(scene.ledger.accept("boot/take_up", "take_up", {})[0])
    scene.watch.look()
    scene.live(3)
    save_outcome(scene.ledger.out(job.id), Outcome(fault="it did not appear"))
    assert not scene.reporter.idle()
    scene.watch.look()
    scene.live(1)
    said = [(report.service, report.why) for report in scene.sent]
    assert said == [("starting", "a job works on it"), ("stopped", "it did not appear")]
    save_outcome(scene.ledger.out(job.id), Outcome(30))
    scene.live(1)
    assert scene.sent[-1].service == "starting"
