# SPDX-License-Identifier: Apache-2.0
"""What trove-manage prints: tables and sentences for people, JSON for programs."""

import collections.abc
import datetime
import json
import sys
import typing

MOMENTS = frozenset(
    {"created", "updated", "due", "deadline", "lease_until", "begun_at", "at"}
)
"""Columns that hold seconds since the epoch."""


class Output:
    """Standard output in one of two forms; errors always on standard error."""

    def __init__(self, as_json: bool, to: typing.TextIO | None = None) -> None:
        self.as_json = as_json
        self._to = to or sys.stdout

    def say(self, sentence: str, **facts: typing.Any) -> None:
        """Something was done: a sentence, or its facts."""
        self._write(facts if self.as_json else sentence)

    def rows(
        self,
        rows: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]],
        columns: collections.abc.Sequence[str],
    ) -> None:
        """A table; in JSON every key of every row."""
        if self.as_json:
            self._write([dict(row) for row in rows])
            return
        lines = [[_cell(column, row.get(column)) for column in columns] for row in rows]
        table = [[column.replace("_", " ") for column in columns], *lines]
        widths = [max(len(line[n]) for line in table) for n in range(len(columns))]
        for line in table:
            padded = (
                cell.ljust(width) for cell, width in zip(line, widths, strict=True)
            )
            self._write("  ".join(padded).rstrip())

    def facts(self, facts: collections.abc.Mapping[str, typing.Any]) -> None:
        """One thing, a line a fact."""
        if self.as_json:
            self._write(dict(facts))
            return
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            label = name.replace("_", " ").ljust(width)
            self._write(f"{label}  {_cell(name, value)}".rstrip())

    def error(self, sentence: str) -> None:
        """What went wrong."""
        print(f"trove-manage: {sentence}", file=sys.stderr)

    def _write(self, what: typing.Any) -> None:
        if not isinstance(what, str):
            what = json.dumps(what, indent=2, default=str)
        print(what, file=self._to)


def _cell(column: str, value: typing.Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in MOMENTS and isinstance(value, float):
        moment = datetime.datetime.fromtimestamp(value, datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value) or "-"
    # a guest's or a user's words must not steer the terminal
    return "".join(c if c.isprintable() else "?" for c in str(value))
