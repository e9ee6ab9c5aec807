# SPDX-License-Identifier: Apache-2.0
import pytest

from trove import errors
from trove.localcloud import containers, machines, programs


@pytest.fixture
def ours(tmp_path, host):
    return machines.Machines(
        tmp_path, "tst", host, v2=False, sleep=lambda seconds: None
    )


def configured(ours, tmp_path):
    ours.prepare("s1", [])
    home = ours.home("s1")
    container = containers.Container("tst-s1", "db", home, (tmp_path,), 512, 1)
    ours.configure(container)


def test_what_is_put_into_a_guest_is_only_roots(ours):
    ours.prepare("s1", [machines.File("/var/lib/seed/user_data", "secret", 0o600)])
    file = ours.home("s1") / "upper/var/lib/seed/user_data"
    assert file.read_text() == "secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o755


def test_what_a_guest_changed_is_not_put_back(ours):
    ours.prepare("s1", [machines.File("/etc/hostname", "one")])
    (ours.home("s1") / "upper/etc/hostname").write_text("changed")
    ours.prepare("s1", [machines.File("/etc/hostname", "one")])
    assert (ours.home("s1") / "upper/etc/hostname").read_text() == "changed"


def test_what_is_not_there_is_stopped(ours, host):
    assert ours.state("s1") == "STOPPED"
    ours.kill("s1")
    ours.remove("s1")
    assert host.asked == []


def test_a_machine_that_runs_is_not_started_again(ours, host, tmp_path):
    configured(ours, tmp_path)
    host.answers["lxc-info"] = "RUNNING"
    ours.start("s1")
    assert not [line for line in host.lines() if "lxc-start" in line]


def test_a_machine_that_does_not_start_at_once_is_started_anew(ours, host, tmp_path):
    configured(ours, tmp_path)
    tries = []

    def slow(argv):
        tries.append(argv)
        if len(tries) == 1:
            raise programs.ProgramFailed("lxc-start", "time-out", "no end after 60 s")
        return ""

    host.answers["lxc-start"] = slow
    ours.start("s1")
    assert len(tries) == 2


def test_a_machine_that_runs_in_the_end_has_started(ours, host, tmp_path):
    configured(ours, tmp_path)

    def late(argv):
        host.answers["lxc-info"] = "RUNNING"
        raise programs.ProgramFailed("lxc-start", "time-out", "no end after 60 s")

    host.answers["lxc-start"] = late
    ours.start("s1")
    assert len([line for line in host.lines() if "lxc-start" in line]) == 1


def test_why_a_machine_did_not_start_is_said(ours, host, tmp_path):
    configured(ours, tmp_path)
    host.failures.add("lxc-start")
    log = "lxc-start x 1 ERROR  start - no such bridge\n"
    (ours.home("s1") / "lxc.log").write_text(log)
    with pytest.raises(programs.ProgramFailed, match="no such bridge"):
        ours.start("s1")


def test_a_machine_that_does_not_stop_is_said_so(ours, host, tmp_path):
    configured(ours, tmp_path)
    host.answers["lxc-info"] = "RUNNING"
    with pytest.raises(errors.Internal):
        ours.kill("s1")


def test_the_permission_comes_before_the_node(ours, host):
    ours.plug("s1", containers.Disk("v", "/dev/vdb", "7:3"))
    lines = host.lines()
    allowed = next(i for i, line in enumerate(lines) if "devices.allow b 7:3" in line)
    made = next(
        i for i, line in enumerate(lines) if "mknod -m 660 /dev/vdb b 7 3" in line
    )
    assert allowed < made


def test_the_node_goes_before_the_permission(ours, host):
    ours.unplug("s1", containers.Disk("v", "/dev/vdb", "7:3"))
    assert "rm -f /dev/vdb" in host.lines()[0]
    assert "devices.deny b 7:3 rwm" in host.lines()[1]


def test_only_machines_of_the_deployment_are_ours(ours, host, tmp_path):
    ours.prepare("s1", [])
    (tmp_path / "other-s2").mkdir()
    host.answers["lxc-ls"] = "tst-s1\nother-s2"
    assert ours.all() == {"s1"}
    assert ours.active() == {"s1"}


def test_the_console_is_its_last_lines(ours):
    ours.prepare("s1", [])
    assert ours.console("s1") == ""
    (ours.home("s1") / "console.log").write_text("one\ntwo\nthree\n")
    assert ours.console("s1", 2) == "two\nthree\n"
    assert ours.console("s1", 0) == ""


def test_a_machine_is_asked_again_and_then_killed(ours, host, tmp_path):
    configured(ours, tmp_path)
    states = iter(["RUNNING"] * 4 + ["STOPPED"])
    host.answers["lxc-info"] = lambda argv: next(states)
    ours.stop("s1", 60)
    asked = [line.partition("tst-s1 ")[2] for line in host.lines() if "stop" in line]
    assert asked == ["--nokill -t 3", "--nokill -t 12", "--nokill -t 60", "-k"]


def test_a_machine_that_went_down_is_not_killed(ours, host, tmp_path):
    configured(ours, tmp_path)
    states = iter(["RUNNING", "STOPPED", "STOPPED", "STOPPED"])
    host.answers["lxc-info"] = lambda argv: next(states)
    ours.stop("s1", 60)
    assert not [line for line in host.lines() if line.endswith("-k")]
