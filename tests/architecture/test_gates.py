# SPDX-License-Identifier: Apache-2.0
"""The checkers of ``tox -e check``, as tests: one summary covers them too."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check"],
        ["ruff", "format", "--check", "--quiet"],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=" ".join,
)
def test_gate(command):
    beside = pathlib.Path(sys.executable).parent / command[0]
    program = str(beside) if beside.exists() else shutil.which(command[0])
    assert program, f"{command[0]} is not installed: pip install -e .[test]"
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
