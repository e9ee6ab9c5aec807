# SPDX-License-Identifier: Apache-2.0
"""What every source file keeps: a licence, a first sentence, a size, no trap."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MODULES = sorted((ROOT / "trove").rglob("*.py"))
PYTHON = sorted(
    [*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "alembic").rglob("*.py")]
)
SPDX = "# SPDX-License-Identifier: Apache-2.0"

MODULE_LINES = 400
FUNCTION_LINES = 50
DRAWERS = {"base", "constants", "helpers", "misc", "tools", "util", "utils"}

# A datastore's name belongs to its own folder; these may say it for a reason.
NAMES = re.compile(r"mysql|mariadb|postgres|pgsql", re.IGNORECASE)
MAY_NAME_DATASTORES = {
    # the control database's own dialects
    "trove/db/dialects.py": "speaks them itself",
    "trove/db/migrate.py": "speaks them itself",
    "trove/db/session.py": "speaks them itself",
    "trove/db/types.py": "speaks them itself",
    "trove/db/tables/record.py": "speaks them itself",
    "trove/config/database.py": "speaks them itself",
    # what the one-machine cloud puts in its image, and what the quickstart shows
    "trove/localcloud/guestimage.py": "installs their packages",
    "trove/cmd/firststeps.py": "connects to one of each, as a user",
}


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def trees():
    for path in MODULES:
        yield relative(path), ast.parse(path.read_text())


def test_every_file_says_its_licence():
    silent = [relative(p) for p in PYTHON if not p.read_text().startswith(SPDX)]
    assert silent == []


def test_every_module_says_what_it_holds():
    silent = [
        name
        for name, tree in trees()
        if not name.endswith("__init__.py") and not ast.get_docstring(tree)
    ]
    assert silent == []


def test_no_module_is_too_long():
    long = {relative(p): len(p.read_text().splitlines()) for p in MODULES}
    assert {name: size for name, size in long.items() if size > MODULE_LINES} == {}


def test_no_function_is_too_long():
    long = {}
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > FUNCTION_LINES:
                    long[f"{name}:{node.name}"] = size
    assert long == {}


def test_there_are_no_drawers():
    assert [relative(p) for p in MODULES if p.stem in DRAWERS] == []


def calls(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


FORBIDDEN = {"eval", "exec", "os.popen", "os.system", "yaml.load", "yaml.unsafe_load"}


def test_nothing_runs_a_shell_or_what_it_reads():
    found = []
    for name, tree in trees():
        for called, node in calls(tree):
            shell = any(
                word.arg == "shell" and not _is_false(word.value)
                for word in node.keywords
            )
            if called in FORBIDDEN or shell:
                found.append(f"{name}:{node.lineno} {called}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names}
                names.add(getattr(node, "module", None) or "")
                if names & {"pickle", "marshal", "shelve", "dill"}:
                    found.append(f"{name}:{node.lineno} import")
    assert found == []


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def test_nothing_catches_everything_outside_the_places_for_it():
    allowed = ("trove/service/", "trove/workflow/engine.py", "trove/api/middleware/")
    # A loop that must outlive any one of its rounds says why, on the same line.
    found = []
    for name, tree in trees():
        if name.startswith(allowed):
            continue
        lines = (ROOT / name).read_text().splitlines()
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ExceptHandler)
                and (node.type is None or ast.unparse(node.type) == "Exception")
                and "#" not in lines[node.lineno - 1]
            ):
                found.append(f"{name}:{node.lineno}")
    assert found == []


def _words(tree: ast.Module) -> list[ast.Constant]:
    """Every string but the docstrings: prose may name what it likes."""
    prose = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr):
                prose.add(id(statement.value))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
    ]


def test_nobody_asks_which_datastore_it_is():
    found = []
    for name, tree in trees():
        if name in MAY_NAME_DATASTORES or name.startswith("trove/datastores/"):
            continue
        found += [
            f"{name}:{word.lineno} {word.value[:60]!r}"
            for word in _words(tree)
            if NAMES.search(word.value)
        ]
    assert found == []


def test_no_task_is_left_without_an_issue():
    found = []
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX)\b(?!\(#?\d+\))")
    for path in MODULES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if marks.search(line):
                found.append(f"{relative(path)}:{number}")
    assert found == []


@pytest.mark.parametrize(
    "process",
    [
        "api",
        "conductor",
        "guestagent",
        "localcloud",
        "manage",
        "status",
        "supervise",
        "taskmanager",
    ],
)
def test_every_process_can_be_started_from_bin(process):
    script = ROOT / "bin" / f"trove-{process}"
    assert script.stat().st_mode & 0o111
    assert len(script.read_text().splitlines()) <= 8
    assert (ROOT / "trove" / "cmd" / f"{process}.py").exists()
    assert (
        f"trove-{process} = trove.cmd.{process}:main"
        in (ROOT / "setup.cfg").read_text()
    )


def test_there_is_no_init_in_alembic():
    """It would hide the library of that name."""
    assert not list((ROOT / "alembic").rglob("__init__.py"))
