# SPDX-License-Identifier: Apache-2.0
"""What an agent says of its machine: as much as it may use, not what its host has."""

import os

import pytest

from trove.guestagent.machine import machine


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  24000000 kB\nMemFree: 1 kB\n")
    (tmp_path / "self").mkdir()
    status = "Name:\tpython3\nVmPeak:\t 60000 kB\nVmRSS:\t 51000 kB\nThreads:\t9\n"
    (tmp_path / "self" / "status").write_text(status)
    return tmp_path


@pytest.mark.parametrize(
    "limit, memory",
    [
        ("1073741824\n", 1048576),
        ("max\n", 24000000),
        ("9223372036854771712\n", 24000000),
        (None, 24000000),
    ],
)
def test_a_container_has_what_its_group_allows(proc, limit, memory):
    path = proc / "memory.max"
    if limit is not None:
        path.write_text(limit)
    assert machine(proc, [path])["memory"] == memory


def test_the_agents_own_process(proc):
    found = machine(proc, [])
    assert found["process"] == {"VmPeak": 60000, "VmRSS": 51000, "Threads": 9}
    assert found["cpus"] == len(os.sched_getaffinity(0))


def test_a_real_machine_has_all_of_it():
    found = machine()
    assert 0 < found["process"]["VmRSS"] <= found["process"]["VmHWM"] < found["memory"]
