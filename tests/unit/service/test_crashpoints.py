# SPDX-License-Identifier: Apache-2.0
"""Crash points: where a process ends, how often, and that nobody else has them."""

import os
import signal
import subprocess
import sys

import pytest

from trove.service.crashpoints import Points
from trove.workflow.flow import Flow, Step


class Volumes:
    def create(self, key):
        return f"volume of {key}"


class Cloud:
    volumes = Volumes()


class Database:
    def run(self, work, attempts=5):
        return work("tx")

    def reading(self):
        return "reading"


class Ended(BaseException):
    """What the kernel does."""


@pytest.fixture
def ends():
    return []


@pytest.fixture
def points(tmp_path, ends):
    def end(pid, number):
        ends.append((pid, number))
        raise Ended()

    return Points(tmp_path / "crash", "here", end)


def arm(tmp_path, *lines):
    (tmp_path / "crash").write_text("".join(f"{line}\n" for line in lines))


def test_nothing_is_armed(points, ends):
    assert points.of(Cloud(), "").volumes.create("x") == "volume of x"
    assert ends == []


def test_a_call_is_the_last(points, ends, tmp_path):
    arm(tmp_path, "kill before:volumes.create:2")
    cloud = points.of(Cloud(), "")
    cloud.volumes.create("x")
    with pytest.raises(Ended):
        cloud.volumes.create("x")
    assert ends == [(os.getpid(), signal.SIGKILL)]
    cloud.volumes.create("x")  # the line was taken away
    assert list(tmp_path.iterdir()) == []


def test_points_one_after_the_other(points, ends, tmp_path):
    arm(tmp_path, "stop after:volumes.create:1", "kill before:volumes.create:1")
    cloud = points.of(Cloud(), "")
    for _ in range(2):
        with pytest.raises(Ended):
            cloud.volumes.create("x")
    cloud.volumes.create("x")
    assert [number for _, number in ends] == [signal.SIGSTOP, signal.SIGKILL]


def test_the_same_line_again_counts_anew(points, ends, tmp_path):
    for _ in range(2):
        arm(tmp_path, "kill before:volumes.create:1")
        with pytest.raises(Ended):
            points.of(Cloud(), "").volumes.create("x")
    assert len(ends) == 2


def test_a_write_is_named_after_its_step(points, ends, tmp_path):
    database = points.database(Database())

    def make_it(ctx):
        return database.run(lambda tx: f"made in {tx}")

    flow = points.steps({"build": Flow("build", (Step(make_it, undo=make_it),), 1.0)})
    [step] = flow["build"].steps
    assert step.name == "make_it"
    (tmp_path / "crash.seen").touch()
    assert database.run(lambda tx: 1) == 1
    assert step.do(None) == "made in tx"
    database.run(lambda tx: 1)
    assert database.reading() == "reading"
    assert (tmp_path / "crash.seen").read_text().split() == [
        "before:here.write",
        "after:here.write",
        "before:build.make_it",
        "before:build.make_it.write",
        "after:build.make_it.write",
        "after:build.make_it",
        "before:build.make_it.write",
        "after:build.make_it.write",
    ]


def test_chosen_methods_alone(points, tmp_path):
    (tmp_path / "crash.seen").touch()
    points.of(Database(), "db", ("reading",)).run(lambda tx: 1)
    assert points.of(Database(), "db", ("reading",), inside=True).reading()
    assert points.here == "db.reading"
    seen = (tmp_path / "crash.seen").read_text().split()
    assert seen == ["before:db.reading", "after:db.reading"]


@pytest.mark.parametrize("process", ["api", "conductor", "taskmanager"])
def test_no_process_has_them_unless_it_is_told(process):
    """The module is not even imported when the variable is not set."""
    code = (
        "import sys; from trove.service import threads; threads.prepare();"
        f"import trove.cmd.{process}, trove.api.app, trove.taskmanager.worker,"
        "trove.conductor.manager; sys.exit('trove.service.crashpoints' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd="/")
