# SPDX-License-Identifier: Apache-2.0
"""The supervisor: order of health, back-off, stop in reverse, adoption."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from trove.service import supervisor
from trove.service.supervised import Program, Ready, start_time
from trove.service.supervisor import Supervisor

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, sys, time, pathlib\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "pathlib.Path(sys.argv[1]).touch()\n"
    "time.sleep(600)",
)


class Clock:
    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def supervise(tmp_path, clock):
    made = []

    def make(*programs):
        one = Supervisor(programs, tmp_path / "run", tmp_path / "log", clock=clock)
        made.append(one)
        return one

    yield make
    for one in made:
        for watched in one.watched.values():
            if watched.child is not None:
                watched.kill()
                if watched.child._popen is not None:
                    watched.child._popen.wait(10)


def until(condition, look=None):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        if look:
            look()
        time.sleep(0.02)


def states(one):
    return {name: watched.state for name, watched in one.watched.items()}


def test_a_process_waits_for_those_it_comes_after(supervise, tmp_path):
    ready = Ready(file=str(tmp_path / "first-is-ready"))
    one = supervise(
        Program("first", SLEEPER, ready=ready),
        Program("second", SLEEPER, after=("first",)),
    )
    one.look()
    one.look()
    assert states(one) == {"first": "starting", "second": "waiting"}
    (tmp_path / "first-is-ready").touch()
    for _ in range(3):
        one.look()
    assert states(one) == {"first": "up", "second": "up"}


def test_one_that_ends_is_started_again_later_and_later(supervise, clock):
    one = supervise(Program("brief", (sys.executable, "-c", "raise SystemExit(3)")))
    pauses = []
    for _ in range(3):
        until(lambda: states(one)["brief"] == "pausing", one.look)
        pauses.append(one.watched["brief"].pause())
        one.look()
        assert states(one)["brief"] == "pausing"
        clock.time += pauses[-1]
        one.look()
        assert states(one)["brief"] == "starting"
    assert pauses == [1.0, 2.0, 4.0]
    assert one.watched["brief"].report()["restarts"] == 3
    assert one.watched["brief"].last_status == 3


def test_one_that_cannot_be_run_does_not_end_the_supervisor(supervise):
    one = supervise(Program("none", ("/no/such/program",)))
    one.look()
    assert states(one) == {"none": "pausing"}


def test_one_that_is_not_ready_in_time_is_killed_and_tried_again(supervise, clock):
    never = Ready(file="/no/such/file", within=5.0)
    one = supervise(Program("slow", SLEEPER, ready=never))
    one.look()
    clock.time += 6
    one.look()
    until(lambda: states(one)["slow"] == "pausing", one.look)


def test_stop_is_in_reverse_and_a_stubborn_one_is_killed(supervise, clock, tmp_path):
    deaf = tmp_path / "deaf"
    one = supervise(
        Program("first", SLEEPER),
        Program("second", (*STUBBORN, str(deaf)), after=("first",), stop_within=9.0),
    )
    until(deaf.exists, one.look)
    one.stop()
    one.look()
    one.look()
    assert states(one) == {"first": "up", "second": "stopping"}
    clock.time += 10
    until(lambda: set(states(one).values()) == {"down"}, one.look)


def test_its_own_program_may_end_it(supervise, tmp_path):
    end = tmp_path / "end"
    waits = (
        "import os, sys, time\n"
        "while not os.path.exists(sys.argv[1]):\n"
        "    time.sleep(0.02)\n"
    )
    one = supervise(
        Program(
            "polite", (sys.executable, "-c", waits, str(end)), stop=("touch", str(end))
        )
    )
    until(lambda: states(one)["polite"] == "up", one.look)
    one.stop()
    until(lambda: states(one)["polite"] == "down", one.look)
    assert end.exists()


def test_a_killed_supervisor_finds_its_children_again(supervise):
    program = Program("a", SLEEPER)
    first = supervise(program)
    until(lambda: states(first)["a"] == "up", first.look)
    child = first.watched["a"].child
    second = supervise(program)
    second._find_again()
    second.look()
    assert states(second) == {"a": "up"}
    assert second.watched["a"].child.pid == child.pid


def test_what_another_configuration_left_is_ended(supervise):
    first = supervise(Program("a", SLEEPER))
    until(lambda: states(first)["a"] == "up", first.look)
    child = first.watched["a"].child
    reaper = threading.Thread(target=child._popen.wait)
    reaper.start()
    second = supervise(Program("a", SLEEPER, env={"NEW": "1"}))
    second._find_again()
    reaper.join(10)
    assert start_time(child.pid) != child.started
    second.look()
    assert second.watched["a"].child.pid != child.pid


def test_logs_are_rotated_without_the_process_knowing(supervise, tmp_path):
    says = "print('x' * 1000, flush=True); import time; time.sleep(600)"
    one = supervise(Program("a", (sys.executable, "-c", says)))
    log = tmp_path / "log" / "a.log"
    until(lambda: log.exists() and log.stat().st_size > 1000, one.look)
    one.watched["a"].rotate(largest=500)
    assert log.stat().st_size == 0
    assert (tmp_path / "log" / "a.log.1").stat().st_size == 1001
    one.watched["a"].rotate(largest=500)
    assert not (tmp_path / "log" / "a.log.2").exists()


@pytest.mark.parametrize(
    "programs",
    [
        (Program("a", ("x",), after=("b",)), Program("b", ("x",))),
        (Program("a", ("x",)), Program("a", ("x",))),
    ],
)
def test_an_impossible_order_is_refused(supervise, programs):
    with pytest.raises(ValueError, match="a"):
        supervise(*programs)


def test_the_command_runs_answers_and_stops(tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps(
            {
                "run": str(tmp_path / "run"),
                "log": str(tmp_path / "log"),
                "processes": [{"name": "a", "argv": list(SLEEPER)}],
            }
        )
    )
    command = [sys.executable, "-m", "trove.cmd.supervise", str(plan)]
    root = pathlib.Path(__file__).parents[3]
    with (tmp_path / "out").open("wb") as out:
        running = subprocess.Popen([*command, "run"], stdout=out, stderr=out, cwd=root)
    try:
        run = tmp_path / "run"
        until((run / "supervise.sock").exists)
        told = supervisor.ask(run, "status")
        until(
            lambda: supervisor.ask(run, "status")["processes"][0]["state"] == "up",
        )
        twice = subprocess.run(
            [*command, "run"], capture_output=True, text=True, cwd=root, check=False
        )
        assert twice.returncode == 2
        assert "another supervisor" in twice.stderr
        victim = supervisor.ask(run, "status")["processes"][0]["pid"]
        assert told["pid"] == running.pid
        supervisor.ask(run, "stop")
        assert running.wait(20) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(victim, 0)
        with pytest.raises(ConnectionError):
            supervisor.ask(run, "status")
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGTERM)
            running.wait(20)
