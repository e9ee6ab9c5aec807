# SPDX-License-Identifier: Apache-2.0
"""What /proc says of a process and its children: memory and time of the processor."""

import contextlib
import os
import pathlib

PROC = pathlib.Path("/proc")


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for place in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(place)[1]), []).append(int(place.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def _stat(place: pathlib.Path) -> list[str]:
    return (place / "stat").read_text().rpartition(")")[2].split()


def cpu(pid: int) -> float:
    """Seconds of the processor that a process and its children have had.

    By the scheduler's own account, in nanoseconds: that in ticks misses most of what
    is short, on a machine that others use too.
    """
    total = 0
    for each in family(pid):
        for thread in (PROC / str(each) / "task").glob("*"):
            with contextlib.suppress(OSError):
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def memory(pid: int) -> dict[str, float]:
    """MB: ``rss`` of the largest process, ``pss`` of all (shared pages once)."""
    largest, whole = 0.0, 0.0
    for each in family(pid):
        with contextlib.suppress(OSError):
            lines = (PROC / str(each) / "smaps_rollup").read_text().splitlines()
            said = {
                name: int(rest.split()[0]) / 1024
                for name, _, rest in (line.partition(":") for line in lines[1:])
            }
            largest = max(largest, said["Rss"])
            whole += said["Pss"]
    return {"rss": largest, "pss": whole}


def machine() -> dict[str, object]:
    """What this was measured on."""
    kinds = [
        line.partition(":")[2].strip()
        for line in (PROC / "cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    total = (PROC / "meminfo").read_text().split()[1]
    return {
        "processors": len(kinds),
        "kind": kinds[0] if kinds else os.uname().machine,
        "memory_gb": round(int(total) / 1024 / 1024, 1),
        "kernel": os.uname().release,
    }
