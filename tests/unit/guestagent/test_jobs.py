# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/jobs.py: real children, killed and found again."""

import contextlib
import os
import pathlib
import signal
import threading
import time

import pytest

from trove.guestagent import jobs as module
from trove.guestagent import ledger, state
from trove.guestagent.jobs import Jobs
from trove.guestagent.ledger import Ledger
from trove.rpc import codec
from trove.rpc.messages import DatabaseOrder, Plan

PLAN = Plan("toy", "1", 512, 1, 7, None, "xfs", databases=(DatabaseOrder("a/b"),))


class Agent:
    """One life of the agent, as far as jobs go."""

    def __init__(self, places, host):
        self.ledger = Ledger(places.jobs)
        self.changes = threading.Semaphore(0)
        self.jobs = Jobs(places, self.ledger, host, changed=self.changes.release)

    def prepare(self, id="op/prepare", plan=PLAN):
        return self.jobs.submit(id, "prepare", {"plan": codec.encode(plan)})

    def wait(self, id="op/prepare"):
        """Until the job has ended."""
        while not self.ledger.get(id).over:
            assert self.changes.acquire(timeout=30), self.ledger.get(id)
        return self.ledger.get(id)


@pytest.fixture
def born(places, host):
    """Makes agents; the last one stops with the test."""
    lives = []

    def make():
        agent = Agent(places, host)
        lives.append(agent)
        agent.jobs.start()
        return agent

    yield make
    for agent in lives:
        if agent.jobs.alive():
            assert agent.jobs.stop(10)


def until_blocked(toy):
    """The process id of the child, once it is where the toy was ordered to wait."""
    blocked = toy.home / "blocked"
    end = time.monotonic() + 30
    while not (blocked.exists() and blocked.read_text()):
        assert time.monotonic() < end
        os.sched_yield()
    return int(blocked.read_text())


def test_a_job_is_done_once_in_a_process_of_its_own(born, guest, toy):
    agent = born()
    agent.prepare()
    job = agent.wait()
    assert (job.state, job.fault, job.tries) == ("done", None, 1)
    assert job.result == {"version": "1.0", "volume": None}
    assert (toy.data / "databases/a%2Fb").exists()
    agent.prepare()
    assert toy.calls.count("initialise") == 1


def test_the_same_id_after_a_restart_answers_the_saved_result(born, guest, toy):
    first = born()
    first.prepare()
    first.wait()
    first.jobs.stop(10)
    second = born()
    assert second.prepare().state == "done"
    assert toy.calls.count("initialise") == 1


@pytest.mark.parametrize(
    "where", ["configure", "initialise", "start", "create_databases", "create_accounts"]
)
def test_a_child_killed_anywhere_is_run_again(born, guest, toy, where):
    toy.order(die_in=where)
    agent = born()
    agent.prepare()
    while agent.ledger.get("op/prepare").tries < 2:
        assert agent.changes.acquire(timeout=30)
    toy.obey()
    job = agent.wait()
    assert job.state == "done", job
    assert 2 <= job.tries <= module.TRIES


def test_a_child_that_always_dies_ends_the_job(born, guest, toy):
    toy.order(die_in="initialise")
    agent = born()
    agent.prepare()
    job = agent.wait()
    assert (job.state, job.tries) == ("failed", module.TRIES)
    assert "died" in job.fault


def test_a_childs_fault_is_the_jobs(born, guest, toy):
    toy.order(fail_in="start")
    agent = born()
    agent.prepare()
    job = agent.wait()
    assert job.state == "failed"
    assert "ordered to fail in start" in job.fault
    assert 60 <= job.progress < 100


def test_an_error_without_a_sentence_tells_no_secret(born, guest, toy, capfd):
    toy.order(break_in="start")
    agent = born()
    agent.prepare()
    job = agent.wait()
    assert job.state == "failed"
    assert "LookupError" in job.fault
    assert "hunter2" not in job.fault
    assert "hunter2" not in capfd.readouterr().err


def test_an_agent_that_restarts_finds_its_running_child(born, guest, toy):
    toy.order(block_in="initialise")
    first = born()
    first.prepare()
    child = until_blocked(toy)
    assert first.jobs.stop(10)
    os.kill(child, 0)  # the child does not end with the agent
    second = born()
    assert second.ledger.get("op/prepare").state == "running"
    toy.obey()
    job = second.wait()
    assert (job.state, job.tries) == ("done", 1)
    assert toy.calls.count("initialise") == 1


def test_a_child_that_ended_while_no_agent_was_there_has_its_word_kept(
    born, guest, toy
):
    toy.order(block_in="initialise")
    first = born()
    first.prepare()
    child = until_blocked(toy)
    assert first.jobs.stop(10)
    toy.obey()
    os.waitpid(child, 0)
    second = born()
    job = second.wait()
    assert (job.state, job.tries) == ("done", 1)


def test_a_child_killed_while_no_agent_was_there_is_run_again(born, guest, toy):
    toy.order(block_in="initialise")
    first = born()
    first.prepare()
    child = until_blocked(toy)
    assert first.jobs.stop(10)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    toy.obey()
    second = born()
    job = second.wait()
    assert (job.state, job.tries) == ("done", 2)


def test_a_child_nobody_wrote_down_is_not_run_beside_another(born, guest, toy, places):
    """The agent died between starting a child and noting its process."""
    toy.order(block_in="initialise")
    first = born()
    first.prepare()
    child = until_blocked(toy)
    assert first.jobs.stop(10)
    data = state.load_json(first.ledger.path("op/prepare"))
    state.save_json(first.ledger.path("op/prepare"), data | {"child": None})
    second = born()
    while second.ledger.get("op/prepare").tries < 2:
        assert second.changes.acquire(timeout=30)
    assert toy.calls.count("initialise") == 1  # the second waits at the lock
    toy.obey()
    os.waitpid(child, 0)
    job = second.wait()
    assert job.state == "done"
    assert toy.calls.count("initialise") == 1  # and finds the work done


def test_another_process_with_the_childs_number_is_not_the_child(
    born, guest, toy, places
):
    book = Ledger(places.jobs)
    job, _ = book.accept("op/prepare", "prepare", {"plan": codec.encode(PLAN)})
    ours = ledger.Child(os.getpid(), 1, module.kernel_boot())
    book.started(book.begin(job), ours)
    agent = born()
    assert agent.wait().tries == 2


def test_a_job_under_way_when_the_server_rebooted_is_run_again(
    born, guest, toy, places
):
    book = Ledger(places.jobs)
    job, _ = book.accept("op/prepare", "prepare", {"plan": codec.encode(PLAN)})
    started = module.start_time(os.getpid())
    book.started(book.begin(job), ledger.Child(os.getpid(), started, "another-boot"))
    agent = born()
    assert agent.wait().tries == 2


def test_jobs_run_one_after_the_other(born, guest, toy):
    toy.order(block_in="initialise")
    agent = born()
    agent.prepare("one/prepare")
    agent.jobs.submit("two/restart", "restart_database", {})
    until_blocked(toy)
    assert agent.ledger.get("two/restart").state == "sent"
    toy.obey()
    assert agent.wait("one/prepare").state == "done"
    assert agent.wait("two/restart").state == "done"


def test_no_zombie_is_left(born, guest, toy):
    before = zombies()
    agent = born()
    agent.prepare()
    agent.wait()
    assert zombies() <= before


def zombies():
    """Our children that ended and that nobody has asked about."""
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] == "Z" and int(fields[1]) == os.getpid():
                found.add(path.parent.name)
    return found
