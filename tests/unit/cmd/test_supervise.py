# SPDX-License-Identifier: Apache-2.0
"""trove-supervise's command line."""

import json

import pytest

from trove.cmd import supervise


def plan(folder, **program):
    file = folder / "plan.json"
    told = {
        "run": str(folder / "run"),
        "log": str(folder / "log"),
        "processes": [{"name": "a", "argv": ["true"], **program}],
    }
    file.write_text(json.dumps(told))
    return str(file)


def test_status_without_a_supervisor(tmp_path, capsys):
    assert supervise.main([plan(tmp_path), "status"]) == 3
    assert "no supervisor" in capsys.readouterr().err


def test_an_impossible_plan_is_refused(tmp_path, capsys):
    assert supervise.main([plan(tmp_path, after=["b"]), "run"]) == 2
    assert "a: after" in capsys.readouterr().err


def test_a_broken_plan_is_refused(tmp_path):
    with pytest.raises(SystemExit) as ended:
        supervise.main([plan(tmp_path, colour="red"), "run"])
    assert ended.value.code == 2


def test_lines_are_a_table():
    one = {"name": "api", "state": "up", "pid": 7, "seconds": 3.2, "restarts": 0}
    table = supervise.lines({"processes": [one]})
    assert table[1].split() == ["api", "up", "7", "3", "0"]
