# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/cloud/memory/servergroups.py; what every cloud does is a contract."""

from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud


def test_the_hooks_hear_of_each_call():
    heard = []
    cloud = MemoryCloud(before=lambda name, said: heard.append((name, said)))
    made = cloud.server_groups.create("a.servers", "affinity")
    assert made == protocol.ServerGroup(made.id, "a.servers", "affinity")
    cloud.server_groups.delete(made.id)
    assert heard[0] == (
        "server_groups.create",
        {"key": "a.servers", "policy": "affinity"},
    )
    assert [name for name, _ in heard] == [
        "server_groups.create",
        "server_groups.delete",
    ]
