# SPDX-License-Identifier: Apache-2.0
"""The bench: ours on both concurrency backends and, if there is one, a peer beside.

``python -m tests.bench [--quick | --scale | --login | --backups | --served |
--beside TREE]
[--runs N] [--out FILE]``.
``$TROVE_BENCH_PEER`` is the target file of a peer that runs already. All are measured
in turn in every run, so that what else the machine does meets them alike. ``--scale``
measures ours alone (``scale.py``), ``--login`` ours with real guests (``login.py``),
``--backups`` a backup and a restore beside the engine's tool and upstream's method,
``--served`` what a backup leaves its database (``saving.py``),
``--beside`` another checkout of ours and this (``beside.py``).
See doc/developer/performance.rst.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time
import typing

from tests.bench import beside, login, processes, report, saving, scale
from tests.bench.measures import QUICK, Round, Said, Size
from tests.bench.stand import Stand
from tests.bench.target import Described, Target

BACKENDS = ("threading", "eventlet")
PEER = "TROVE_BENCH_PEER"

Results = list[dict[str, typing.Any]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small run")
    parser.add_argument("--runs", type=int, help="of everything (3; quick: 1)")
    parser.add_argument(
        "--out", type=pathlib.Path, help="where the results go, as JSON"
    )
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument(
        "--scale", action="store_true", help="many instances, and all report"
    )
    parser.add_argument(
        "--login", action="store_true", help="real guests: from POST to a login"
    )
    parser.add_argument(
        "--backups", action="store_true", help="a backup and a restore of real guests"
    )
    parser.add_argument(
        "--served", action="store_true", help="commits while a backup is made"
    )
    parser.add_argument("--gib", type=float, default=1.0, help="of data, for these")
    parser.add_argument(
        "--beside",
        type=pathlib.Path,
        metavar="TREE",
        help="that checkout and this, reads and creates in turn",
    )
    whole = scale.Scale()
    parser.add_argument("--instances", type=int, default=whole.instances)
    parser.add_argument("--rate", type=float, default=whole.rate, help="heartbeats/s")
    parser.add_argument("--seconds", type=float, default=whole.seconds)
    parser.add_argument("--conductors", type=int, default=whole.conductors)
    parser.add_argument("--rst", action="store_true", help="the table for the page")
    return parser.parse_args()


def _teller(target: Target, run: int, results: Results) -> Said:
    """Notes a figure, and prints it as it comes."""

    def say(name: str, value: float) -> None:
        results.append(
            {"run": run, "target": target.name, "measure": name, "value": value}
        )
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} {target.name:16} {name}: {report.number(value)}", flush=True)

    return say


def measure(target: Target, size: Size, run: int, results: Results) -> None:
    """One round, printed as it goes."""
    print(f"run {run + 1}, {target.name}, load {os.getloadavg()[0]:.1f}", flush=True)
    Round(target, size, _teller(target, run, results)).everything()


def compare(asked: argparse.Namespace, results: Results) -> report.Table:
    """Ours on its backends, beside the peer; the table."""
    size = QUICK if asked.quick else Size()
    runs = asked.runs or (1 if asked.quick else 3)
    backends = asked.backend or list(BACKENDS)
    place = os.environ.get(PEER)
    peer = Described(pathlib.Path(place)) if place else None
    stand = Stand(size.sizes)
    try:
        _start(stand)
        for run in range(runs):
            for backend in backends:
                stand.use(backend)
                measure(stand, size, run, results)
            stand.rest()
            if peer is not None:
                measure(peer, size, run, results)
    finally:
        stand.stop()
        if peer is not None:
            peer.close()
    numbers = report.collect(results)
    ours = [f"trove/{backend}" for backend in backends]
    return report.rows(numbers, ours, peer.name if peer else None)


def grow(asked: argparse.Namespace, results: Results) -> report.Table:
    """Ours alone, with many instances."""
    wanted = scale.Scale(asked.instances, asked.rate, asked.seconds, asked.conductors)
    stand = Stand(scale.sizes(wanted))
    backend = (asked.backend or BACKENDS)[0]
    try:
        _start(stand)
        stand.use(backend)
        scale.measure(stand, wanted, _teller(stand, 0, results))
    finally:
        stand.stop()
    return report.rows(report.collect(results), [stand.name], None)


def enter(asked: argparse.Namespace, results: Results) -> str:
    """Ours with real guests; a table for each datastore."""
    walks: dict[str, list[login.Moments]] = {}

    def note(datastore: str, run: int, moments: login.Moments) -> None:
        walks.setdefault(datastore, []).append(moments)
        print(f"run {run + 1}, {datastore}: {moments[login.LOGIN]:.2f} s", flush=True)
        results.extend(
            {"run": run, "target": datastore, "measure": name, "value": value}
            for name, value in moments.items()
        )

    def crowded(datastore: str, moments: login.Moments) -> None:
        for name, value in moments.items():
            print(f"{datastore}, {name}: {value:.2f} s", flush=True)
            results.append(
                {"run": 0, "target": datastore, "measure": name, "value": value}
            )

    login.measure(asked.runs or 5, note, crowded)
    shown = report.rst if asked.rst else report.text
    return "\n\n".join(
        f"{datastore}\n{shown(login.table(walks[datastore]))}" for datastore in walks
    )


def _noted(results: Results) -> saving.Note:
    """Notes a figure, and prints it as it comes."""

    def note(measure: str, run: int, name: str, value: float) -> None:
        results.append({"run": run, "target": name, "measure": measure, "value": value})
        print(f"run {run + 1}, {measure}, {name}: {report.number(value)}", flush=True)

    return note


def save(asked: argparse.Namespace, results: Results) -> str:
    """Backups and restores; a line for each."""
    runs = asked.runs or (3 if asked.gib <= saving.LARGE else 1)
    saving.measure(asked.gib, runs, _noted(results))
    shown = report.rst if asked.rst else report.text
    return shown(saving.table(results, asked.gib))


def serve(asked: argparse.Namespace, results: Results) -> str:
    """What backups leave their databases; a line for each measure."""
    saving.serve(asked.gib, asked.runs or 3, _noted(results))
    numbers: dict[str, list[float]] = {}
    for one in results:
        numbers.setdefault(one["measure"], []).append(one["value"])
    shown = report.rst if asked.rst else report.text
    rows = [[name, report.cell(values)] for name, values in numbers.items()]
    return shown([["measure", "median (least-most)"], *rows])


def stand_beside(asked: argparse.Namespace, results: Results) -> str:
    """Another checkout of ours, and this one."""

    def say(name: str, measure: str, value: float) -> None:
        results.append({"run": 0, "target": name, "measure": measure, "value": value})
        print(f"{name:6} {measure}: {report.number(value)}", flush=True)

    beside.measure(asked.beside.resolve(), say)
    return beside.table(results)


def _start(stand: Stand) -> None:
    begun = time.monotonic()
    stand.start()
    print(f"set up in {time.monotonic() - begun:.0f} s", flush=True)


def main() -> int:
    asked = arguments()
    # so that what was started is stopped, whoever ends this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results: Results = []
    begun, load = time.time(), os.getloadavg()[0]
    if asked.login:
        text = enter(asked, results)
    elif asked.backups:
        text = save(asked, results)
    elif asked.served:
        text = serve(asked, results)
    elif asked.beside:
        text = stand_beside(asked, results)
    else:
        table = grow(asked, results) if asked.scale else compare(asked, results)
        text = report.rst(table) if asked.rst else report.text(table)
    about = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(begun)),
        "seconds": round(time.time() - begun),
        "runs": 1 + max(result["run"] for result in results),
        "machine": processes.machine(),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "versions": sys.version.split()[0],
    }
    if asked.out:
        asked.out.write_text(json.dumps(about | {"results": results}, indent=1))
    print(json.dumps(about))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
