# SPDX-License-Identifier: Apache-2.0
"""The quickstart's words: steps with their seconds, refusals, an empty machine."""

import io

from trove.cmd import quickstart
from trove.localcloud.layout import Layout


def test_a_step_is_one_line():
    out = io.StringIO()
    with quickstart.Steps(out).step("doing"):
        pass
    assert out.getvalue().startswith("doing ...")
    assert out.getvalue().endswith(" s\n")
    assert out.getvalue().count("\n") == 1


def test_what_is_said_in_a_step_has_its_own_line():
    out = io.StringIO()
    steps = quickstart.Steps(out)
    with steps.step("doing"):
        steps.say("half of it")
    lines = out.getvalue().split("\n")
    assert lines[1] == "half of it"
    assert lines[2].endswith(" s")


def test_status_of_what_does_not_run(tmp_path, capsys):
    place = Layout(state=tmp_path)
    assert quickstart.status(place) == 1
    assert "nothing runs" in capsys.readouterr().out


def test_there_may_be_nothing_to_purge(tmp_path):
    out = io.StringIO()
    gone = Layout(state=tmp_path / "gone")
    assert quickstart.purge(gone, quickstart.Steps(out)) == 0
    assert "nothing to do" in out.getvalue()


def test_one_thing_at_a_time():
    asked = quickstart.parser().parse_args(["--status", "--ports", "20000"])
    assert asked.status and asked.ports == 20000


def test_a_datastore_that_is_none_is_refused_before_anything_is_done(tmp_path, capsys):
    words = ["--state-dir", str(tmp_path / "new"), "--datastores", "mariadb,potato"]
    assert quickstart.main(words) == 2
    assert "no datastore potato; there are: mariadb" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
