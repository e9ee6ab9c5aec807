# SPDX-License-Identifier: Apache-2.0
"""The machine that an agent finds itself on, and the agent's own process.

Sizes are in kB, as ``proc(5)`` has them. A container sees its host's memory in /proc;
what it may use is what its control group says.
"""

import importlib.metadata
import os
import pathlib
import typing

PROC = pathlib.Path("/proc")
LIMITS = (
    pathlib.Path("/sys/fs/cgroup/memory.max"),
    pathlib.Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
OWN = ("VmSize", "VmPeak", "VmRSS", "VmHWM", "Threads", "FDSize")

Facts = dict[str, typing.Any]


def machine(
    proc: pathlib.Path = PROC, limits: typing.Sequence[pathlib.Path] = LIMITS
) -> Facts:
    """``memory`` and ``cpus`` of the machine, and ``process`` of the agent."""
    memory = _fields(proc / "meminfo", ("MemTotal",))["MemTotal"]
    for path in limits:
        try:
            memory = min(memory, int(path.read_text()) // 1024)
        except (OSError, ValueError):  # none, or "max"
            continue
    return {
        "memory": memory,
        "cpus": len(os.sched_getaffinity(0)),
        "process": _fields(proc / "self" / "status", OWN),
    }


def version() -> str:
    """The agent's version, as it was installed."""
    try:
        return importlib.metadata.version("trove-dbaas")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _fields(path: pathlib.Path, names: typing.Sequence[str]) -> dict[str, int]:
    """``Name:  123 kB`` lines of a file of /proc."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name in names:
            found[name] = int(value.split()[0])
    return found
