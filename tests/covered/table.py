# SPDX-License-Identifier: Apache-2.0
"""The table: kept in ``covered.json``, shown by a page, checked test by test.

A line has a test of the API in one process (and one in XML), a test of a running cloud,
and the clients that ask it, each with a test of its own.
"""

import json
import os
import pathlib
import typing
from collections.abc import Iterable

from tests.covered.recorder import PLAIN, Heard
from tests.covered.units import DOCUMENTS, UNITS

HERE = pathlib.Path(__file__).parent
KEPT = HERE / "covered.json"
ROOT = HERE.parents[1]
PAGE = ROOT / "doc" / "api-ref" / "coverage.rst"
RECORD = "TROVE_TEST_RECORD"
"""The environment variable that names a file, to which what was heard is added."""

IN_PROCESS, IN_XML, RUNNING = "in process", "in XML", "running cloud"
COLUMNS = (IN_PROCESS, IN_XML, RUNNING)

Line = dict[str, typing.Any]
Table = dict[str, Line]
Recorded = dict[str, set[Heard]]
"""What each test was heard to ask."""

WITHOUT_A_CLIENT = {
    "operations": "of this service alone: no shipped client knows it",
    "instances/{id}/events": "of this service alone: no shipped client knows it",
    "instances/{id}/copies": "of this service alone: no shipped client knows it",
    "instances/{id}/backup_policy": "of this service alone: no client knows it",
    "recycled-instances": "of this service alone: no shipped client knows it",
    "backups/{id}/action": "of this service alone: no client knows it",
    "instances/{id}/archives": "of this service alone: no client knows it",
    "instances/detail": "the library lists without detail; scripts ask for it",
    "mgmt/instances/{id}": "no shipped client has it",
    "instances/{id}/databases/{name}": "openstacksdk lists, and fetches none alone",
    "instances/{id}/action": "the library resets and then deletes: two requests",
    "clusters/{id}": "the library asks for the cluster before, and there is none",
    "GET /": "keystoneauth asks it only without a catalogue",
}
"""Why nothing but plain HTTP asks for what is below a path (contract, 19 and 21)."""


def kept() -> Table:
    table: Table = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return table


def done(heard: Heard) -> bool:
    """Whether it was answered as the declaration says."""
    unit = UNITS.get(heard.unit)
    if unit is None:
        return heard.status == 200
    return heard.status in (unit.status, unit.route.op.status)


def in_xml(heard: Heard) -> bool:
    """Whether all of it that is written was XML."""
    unit = UNITS.get(heard.unit)
    if unit is None:
        return heard.got == "xml"
    sent = heard.sent == "xml" or not unit.sends
    return sent and (heard.got == "xml" or not unit.answers)


def speaks(name: str) -> bool:
    """Whether XML makes a difference to it: it has a body, or an answer."""
    unit = UNITS.get(name)
    return unit is not None and (unit.sends or unit.answers)


def place(test: str) -> str:
    """Where a test runs: the column that it is for."""
    return RUNNING if test.startswith("tests/system/") else IN_PROCESS


def cells(test: str, heard: Iterable[Heard]) -> set[tuple[str, str]]:
    """The cells that a test fills: of a line, a column or a client."""
    filled = set()
    for each in heard:
        if done(each):
            filled.add((each.unit, place(test)))
            filled.add((each.unit, each.client))
            if place(test) == IN_PROCESS and in_xml(each) and speaks(each.unit):
                filled.add((each.unit, IN_XML))
    return filled


# -- what a test must do that the table names ------------------------------------------


def missed(test: str, heard: set[Heard], table: Table) -> list[str]:
    """What the table says of a test, and the test did not do."""
    filled = cells(test, heard)
    return [
        f"{name}: {column}"
        for name, line in table.items()
        for column, named in tests(line)
        if named == test and (name, column) not in filled
    ]


def tests(line: Line) -> list[tuple[str, str]]:
    columns = [(name, line[name]) for name in COLUMNS if name in line]
    return columns + list(line["clients"].items())


def record(test: str, heard: set[Heard]) -> None:
    """Adds a line to the record, if one is wanted."""
    if (path := os.environ.get(RECORD)) and heard:
        rows = [[x.unit, x.client, x.sent, x.got, x.status] for x in heard if done(x)]
        with open(path, "a") as file:
            file.write(json.dumps([test, rows]) + "\n")


# -- from records to the table ---------------------------------------------------------


def read(paths: Iterable[pathlib.Path]) -> Recorded:
    found: Recorded = {}
    for path in paths:
        for line in path.read_text().splitlines():
            test, rows = json.loads(line)
            found.setdefault(test, set()).update(Heard(*row) for row in rows)
    return found


