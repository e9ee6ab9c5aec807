# SPDX-License-Identifier: Apache-2.0
"""The bench: ours on both concurrency backends and, if there is one, a peer beside.

``python -m tests.bench [--quick] [--runs N] [--out FILE]``. ``$TROVE_BENCH_PEER`` is
the target file of a peer that runs already. All are measured in turn in every run, so
that what else the machine does meets them alike. See doc/developer/performance.rst.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time
import typing

from tests.bench import processes, report
from tests.bench.measures import QUICK, Round, Size
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
    parser.add_argument("--rst", action="store_true", help="the table for the page")
    return parser.parse_args()


def measure(target: Target, size: Size, run: int, results: Results) -> None:
    """One round, printed as it goes."""

    def say(name: str, value: float) -> None:
        results.append(
            {"run": run, "target": target.name, "measure": name, "value": value}
        )
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} {target.name:16} {name}: {report.number(value)}", flush=True)

    print(f"run {run + 1}, {target.name}, load {os.getloadavg()[0]:.1f}", flush=True)
    Round(target, size, say).everything()


def main() -> int:
    asked = arguments()
    # so that what was started is stopped, whoever ends this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    size = QUICK if asked.quick else Size()
    runs = asked.runs or (1 if asked.quick else 3)
    backends = asked.backend or list(BACKENDS)
    place = os.environ.get(PEER)
    peer = Described(pathlib.Path(place)) if place else None
    results: Results = []
    stand = Stand(size.sizes)
    begun, loads = time.time(), [os.getloadavg()[0]]
    try:
        stand.start()
        print(f"set up in {time.time() - begun:.0f} s", flush=True)
        for run in range(runs):
            for backend in backends:
                stand.use(backend)
                measure(stand, size, run, results)
            stand.rest()
            if peer is not None:
                measure(peer, size, run, results)
            loads.append(os.getloadavg()[0])
    finally:
        stand.stop()
        if peer is not None:
            peer.close()
    numbers = report.collect(results)
    ours = [f"trove/{backend}" for backend in backends]
    table = report.rows(numbers, ours, peer.name if peer else None)
    about = {
        "date": time.strftime("%Y-%m-%d", time.gmtime(begun)),
        "seconds": round(time.time() - begun),
        "runs": runs,
        "machine": processes.machine(),
        "load": [round(load, 1) for load in loads],
        "versions": sys.version.split()[0],
    }
    if asked.out:
        asked.out.write_text(json.dumps(about | {"results": results}, indent=1))
    print(json.dumps(about))
    print(report.rst(table) if asked.rst else report.text(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
