# SPDX-License-Identifier: Apache-2.0
"""Networks that are everybody's, and those that one project sees."""

from trove.cloud.memory import MemoryCloud


def test_a_private_network_is_one_projects():
    cloud = MemoryCloud()
    cloud.world.private["net-1"] = "mine"
    mine = cloud.seen_by("memory:mine", "t")
    theirs = cloud.seen_by("memory:theirs", "t")
    assert mine.network("net-1") and not theirs.network("net-1")
    assert mine.subnet("subnet-of-net-1") == "net-1"
    assert theirs.subnet("subnet-of-net-1") is None
    assert mine.subnet("net-1") is None and not mine.network("nowhere")


def test_a_port_is_its_projects():
    cloud = MemoryCloud()
    port = cloud.lend("mine", "net-1", "10.1.0.9")
    assert cloud.seen_by("memory:mine", "t").port(port)
    assert not cloud.seen_by("memory:theirs", "t").port(port)
    assert not cloud.seen_by("memory:mine", "t").port("nowhere")
