# SPDX-License-Identifier: Apache-2.0
"""Every test that the operator's page on reliability names is there."""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "doc" / "operator" / "reliability.rst"
NAMED = re.compile(r"``(tests/[\w/]+\.py)(?:::(\w+))?``")


def functions_of(path: pathlib.Path) -> set[str]:
    """The functions of a file that pytest runs."""
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_a_promise_names_tests_that_exist():
    missing = []
    for file, test in NAMED.findall(PAGE.read_text()):
        path = ROOT / file
        if not path.is_file() or (test and test not in functions_of(path)):
            missing.append(f"{file}::{test}")
    assert missing == []


def test_every_promise_names_a_test():
    rows = re.split(r"^   \* - ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    promises = [row for row in rows if re.match(r"(INV-\d|[ST]\d)", row)]
    assert len(promises) > 40
    assert [row.split("\n")[0] for row in promises if not NAMED.search(row)] == []
