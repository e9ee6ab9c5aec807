# SPDX-License-Identifier: Apache-2.0
"""The clouds that the contract is held against, each with a test's hands on it."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing

import pytest
import requests

from tests import slots
from tests.contract.cloud import dummies, real
from tests.keystone import keystone_venv
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud, Pace, World
from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings
from trove.localcloud import identity, programs, teardown
from trove.localcloud.layout import Layout

ROOT = pathlib.Path(__file__).resolve().parents[3]


class MemoryBench:
    """The cloud in a dict, on a clock that runs as fast as the test waits."""

    image = "image-1"
    tags = ("trove", "guest")
    flavor, larger = "1", "2"
    network, public = "net-1", "net-2"
    chosen = "10.9.0.77"
    hosts = ("host-2",)
    """The others that a server may move to."""

    def __init__(self):
        self.now = 0.0
        pace = Pace(boot=3, reboot=1, remove=2, create=1, extend=2, resize=2, rebuild=2)
        world = World(clock=lambda: self.now, pace=pace)
        self.cloud = MemoryCloud(deployment="one", world=world)
        self.other = MemoryCloud(deployment="two", world=world)

    def lend(self, **words):
        """The id of a port that a user's project made, with these words on it."""
        id = self.cloud.lend("demo", self.network, "10.9.0.88")
        for name, value in words.items():
            setattr(self.cloud.world.made[id], {"name": "key"}[name], value)
        return id

    def reserve(self, volume, server):
        """As Nova leaves it when a server ends while it is built."""
        self.cloud.world.made[volume].reserved = server

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

    def once_listed(self, hook):
        def listed(name, said, answer):
            if name == "compute.owned":
                self.cloud.after = lambda *_: None
                hook()

        self.cloud.after = listed

    def close(self):
        pass


class LostReply(requests.adapters.HTTPAdapter):
    """Carries one request that makes something, and drops what is answered."""

    lost = False

    def send(self, request, *args, **kwargs):
        reply = super().send(request, *args, **kwargs)
        making = request.method == "POST" and "/auth/" not in request.url
        if self.lost or not making:
            return reply
        self.lost = True
        assert reply.ok, reply.text
        raise requests.exceptions.ConnectionError("reset by peer")


class Listed(requests.adapters.HTTPAdapter):
    """Carries requests; after the first reply that lists servers, ``hook`` is run."""

    def __init__(self, hook):
        super().__init__()
        self._hooks = [hook]

    def send(self, request, *args, **kwargs):
        reply = super().send(request, *args, **kwargs)
        if "/servers/detail" in request.url and self._hooks:
            self._hooks.pop()()
        return reply


class LocalBench:
    """The one-machine cloud, through its HTTP and the OpenStack libraries."""

    tags = ("trove",)
    flavor, larger = "1", "2"
    hosts = ()

    def __init__(self, place):
        self.place = place
        self.cloud, self.other, self.user = (
            OpenstackCloud(
                Settings(
                    auth_url=f"{identity.url(place)}/v3",
                    deployment=deployment,
                    username=who,
                    password=identity.passwords(place)[who],
                    project_name=project,
                    region_name=identity.REGION,
                )
            )
            for deployment, who, project in (
                ("one", "trove", identity.SERVICE),
                ("two", "trove", identity.SERVICE),
                ("one", "demo", "demo"),
            )
        )
        self.lent = []
        self.image = self.cloud.images.newest(self.tags).id
        networks = {each.public: each for each in self.cloud.network.networks()}
        network = networks[False]
        self.network, self.public = network.id, networks[True].id
        self.chosen = network.cidrs[0].replace(".0/24", ".77")

    def lend(self, **words):
        """The id of a port that a user's project made, with these words on it."""
        with self.user.access.using("a user's port") as clients:
            order = {"network_id": self.network, **words}
            self.lent.append(clients.sdk.network.create_port(**order).id)
        return self.lent[-1]

    def reserve(self, volume, server):
        """As Nova leaves it when a server ends while it is built."""
        real.reserve(self.cloud, volume, server)

    def inside(self, server, *argv):
        """Runs a program in a server, as its root."""
        name = f"{self.place.tag}-{server}"
        where = ("-P", str(self.place.cloud / "servers"), "-n", name)
        words = ("lxc-attach", *where, "--clear-env", "--", *argv)
        return programs.Host().run(*words, within=60)

    def until(self, check):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if seen := check():
                return seen
            time.sleep(0.1)
        raise AssertionError("it did not come about")

    def lose_the_next_reply(self):
        with self.cloud.access.using("the next call") as clients:
            clients.session.session.mount("http://", LostReply())

    def once_listed(self, hook):
        with self.cloud.access.using("the next call") as clients:
            clients.session.session.mount("http://", Listed(hook))

    def close(self):
        for id in self.lent:
            self.user.network.delete_port(id)
        for cloud in (self.cloud, self.other, self.user):
            cloud.close()


