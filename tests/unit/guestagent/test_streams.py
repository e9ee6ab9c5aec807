# SPDX-License-Identifier: Apache-2.0
"""Pipes of real programs: one that ends badly is never taken for one that said all."""

import dataclasses
import os
import pathlib
import signal
import time

import pytest

from trove.datastores.protocol import Stage
from trove.guestagent import streams
from trove.guestagent.host import HostError
from trove.guestagent.streams import reading, writing


def sh(script, *words, **about):
    """A program of a few lines; what it is given are its own words."""
    return Stage(("/bin/sh", "-c", script, "sh", *words), **about)


CAT = Stage(("cat",))


def read(*stages, **about):
    with reading(*stages, **about) as source:
        return source.read()


def until(look, within=20.0):
    end = time.monotonic() + within
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_the_first_says_runs_through_the_others():
    assert read(sh("echo one; echo two"), Stage(("tr", "a-z", "A-Z"))) == b"ONE\nTWO\n"
    assert read(sh("exit 0"), CAT) == b""


def test_who_says_something_need_not_wait_for_who_reads_it(tmp_path):
    """As much as a part's frame is on its way between two programs, or to us."""
    done = tmp_path / "done"
    said = 900_000
    first = sh('head -c "$1" /dev/zero; echo >"$2"', str(said), str(done))
    with reading(first) as source:
        until(done.exists)
        assert len(source.read()) == said


@pytest.mark.parametrize("where", range(3))
def test_whichever_of_them_fails_it_has_failed(where):
    stages = [sh("echo data"), CAT, CAT]
    stages[where] = sh("cat; echo it broke >&2; exit 7")
    with pytest.raises(HostError, match="exit code 7.*it broke"):
        read(*stages)


def test_one_that_is_killed_in_the_middle_has_not_said_all():
    with pytest.raises(HostError, match="exit code -9"):
        read(sh("echo data; kill -9 $$"), CAT)


def test_who_broke_the_pipe_is_named_and_not_who_was_writing():
    with pytest.raises(HostError, match="no room"):
        read(sh("yes"), sh("head -c 10 >/dev/null; echo no room >&2; exit 3"))


def test_a_program_that_is_not_there_ends_those_that_are(tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(HostError, match="127"):
        read(sh('echo $$ >"$1"; exec sleep 1000', str(pid)), Stage(("/nonexistent",)))
    assert gone(pid)


def test_whatever_ends_the_block_ends_the_programs(tmp_path):
    pid = tmp_path / "pid"
    first = sh('sleep 1000 & echo $! >"$1"; echo up; wait', str(pid))
    with pytest.raises(ZeroDivisionError), reading(first, CAT) as source:
        assert source.read(2) == b"up"
        raise ZeroDivisionError
    assert gone(pid)


def test_one_that_does_not_end_is_ended(tmp_path):
    pid = tmp_path / "pid"
    first = sh('echo $$ >"$1"; exec >&-; exec sleep 1000', str(pid))
    with pytest.raises(HostError, match="no end in time"):
        read(first, within=0.2)
    assert gone(pid)


def gone(pid: pathlib.Path) -> bool:
    """Whether that process is there no more; it may not have got as far as its file."""
    if not pid.exists() or not pid.read_text().strip():
        return True
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return True
    state = pathlib.Path(f"/proc/{pid.read_text().strip()}/stat").read_text()
    return state.rpartition(")")[2].split()[0] == "Z"


def test_a_secret_is_not_in_the_complaint():
    stage = sh('echo "login with $1" >&2; exit 1', "hunter2", hide=("hunter2",))
    with pytest.raises(HostError) as failed:
        read(stage)
    assert "hunter2" not in str(failed.value) and "login with" in str(failed.value)
    assert "hunter2" not in repr(Stage(("x",), hide=("hunter2",)))


def test_complaints_without_end_stop_nobody_and_the_last_is_kept():
    first = sh("yes 0123456789 | head -c 3000000 >&2; echo why >&2; echo ok; exit 5")
    with pytest.raises(HostError, match="why"):
        read(first)


def test_what_is_told_goes_through_all(tmp_path):
    with writing(CAT, sh('cat >"$1"', str(tmp_path / "file"))) as sink:
        for _ in range(1000):
            sink.write(b"x" * 1000)
    assert (tmp_path / "file").stat().st_size == 1_000_000


def test_what_the_last_says_of_its_own_is_nobodys_and_stops_nothing():
    with writing(sh("yes | head -c 3000000; cat >/dev/null")) as sink:
        sink.write(b"x" * 1_000_000)


@pytest.mark.parametrize("size", [1, 10_000_000])
def test_one_that_takes_no_more_says_why(size):
    with (
        pytest.raises(HostError, match="the disk is full"),
        writing(
            CAT, sh("head -c 1 >/dev/null; echo the disk is full >&2; exit 1")
        ) as to,
    ):
        to.write(b"x" * size)


def test_it_has_taken_all_only_when_it_ended_well():
    with (
        pytest.raises(HostError, match="exit code 4"),
        writing(sh("cat >/dev/null; exit 4")) as sink,
    ):
        sink.write(b"x")


def test_victims_alone_are_named_too():
    with pytest.raises(HostError, match=f"exit code -{signal.SIGPIPE.value}"):
        read(sh("kill -PIPE $$"))
    assert -signal.SIGPIPE in streams.VICTIM


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_it_runs_as_somebody_else():
    assert read(Stage(("id", "-un"), user="nobody")) == b"nobody\n"


@pytest.mark.parametrize("where", range(3))
def test_one_with_a_pace_is_one_of_them(where):
    stages = [sh("echo one"), CAT, CAT]
    stages[where] = dataclasses.replace(stages[where], pace=1 << 20)
    assert read(*stages) == b"one\n"
    stages[0] = sh("echo one; exit 7")
    with pytest.raises(HostError, match="exit code 7"):
        read(*stages)


def test_a_pace_does_not_hold_who_is_ended(tmp_path):
    pid = tmp_path / "pid"
    endless = sh('echo $$ >"$1"; exec yes', str(pid), pace=1024)
    with pytest.raises(ZeroDivisionError), reading(endless, CAT) as source:
        assert source.read(1) == b"y"
        raise ZeroDivisionError
    assert gone(pid)
