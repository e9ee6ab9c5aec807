# SPDX-License-Identifier: Apache-2.0
"""What was measured, as a table: median and range of each target, and the ratios."""

import statistics
import typing

Numbers = dict[str, dict[str, list[float]]]
"""Measure -> target -> one value a run (or more)."""
Table = list[list[str]]
"""A heading and its rows."""


def better_when_more(measure: str) -> bool:
    """Throughput; everything else is a cost."""
    return measure.endswith("/s")


def ratio(measure: str, ours: float, theirs: float) -> float | None:
    """How many times better ours is; below 1 it is worse."""
    above, below = (ours, theirs) if better_when_more(measure) else (theirs, ours)
    return above / below if below else None


def cell(values: list[float]) -> str:
    """Median (least-most)."""
    middle = number(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))}-{number(max(values))})"


def number(value: float) -> str:
    """Three figures, and no exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def rows(numbers: Numbers, ours: list[str], peer: str | None) -> Table:
    """A heading, then a row for each measure."""
    shown = [*ours, *([peer] if peer else [])]
    heading = ["measure", *shown]
    if peer:
        heading += [f"{name}: times better" for name in ours]
    found = [heading]
    for measure, by_target in numbers.items():
        row = [measure]
        row += [cell(by_target[t]) if t in by_target else "-" for t in shown]
        if peer:
            row += [_times(measure, by_target, name, peer) for name in ours]
        found.append(row)
    return found


def _times(
    measure: str, by_target: dict[str, list[float]], ours: str, peer: str
) -> str:
    if ours not in by_target or peer not in by_target:
        return "-"
    middles = [statistics.median(by_target[name]) for name in (ours, peer)]
    found = ratio(measure, *middles)
    return "-" if found is None else f"{number(found)}"


def text(table: Table) -> str:
    """For a terminal."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True))
        for row in table
    ]
    return "\n".join(line.rstrip() for line in lines)


def rst(table: Table) -> str:
    """For the page in doc/."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for first, *others in table:
        lines += [f"   * - {first}", *(f"     - {word}" for word in others)]
    return "\n".join(lines)


def collect(results: typing.Iterable[dict[str, typing.Any]]) -> Numbers:
    """From the file of results."""
    numbers: Numbers = {}
    for result in results:
        by_target = numbers.setdefault(result["measure"], {})
        by_target.setdefault(result["target"], []).append(result["value"])
    return numbers
