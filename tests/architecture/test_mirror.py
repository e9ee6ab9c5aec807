# SPDX-License-Identifier: Apache-2.0
"""tests/unit mirrors trove/: a test of a module is where one looks for it."""

import pathlib

ROOT = pathlib.Path(__file__).parents[2]


def test_every_unit_test_is_of_a_module():
    orphans = []
    for test in (ROOT / "tests" / "unit").rglob("test_*.py"):
        folder = test.parent.relative_to(ROOT / "tests" / "unit")
        name = test.stem.removeprefix("test_")
        module = ROOT / "trove" / folder / f"{name}.py"
        package = ROOT / "trove" / folder / name / "__init__.py"
        if not module.exists() and not package.exists():
            orphans.append(
                f"{test.relative_to(ROOT)} tests no trove/{folder}/{name}.py"
            )
    assert orphans == []