def running(argv, log: pathlib.Path, url: str, **how: typing.Any) -> subprocess.Popen:
    """A process that answers at ``url``, which must not take longer than a minute."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **how
        )
    session = requests.Session()
    session.trust_env = False
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            session.get(url, timeout=10).close()
        except requests.RequestException:  # not there, or too busy for now
            time.sleep(0.1)
        else:
            session.close()
            return process
    process.kill()
    process.wait()
    raise AssertionError(f"{argv[0]} does not answer; see {log}: {log.read_text()}")


@pytest.fixture(scope="session")
def local_place():
    """Keystone and the one-machine cloud, alone in a layout of their own."""
    venv = keystone_venv()
    if os.geteuid() != 0 or venv is None:
        pytest.skip("needs root, and a Keystone: bin/run-tests contract sets both up")
    state = pathlib.Path(os.environ.get("TROVE_TEST_STATE", "/var/lib/trove-test"))
    place = Layout(
        state=state / f"cloud{slots.slot()}",
        cache=pathlib.Path(os.environ.get("TROVE_CACHE", "/var/lib/trove/cache")),
        tag=f"tcl{slots.slot()}",
        cidr=f"10.80.{slots.slot()}.0/24",
        ports=28000 + 100 * slots.slot(),
    )
    teardown.purge(place, programs.Host())  # what a run that was killed has left
    place.log.mkdir(parents=True, exist_ok=True)
    identity.prepare(place, venv)
    processes = []
    try:
        argv, environment = identity.command(place, venv)
        url = f"{identity.url(place)}/v3"
        log = place.log / "keystone.log"
        processes.append(running(argv, log, url, env=environment))
        words = {
            "--state-dir": place.state,
            "--cache-dir": place.cache,
            "--tag": place.tag,
            "--cidr": place.cidr,
            "--ports": place.ports,
        }
        argv = [sys.executable, "-m", "trove.cmd.localcloud"]
        argv += [str(word) for pair in words.items() for word in pair]
        url = f"http://127.0.0.1:{place.cloud_port}/compute/"
        log = place.log / "localcloud.log"
        processes.append(running([*argv, "serve"], log, url, cwd=ROOT))
        yield place
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(60)
        teardown.purge(place, programs.Host())
    assert not any(teardown.leaks(place, programs.Host()).values())
    shutil.rmtree(place.state)


@pytest.fixture
def local_bench(local_place):
    return LocalBench(local_place)


def memory(request):
    return MemoryBench()


def localcloud(request):
    return request.getfixturevalue("local_bench")


@pytest.fixture(scope="session")
def dummy():
    """The real cloud has the image of servers in which nothing runs."""
    with dummies.uploaded():
        yield


def openstack(request):
    request.getfixturevalue("dummy")
    return real.RealBench(LostReply, Listed)


OURS = [
    memory,
    pytest.param(localcloud, marks=[pytest.mark.root, pytest.mark.localcloud]),
]
REAL = [pytest.param(openstack, marks=pytest.mark.openstack)]


@pytest.fixture(params=REAL if real.named() else OURS, ids=lambda maker: maker.__name__)
def bench(request):
    bench = request.param(request)
    yield bench
    try:
        clear(bench, (bench.cloud, bench.other))
    finally:
        bench.close()


@pytest.fixture
def local(local_bench):
    """The one-machine cloud alone, for what is only seen on a wire."""
    yield local_bench
    try:
        clear(local_bench, (local_bench.cloud, local_bench.other))
    finally:
        local_bench.close()


def clear(bench, clouds):
    """Ends all that deployments own, in the order in which it can end."""
    for cloud in clouds:
        for server in cloud.compute.owned():
            cloud.compute.delete(server.id)
    for cloud in clouds:
        bench.until(lambda cloud=cloud: not cloud.compute.owned())
        for group in cloud.server_groups.owned():
            cloud.server_groups.delete(group.id)
        for floating in cloud.network.owned_floating_ips():
            cloud.network.delete_floating_ip(floating.id)
        for port in cloud.network.owned_ports():
            cloud.network.delete_port(port.id)
        for group in cloud.network.owned_groups():
            cloud.network.delete_group(group.id)
        bench.until(lambda cloud=cloud: no_volume(cloud))


def no_volume(cloud):
    """Asks for the end of every volume that can end, and of their snapshots before;
    True when there is none."""
    for snapshot in cloud.snapshots.owned():
        with contextlib.suppress(protocol.CloudConflict):
            cloud.snapshots.delete(snapshot.id)
    volumes = cloud.volumes.owned()
    for volume in volumes:
        # a server that was ended while it was built may have left its volume in use
        with contextlib.suppress(protocol.CloudConflict):
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
