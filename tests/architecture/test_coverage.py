# SPDX-License-Identifier: Apache-2.0
"""Every route has its tests and its clients, by what was heard of them (tests/covered).

When a route is new, run its tests with ``TROVE_TEST_RECORD=FILE`` and then
``python -m tests.covered FILE``.
"""

import ast
import functools
import pathlib
import re

import yaml

from tests.covered import table
from tests.covered.units import UNITS

ROOT = pathlib.Path(__file__).parents[2]


@functools.cache
def functions(path: pathlib.Path) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    )


@functools.cache
def cases() -> frozenset[str]:
    """The ids of the declared cases, without their language."""
    return frozenset(
        f"{path.stem}: {case['name']}"
        for path in (ROOT / "tests" / "api").glob("*.yaml")
        for case in yaml.safe_load(path.read_text())
    )


def there(test: str) -> bool:
    """Whether a test that the table names exists."""
    file, _, name = test.partition("::")
    function, _, parameters = name.partition("[")
    path = ROOT / file
    if not path.is_file() or function not in functions(path):
        return False
    if function != "test_case":
        return True
    return re.sub(r" \((json|xml)\)\]$", "", parameters) in cases()


def test_no_cell_of_the_table_is_empty():
    assert table.gaps(table.kept()) == []


def test_the_table_has_the_routes_there_are_and_no_others():
    lines = set(table.kept())
    assert set(UNITS) <= lines
    assert lines - set(UNITS) == set(table.DOCUMENTS)


def test_each_test_that_the_table_names_exists():
    named = {test for line in table.kept().values() for _, test in table.tests(line)}
    assert len(named) > 50
    assert sorted(test for test in named if not there(test)) == []


def test_the_page_is_made_of_the_table():
    assert table.PAGE.read_text() == table.page(table.kept()), "python -m tests.covered"


def test_a_gap_is_found():
    """The gate itself: a line without a test, a route that nobody declared."""
    kept = table.kept()
    name = "GET instances"
    broken = {**kept, name: {**kept[name], "clients": {}}, "GET nowhere": kept[name]}
    del broken[name][table.RUNNING]
    assert table.gaps(broken) == [
        "GET nowhere: no such route",
        f"{name}: {table.RUNNING}",
        f"{name}: no client, and no reason",
    ]
    assert not there("tests/api/test_cases.py::test_case[no: such (json)]")
