# SPDX-License-Identifier: Apache-2.0
"""The clouds that the contract is held against, each with a test's hands on it."""

import pytest

from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, Pace, World


class MemoryBench:
    """The cloud in a dict, on a clock that runs as fast as the test waits."""

    image = "image-1"
    tags = ("trove", "guest")
    flavor = "1"
    network = "net-1"
    chosen = "10.9.0.77"

    def __init__(self):
        self.now = 0.0
        pace = Pace(boot=3, reboot=1, remove=2, create=1, extend=2)
        world = World(clock=lambda: self.now, pace=pace)
        self.cloud = MemoryCloud(deployment="one", world=world)
        self.other = MemoryCloud(deployment="two", world=world)

    def until(self, check):
        for _ in range(60):
            if seen := check():
                return seen
            self.now += 0.5
        raise AssertionError("it did not come about")

    def lose_the_next_reply(self):
        def lose(name, said, answer):
            self.cloud.after = lambda *_: None
            raise protocol.Unknown(f"{name}: the connection was reset")

        self.cloud.after = lose

    def close(self):
        pass


def memory(request):
    return MemoryBench()


def localcloud(request):
    return request.getfixturevalue("local_bench")


@pytest.fixture(
    params=[
        memory,
        pytest.param(localcloud, marks=[pytest.mark.root, pytest.mark.localcloud]),
    ],
    ids=lambda maker: maker.__name__,
)
def bench(request):
    bench = request.param(request)
    yield bench
    try:
        clear(bench, (bench.cloud, bench.other))
    finally:
        bench.close()


def clear(bench, clouds):
    """Ends all that deployments own, in the order in which it can end."""
    for cloud in clouds:
        for server in cloud.compute.owned():
            cloud.compute.delete(server.id)
    for cloud in clouds:
        bench.until(lambda cloud=cloud: not cloud.compute.owned())
        for port in cloud.network.owned_ports():
            cloud.network.delete_port(port.id)
        for group in cloud.network.owned_groups():
            cloud.network.delete_group(group.id)
        bench.until(lambda cloud=cloud: no_volume(cloud))


def no_volume(cloud):
    """Asks for the end of every volume that can end; True when there is none."""
    volumes = cloud.volumes.owned()
    for volume in volumes:
        if volume.status in ("available", "error"):
            cloud.volumes.delete(volume.id)
    return not volumes


@pytest.fixture
def cloud(bench):
    return bench.cloud


@pytest.fixture
def volume(bench):
    """A volume that is available."""
    made = bench.cloud.volumes.create("v.volume", 1)

    def available():
        shown = bench.cloud.volumes.show(made.id)
        return shown if shown.status == "available" else None

    return bench.until(available)


@pytest.fixture
def group(cloud):
    rules = (protocol.Rule("ingress", "tcp", 3306, "0.0.0.0/0"),)
    return cloud.network.create_group("g.group", rules)


@pytest.fixture
def port(bench, group):
    return bench.cloud.network.create_port("p.port", bench.network, (group.id,))


@pytest.fixture
def order(bench, volume, port):
    """An order for a server on that volume and that port."""
    user_data = '#cloud-config\n{"write_files": []}'
    return protocol.Boot(
        "a db", bench.image, bench.flavor, (port.id,), volume.id, user_data
    )


@pytest.fixture
def server(bench, order):
    """A server that is active."""
    made = bench.cloud.compute.boot("s.server", order)

    def active():
        shown = bench.cloud.compute.show(made.id)
        assert shown.status in ("BUILD", "ACTIVE"), shown
        return shown if shown.status == "ACTIVE" else None

    return bench.until(active)
