# SPDX-License-Identifier: Apache-2.0
"""What the operator's pages say is so: the tests they name, the steps they list."""

import ast
import pathlib
import re

from trove.flows import FLOWS

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "doc" / "operator" / "reliability.rst"
PAGES = (PAGE, PAGE.with_name("backups.rst"))
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
    said = "".join(page.read_text() for page in PAGES)
    for file, test in NAMED.findall(said):
        path = ROOT / file
        if not path.is_file() or (test and test not in functions_of(path)):
            missing.append(f"{file}::{test}")
    assert missing == []


def test_every_promise_names_a_test():
    rows = re.split(r"^   \* - ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    promises = [row for row in rows if re.match(r"(INV-\d|[ST]\d)", row)]
    assert len(promises) > 40
    assert [row.split("\n")[0] for row in promises if not NAMED.search(row)] == []


def test_the_page_on_operations_lists_every_kind_with_its_steps():
    page = (PAGE.parent / "operations.rst").read_text()
    told = {}
    for row in re.split(r"^   \* - ", page, flags=re.MULTILINE)[1:]:
        kind, *steps = re.findall(r"``([\w.]+)``", row.partition("\n\n")[0])[:21] or [
            ""
        ]
        told[kind] = steps
    assert {kind: told.get(kind) for kind in FLOWS} == {
        kind: [step.name for step in flow.steps] for kind, flow in FLOWS.items()
    }
