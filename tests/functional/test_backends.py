# SPDX-License-Identifier: Apache-2.0
"""Every test of ``suite/`` once per concurrency backend, each in its backend's process.

A backend is chosen before anything is imported, so no process can have both: a child
runs the suite, and each of its tests is told here under its own name.
"""

import ast
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as etree

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITE = HERE / "suite"
BACKENDS = ("threading", "eventlet")
WITHIN = 420
"""Seconds for a backend's whole run, on a machine that does other things too."""


def names() -> list[str]:
    """``file.py::test`` of all that the suite holds."""
    found = []
    for path in sorted(SUITE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.append(f"{path.name}::{node.name}")
    return found


class Run:
    """A child's results: the failures of each test, and all that it said."""

    def __init__(self, backend: str, wanted: list[str], home: pathlib.Path) -> None:
        conf, report = home / "backend.conf", home / "report.xml"
        conf.write_text(f"[DEFAULT]\nconcurrency_backend = {backend}\n")
        words = [sys.executable, "-m", "tests.functional.child", str(conf)]
        words += ["-c", str(ROOT / "setup.cfg"), f"--rootdir={ROOT}"]
        # what tests/conftest.py chooses is not for this process
        words += [f"--confcutdir={SUITE}", "-p", "no:cacheprovider"]
        words += [f"--junitxml={report}", "-o", "junit_family=xunit1", "--durations=8"]
        words += [str(SUITE / name) for name in wanted]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        environment["TROVE_FUNCTIONAL_BACKEND"] = backend
        environment.pop("PYTEST_ADDOPTS", None)
        self.said = self._child(words, environment)
        self.passed: set[str] = set()
        self.skipped: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        if report.exists():
            self._read(report)

    def _child(self, words: list[str], environment: dict[str, str]) -> str:
        """All that it says; one that does not end is ended, and is not tried again."""
        try:
            ended = subprocess.run(
                words,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=WITHIN,
            )
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
            text = said if isinstance(said, str) else said.decode(errors="replace")
            return f"{text}\nended after {WITHIN} s"
        return ended.stdout

    def _read(self, report: pathlib.Path) -> None:
        for case in etree.parse(report).iter("testcase"):  # noqa: S314 - our own
            name = case.get("name", "").partition("[")[0]
            name = f"{case.get('classname', '').rpartition('.')[2]}.py::{name}"
            bad = [*case.findall("failure"), *case.findall("error")]
            if bad:
                told = "\n".join(each.text or "" for each in bad)
                self.failed[name] = f"{self.failed.get(name, '')}{told}\n"
            elif (why := case.find("skipped")) is not None:
                self.skipped[name] = why.get("message", "")
            else:
                self.passed.add(name)


@pytest.fixture(scope="session")
def runs(request, tmp_path_factory):
    """``runs(backend)``: its child's results; the child runs what was selected."""
    made: dict[str, Run] = {}

    def run(backend: str) -> Run:
        if backend not in made:
            wanted = [
                item.callspec.params["name"]
                for item in request.session.items
                if item.path == pathlib.Path(__file__).resolve()
                and item.callspec.params["backend"] == backend
            ]
            home = tmp_path_factory.mktemp(backend)
            made[backend] = Run(backend, wanted, home)
            print(made[backend].said)
        return made[backend]

    return run


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("backend", BACKENDS)
def test_functional(runs, backend: str, name: str) -> None:
    run = runs(backend)
    if name in run.failed:
        pytest.fail(f"{backend}: {run.failed[name]}", pytrace=False)
    if name in run.skipped:
        pytest.skip(run.skipped[name])
    if name not in run.passed:
        pytest.fail(f"{backend} never ran it:\n{run.said[-4000:]}", pytrace=False)
