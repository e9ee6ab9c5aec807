# SPDX-License-Identifier: Apache-2.0
import json
import pathlib

import pytest

from trove.cmd import localcloud
from trove.localcloud import assembly, layout


def where(tmp_path):
    return ["--state-dir", str(tmp_path), "--tag", "zzt", "--cidr", "10.253.9.0/24"]


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        localcloud.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for command in ("serve", "image", "rules", "check", "down", "purge", "leaks"):
        assert command in said
    assert "not a security boundary" in " ".join(said.split())


@pytest.mark.parametrize(
    "argv",
    [
        ["--tag", "UPPER", "leaks"],
        ["--tag", "toolong", "leaks"],
        ["--ports", "99999", "leaks"],
        ["--ports", "many", "leaks"],
        ["--config-file", "/no/such/file", "leaks"],
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(argv, capsys):
    assert localcloud.main(argv) == 2
    assert capsys.readouterr().err.startswith("trove-localcloud: ")


def test_options_come_from_a_file_and_the_command_line_wins(tmp_path):
    file = tmp_path / "localcloud.conf"
    file.write_text("[localcloud]\ntag = abc\nstate_dir = /state\n")
    argv = ["--config-file", str(file), "--tag", "xyz", "serve"]
    conf = localcloud._options(localcloud._parser().parse_args(argv))
    assert localcloud.place(conf) == layout.Layout(
        pathlib.Path("/state"), pathlib.Path("/state/cache"), "xyz"
    )


@pytest.mark.parametrize("command", ["serve", "down", "purge"])
def test_a_second_process_is_refused(tmp_path, capsys, command):
    asked = where(tmp_path)
    with assembly.alone(layout.Layout(tmp_path, tag="zzt")):
        assert localcloud.main([*asked, command]) == 2
    assert "runs already" in capsys.readouterr().err


@pytest.mark.root
def test_where_nothing_was_made_nothing_is_left(tmp_path, capsys):
    assert localcloud.main([*where(tmp_path), "leaks"]) == 0
    assert not any(json.loads(capsys.readouterr().out).values())
