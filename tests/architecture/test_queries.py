# SPDX-License-Identifier: Apache-2.0
"""What a handler reads behind the ``?`` is declared, and what is declared is read."""

import ast
import pathlib

from trove.api.queries import CLUSTERED, PAGING
from trove.api.resources import RESOURCES

PLACE = pathlib.Path(__file__).parents[2] / "trove" / "api" / "resources"
PAGED = {query.name for query in PAGING}


def read_in(path: pathlib.Path) -> set[str]:
    """The words that are read of a query, directly or by a function of the module."""
    return {
        argument.value
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and ("query" in ast.unparse(call.func) or "_truth" in ast.unparse(call.func))
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    } - {""}


def test_no_parameter_is_read_that_is_not_declared():
    declared = {
        query.name
        for resource in RESOURCES
        for op in resource.ops
        for query in op.parameters
    }
    assert {"from_guest", "count_only", "deleted"} < declared
    read = {path.stem: read_in(path) for path in PLACE.glob("*.py")}
    assert {name: words - declared for name, words in read.items()} == {
        name: set() for name in read
    }
    known = set().union(*read.values())
    silent = declared - known - PAGED - {CLUSTERED.name, "dry_run"}
    assert silent == set(), "declared, and never read"


def test_what_pages_is_declared_to():
    for resource in RESOURCES:
        for op in resource.ops:
            if op.do is None:
                continue
            code = op.do.__code__
            names = {query.name for query in op.parameters}
            assert ("wanted" in code.co_names) == (names >= PAGED), (resource, op.path)
