# SPDX-License-Identifier: Apache-2.0
"""trove-supervise: runs the whole control plane on one machine.

In production systemd does the same with the units in ``etc/systemd``.
"""

import argparse
import json
import logging
import pathlib
import sys
import typing

from trove.service import supervisor
from trove.service.supervised import Program


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("trove-supervise", description=__doc__)
    parser.add_argument("file", type=pathlib.Path, help="the processes, a JSON file")
    parser.add_argument(
        "do",
        choices=["run", "status", "stop", "restart"],
        help="run: in the foreground until SIGTERM; the others talk to the one that "
        "runs",
    )
    parser.add_argument("name", nargs="?", help="which process to restart")
    asked = parser.parse_args(argv)
    try:
        plan = json.loads(asked.file.read_text())
        programs = [Program.from_dict(entry) for entry in plan["processes"]]
        run, log = pathlib.Path(plan["run"]), pathlib.Path(plan["log"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{asked.file}: {error}")
    if asked.do == "run":
        return _run(programs, run, log)
    try:
        told = supervisor.ask(run, asked.do, asked.name)
    except ConnectionError:
        print("no supervisor runs here", file=sys.stderr)
        return 3
    for line in lines(told):
        print(line)
    return 0


def _run(programs: list[Program], run: pathlib.Path, log: pathlib.Path) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        return supervisor.Supervisor(programs, run, log).run()
    except (RuntimeError, ValueError) as error:
        print(f"trove-supervise: {error}", file=sys.stderr)
        return 2


def lines(told: dict[str, typing.Any]) -> list[str]:
    """What ``status`` prints: a line a process."""
    shape = "{:<14} {:<9} {:>8} {:>9} {:>8}"
    table = [shape.format("process", "state", "pid", "seconds", "restarts")]
    for one in told["processes"]:
        table.append(
            shape.format(
                one["name"],
                one["state"],
                one["pid"] or "-",
                f"{one['seconds']:.0f}",
                one["restarts"],
            )
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
