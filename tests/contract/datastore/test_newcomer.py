# SPDX-License-Identifier: Apache-2.0
"""A datastore comes from outside: a folder on Python's path, and no edit anywhere.

``newcomer/`` is what its package would install: entry points, and what they name. Only
processes that are started here have it on their path.
"""

import os
import pathlib
import subprocess
import sys

import pytest
from defusedxml import ElementTree

from tests.contract.datastore import clients
from trove.datastores import registry

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
NEWCOMER = HERE / "newcomer"
NAME = "toykv"
BEYOND = (
    "test_archives.py",
    "test_backups.py",
    "test_backups_load.py",
    "test_carrying.py",
    "test_dumps.py",
    "test_increments.py",
    "test_point_in_time.py",
    "test_programs.py",
    "test_rows.py",
)
"""Of what an engine need not be able to do: it says so itself, and is not asked."""
SUITE = (
    *("-m", "pytest", "-p", "no:cacheprovider", "-q", str(HERE)),
    *(f"--ignore={HERE / name}" for name in BEYOND),
    "-k",
)
LOOK = """
import sys
from trove.datastores import registry
print(*[name for name in registry.names() if registry.get(name).name == name])
print(*[name for name in sys.modules if ".agent" in name or ".server" in name])
"""


def python(*words, path=()):
    """An interpreter that has these folders on its path, too."""
    before = os.environ.get("PYTHONPATH")
    folders = [*map(str, path), str(ROOT), *([before] if before else [])]
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )


def test_it_is_there_while_its_folder_is_on_the_path():
    assert NAME not in registry.names() and NAME not in clients.known()
    for path, there in (((), []), ((NEWCOMER,), [NAME])):
        done = python("-c", LOOK, path=path)
        names, loaded = done.stdout.split("\n")[:2]
        assert names.split() == sorted([*registry.names(), *there]), done.stderr
        assert loaded == "", "its data alone were loaded"


def test_nobody_else_has_a_word_of_it():
    folders = ("trove", "etc", "bin", "alembic", "tests")
    files = [ROOT / "setup.cfg", ROOT / "pyproject.toml"]
    files += [each for folder in folders for each in (ROOT / folder).rglob("*")]
    mine = {pathlib.Path(__file__)}
    named = [
        str(path)
        for path in files
        if path.is_file()
        and path.suffix != ".pyc"
        and path not in mine
        and NEWCOMER not in path.parents
        and NAME.encode() in path.read_bytes().lower()
    ]
    assert named == []


@pytest.mark.root
def test_it_passes_all_that_any_other_passes(tmp_path):
    """Every test of the suite: as many as there are for one that was always there."""
    other = next(name for name in clients.known() if _on_this_machine(name))
    listed = python(*SUITE, other, "--collect-only").stdout.splitlines()
    told = tmp_path / "told.xml"
    done = python(*SUITE, NAME, f"--junitxml={told}", path=(NEWCOMER,))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    (found,) = ElementTree.parse(told).getroot()
    counts = {word: int(found.get(word)) for word in ("tests", "skipped")}
    wanted = sum("::" in line for line in listed)
    assert counts == {"tests": wanted, "skipped": 0} and wanted > 0


def _on_this_machine(name):
    from tests.contract.datastore.conftest import builds

    return any(name == each for each, _ in builds(every=False))