def merged(table: Table, recorded: Recorded) -> Table:
    """With what is new: a test that is named already stays, if it still does it."""
    offered: dict[tuple[str, str], list[str]] = {}
    for test, heard in recorded.items():
        for cell in cells(test, heard):
            offered.setdefault(cell, []).append(test)
    new: Table = {}
    for name in (*UNITS, *DOCUMENTS):
        old = table.get(name, {"clients": {}})
        line: Line = {}
        for column in COLUMNS:
            if test := _chosen(old.get(column), offered.get((name, column)), recorded):
                line[column] = test
        known = {client for unit, client in offered if unit == name} - set(COLUMNS)
        line["clients"] = {
            client: test
            for client in sorted({*old["clients"], *known})
            if (
                test := _chosen(
                    old["clients"].get(client), offered.get((name, client)), recorded
                )
            )
        }
        new[name] = line
    return new


def _chosen(old: str | None, new: list[str] | None, recorded: Recorded) -> str | None:
    new = sorted(new or (), key=_plain)
    if old and (old in new or old not in recorded):
        return old
    return new[0] if new else None


def _plain(test: str) -> tuple[bool, bool, str]:
    """Tests that were written for it come before those that do all there is."""
    general = "test_attacks" in test or "matrix" in test or "constant" in test
    return (general, "test_cases" not in test and "clients" not in test, test)


# -- what is missing -------------------------------------------------------------------


def gaps(table: Table) -> list[str]:
    """The empty cells, in words."""
    found = [f"{name}: no such route" for name in table if name not in _names()]
    for name in _names():
        line = table.get(name, {"clients": {}})
        wanted = [IN_PROCESS, *([IN_XML] if speaks(name) else []), RUNNING]
        if name == "GET /healthcheck":
            wanted.remove(IN_PROCESS)  # paste's, beside the application
        found += [f"{name}: {each}" for each in wanted if each not in line]
        if not set(line["clients"]) - {PLAIN} and reason(name) is None:
            found.append(f"{name}: no client, and no reason")
    return found


def _names() -> list[str]:
    return [*UNITS, *DOCUMENTS]


def reason(name: str) -> str | None:
    """Why only plain HTTP asks for it."""
    if name in DOCUMENTS:
        return WITHOUT_A_CLIENT["GET /"]
    path = name.split()[1]
    return next(
        (
            said
            for top, said in WITHOUT_A_CLIENT.items()
            if path == top or path.startswith(f"{top}/")
        ),
        None,
    )


# -- the page --------------------------------------------------------------------------

HEAD = """.. This file is derived from tests/covered/covered.json; do not edit it.

========
Coverage
========

Every route of the API, and every action behind one path, with a test of it in one
process, the same in XML, a test of it in a running cloud with real guests, and the
clients that ask for it, each with its test. What a test asked for was heard while it
ran; a test that no longer does what is said of it here fails, and so does a route
without a test.

"""


def page(table: Table) -> str:
    xml = sum(1 for line in table.values() if IN_XML in line)
    running = sum(1 for line in table.values() if RUNNING in line)
    lines = [
        HEAD + f"{len(UNITS)} routes and actions, {len(DOCUMENTS)} documents. "
        f"{xml} are asked in XML,",
        f"the others have nothing to say in it; {running} of a running cloud.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - Route",
        "     - Answers",
        "     - In process",
        "     - In XML",
        "     - Running cloud",
        "     - Clients",
    ]
    for name, line in table.items():
        unit = UNITS.get(name)
        lines += [
            f"   * - ``{name}``",
            f"     - {_answer(name)}",
            f"     - {_named(line.get(IN_PROCESS), 'with the paste pipeline only')}",
            f"     - {_named(line.get(IN_XML), NO_BODY if unit else NO_XML)}",
            f"     - {_named(line.get(RUNNING), '')}",
            *_clients(name, line),
        ]
    return "\n".join(lines) + "\n"


NO_BODY = "neither a body nor an answer"
NO_XML = "of documents JSON is looked at"


def _named(test: str | None, otherwise: str) -> str:
    return f"``{test}``" if test else otherwise


def _answer(name: str) -> str:
    unit = UNITS.get(name)
    if unit is None:
        return "200"
    return f"{unit.status}, so far" if unit.status >= 400 else str(unit.status)


def _clients(name: str, line: Line) -> list[str]:
    """Each with its test; or why there is none."""
    asked = {k: v for k, v in line["clients"].items() if k != PLAIN}
    said = [f"{client}: ``{test}``" for client, test in asked.items()]
    said = said or [f"{PLAIN}: {reason(name)}"]
    return [
        f"     {'-' if n == 0 else ' '} {each}{';' if n + 1 < len(said) else ''}"
        for n, each in enumerate(said)
    ]


def write(table: Table) -> None:
    KEPT.write_text(json.dumps(table, indent=1) + "\n")
    PAGE.write_text(page(table))
