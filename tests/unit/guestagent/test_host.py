# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/host.py: argv only, bounded, clean, and no secret told."""

import os
import select
import time

import pytest

from trove.guestagent.host import HostError, scrub


def test_words_reach_the_program_as_they_are(host):
    words = ["$(id)", "`id`", "a\nb", ";", "-x", "*", "ü"]
    ran = host.run(["printf", "%s|", *words])
    assert ran.stdout == "".join(f"{word}|" for word in words)


def test_input_goes_in_by_a_pipe_and_the_environment_is_clean(host, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_AGENT", "x")
    assert host.run(["cat"], input=b"a\xffb").stdout == "a\ufffdb"
    assert "SECRET_OF_THE_AGENT" not in host.run(["env"]).stdout
    assert host.run(["cat"]).stdout == ""


def test_a_bad_end_is_told_with_its_code_and_its_words(host):
    with pytest.raises(HostError) as caught:
        host.run(["ls", "/nothing/there"])
    assert caught.value.code == 2
    assert "nothing/there" in caught.value.message
    assert host.run(["false"], check=False).returncode == 1
    assert host.run(["false"], ok=(0, 1)).returncode == 1


def test_a_program_that_is_not_there_is_a_host_error(host):
    with pytest.raises(HostError) as caught:
        host.run(["/no/such/program"])
    assert caught.value.code == 127


def test_time_over_kills_the_program_and_what_it_started(host, tmp_path):
    note = tmp_path / "pid"
    script = "import os, subprocess, time\n"
    script += "child = subprocess.Popen(['sleep', '1000'])\n"
    script += f"open({str(note) + '.new'!r}, 'w').write(str(child.pid))\n"
    script += f"os.rename({str(note) + '.new'!r}, {str(note)!r})\n"
    script += "time.sleep(1000)\n"
    # on a busy machine the program may need long to get as far as having a child
    for timeout in (1.5, 10, 60):
        begun = time.monotonic()
        with pytest.raises(HostError, match=f"stopped after {timeout:g} s") as caught:
            host.run(["/usr/bin/env", "python3", "-c", script], timeout=timeout)
        assert caught.value.code is None
        assert time.monotonic() - begun < timeout + 30
        if note.exists():
            break
    assert ended(int(note.read_text()), within=30)


def ended(pid: int, within: float) -> bool:
    """Whether a process that is not our child comes to its end; reaped or not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], within)[0])
    finally:
        os.close(descriptor)


def test_no_secret_is_in_an_error(host):
    with pytest.raises(HostError) as caught:
        host.run(
            ["python3", "-c", "import sys; sys.exit('got ' + sys.stdin.read())"],
            input="hunter2",
            hide=["hunter2"],
        )
    assert "hunter2" not in str(caught.value)
    assert "got ***" in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "password=hunter2",
        "Password: hunter2",
        "IDENTIFIED BY 'hunter2 and more'",
        'passwd "hunter2"',
    ],
)
def test_what_follows_the_word_password_is_taken_out(said):
    assert "hunter2" not in scrub(f"error near {said}")


def test_what_a_program_says_is_one_harmless_line():
    said = scrub("a\x1b[31mred\r\nb\x00c\ud800" + "x" * 2000)
    assert len(said) <= 500
    assert said.isprintable()


def test_a_user_has_only_its_own_groups(host):
    if os.geteuid() != 0:
        pytest.skip("needs root: runs as another user")
    assert host.run(["id", "-un"], user="nobody").stdout.strip() == "nobody"
    assert host.run(["id", "-Gn"], user="nobody").stdout.strip() == "nogroup"


def test_a_file_is_written_once_and_corrected(host, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root: files belong to root")
    path = str(tmp_path / "a")
    assert host.write_file(path, "x")
    assert not host.write_file(path, "x")
    assert host.write_file(path, "x", mode=0o600)
    assert host.write_file(path, "y", mode=0o600)
    assert host.read_file(path) == "y"
    host.remove(path)
    assert host.read_file(path) is None
    assert not host.exists(path)


def test_a_started_program_has_its_own_session_and_no_input(host, tmp_path):
    out = tmp_path / "out"
    script = f"import os; open({str(out)!r}, 'w').write("
    script += "f'{os.getsid(0)} {os.getpid()} {os.read(0, 1)!r}')"
    pid = host.start(["/usr/bin/env", "python3", "-c", script], {})
    assert os.waitpid(pid, 0)[1] == 0
    assert out.read_text() == f"{pid} {pid} b''"
