# SPDX-License-Identifier: Apache-2.0
"""What trove-manage prints: tables and sentences for people, JSON for programs."""

import collections.abc
import datetime
import json
import sys
import typing

MOMENTS = frozenset(
    {
        *("created", "updated", "due", "deadline", "lease_until", "begun_at", "at"),
        *("latest", "reported_at", "again"),
    }
)
"""Columns that hold seconds since the epoch."""
COMING = frozenset({"due", "deadline", "lease_until", "again"})
"""Those of them of which people want to know how far away they are."""
SPANS = frozenset({"took", "waited", "lag"})
"""Columns that hold seconds."""


class Output:
    """Standard output in one of two forms; errors always on standard error.

    Moments are UTC in ISO 8601 in both. ``now`` is the clock they were written by: with
    it people are told how far away a coming one is.
    """

    def __init__(self, as_json: bool, to: typing.TextIO | None = None) -> None:
        self.as_json = as_json
        self.now: float | None = None
        self._to = to or sys.stdout

    def say(self, sentence: str, **facts: typing.Any) -> None:
        """Something was done: a sentence, or its facts."""
        self._write(facts if self.as_json else shown(sentence))

    def rows(
        self,
        rows: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]],
        columns: collections.abc.Sequence[str],
    ) -> None:
        """A table; in JSON every key of every row."""
        if self.as_json:
            self._write([plain(row) for row in rows])
            return
        lines = [
            [self._cell(column, row.get(column)) for column in columns] for row in rows
        ]
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
            self._write(plain(facts))
            return
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            label = name.replace("_", " ").ljust(width)
            self._write(f"{label}  {self._cell(name, value)}".rstrip())

    def error(self, sentence: str) -> None:
        """What went wrong."""
        print(f"trove-manage: {shown(sentence)}", file=sys.stderr)

    def _write(self, what: typing.Any) -> None:
        if not isinstance(what, str):
            what = json.dumps(what, indent=2, default=str)
        print(what, file=self._to)

    def _cell(self, column: str, value: typing.Any) -> str:
        if column in COMING and isinstance(value, float) and self.now is not None:
            return f"{moment(value)} ({distance(value - self.now)})"
        return _cell(column, value)


def moment(seconds: float, precision: str = "seconds") -> str:
    """Seconds since the epoch as a time that people and programs read."""
    told = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return told.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    left = round(seconds)
    words: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if words or count:
            words.append(f"{count} {unit}")
    return " ".join(word for word in words[:2] if not word.startswith("0 "))


def distance(seconds: float) -> str:
    """How far away a moment is."""
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def plain(row: collections.abc.Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """A row for programs: the same, its moments in ISO 8601."""
    return {
        key: moment(value, "milliseconds")
        if key in MOMENTS and isinstance(value, float)
        else [plain(one) for one in value]
        if key == "steps"
        else value
        for key, value in row.items()
    }


def _cell(column: str, value: typing.Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in MOMENTS and isinstance(value, float):
        return moment(value)
    if column in SPANS and isinstance(value, float):
        return span(value)
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value) or "-"
    return shown(str(value))


def shown(text: str) -> str:
    """A guest's or a user's words must not steer the terminal, or add a line."""
    return "".join(c if c.isprintable() else "?" for c in text)
