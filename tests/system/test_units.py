# SPDX-License-Identifier: Apache-2.0
"""The units of etc/systemd under a real systemd: ready, watched, drained, confined.

A system container of the guest image's Debian is the machine. The package and its
libraries are the tests' own, mounted read-only; the units and ``/usr/bin/trove-*`` are
as an operator has them. The broker is ``fake://`` and the cloud ``memory``, for what is
tested is the way of a process with systemd, not its work.

Every directive of the units is in force, on a host with cgroup v1 too. A drop-in makes
the watchdog short, so that the test need not wait for minutes; nothing else is changed.
"""

import pathlib
import re
import sys
import sysconfig
import tempfile
import time
import typing

import pytest

from tests.system.localcloud.machine import CACHE, until
from trove.localcloud import containers, guestimage, machines, programs

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

ROOT = pathlib.Path(__file__).parents[2]
DAEMONS = ("trove-conductor", "trove-taskmanager", "trove-api")
WATCHDOG = 6

SCRIPT = """#!/usr/bin/python3
import sys
sys.path[:0] = ["/opt/src", "/opt/libs", "/opt/libs64"]
from trove.cmd.{module} import main
sys.exit(main())
"""

CONF = """[DEFAULT]
use_stderr = true
[database]
connection = sqlite:////var/lib/trove/trove.sqlite
seal_keys = /etc/trove/seal-keys
[rpc]
control_url = fake:///trove
guests_url = fake:///trove-guests
ca_file = /etc/trove/pki/ca.pem
guest_hosts = 127.0.0.1:5671
broker_url = http://127.0.0.1:1
broker_password = nobody-listens
[conductor]
authority = /etc/trove/pki
[cloud]
name = memory
[taskmanager]
management_network = none
[listen]
host = 127.0.0.1
port = 8779
paste_config = /opt/src/etc/trove/api-paste.ini
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:1
auth_url = http://127.0.0.1:1
auth_type = password
username = trove
password = nobody-listens
project_name = service
user_domain_name = Default
project_domain_name = Default
"""


ASKS = """#!/usr/bin/python3
import sys
sys.path[:0] = ["/opt/src", "/opt/libs", "/opt/libs64"]
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings
where = {"auth_url": "http://127.0.0.1:1/v3", "username": "u", "project_name": "p"}
cloud = OpenstackCloud(Settings(deployment="d", password="p", **where))
for ask in (cloud.network.networks, cloud.compute.flavors, cloud.volumes.types):
    try:
        ask()
    except protocol.Passing:
        print("asked for", ask.__name__)
"""


def _asks(unit: str) -> str:
    """The same confinement, around a program that asks a cloud and ends."""
    dropped = ("Restart=", "RestartSec", "Watchdog", "Notify", "ExecReload=")
    lines = [line for line in unit.splitlines() if not line.startswith(dropped)]
    text = "\n".join(lines).replace("Type=notify", "Type=oneshot")
    return re.sub("(?m)^ExecStart=.*$", "ExecStart=/usr/bin/asks", text) + "\n"


class Machine:
    """One container with systemd, without a network."""

    def __init__(self, home: pathlib.Path) -> None:
        self._host = programs.Host()
        self._machines = machines.Machines(home / "servers", "tun", self._host)
        self._name = "units"
        image = guestimage.build(CACHE, self._host, guestimage.printed)
        self._machines.prepare(self._name, [machines.File(*one) for one in _files()])
        at = self._machines.home(self._name)
        container = containers.Container(
            "tun-units", "units", at, image.layers[-1:], memory=2048, vcpus=2
        )
        self._machines.configure(container)
        with (at / "config").open("a") as config:
            for name, source in _mounts().items():
                config.write(
                    f"lxc.mount.entry = {source} opt/{name} none bind,ro,create=dir\n"
                )
        self._path = str(home / "servers")

    def start(self) -> None:
        self._machines.start(self._name)
        until(
            lambda: (
                self.run("systemctl", "is-system-running", ok=range(5))
                in ("running", "degraded")
            ),
            120,
            0.5,
        )

    def close(self) -> None:
        self._machines.remove(self._name)

    def run(self, *words: str, ok: typing.Container[int] = (0,), within=120) -> str:
        attach = ("lxc-attach", "-P", self._path, "-n", "tun-units", "--clear-env")
        return self._host.run(
            *attach, "--", *words, ok=tuple(ok), within=within
        ).strip()

    def show(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "-P", name, unit)

    def pid(self, unit: str) -> int:
        return int(self.show(unit, "MainPID"))

    def status(self, unit: str) -> dict[str, str]:
        """The kernel's word on the unit's main process."""
        text = self.run("cat", f"/proc/{self.pid(unit)}/status")
        return {
            key: value.strip()
            for key, _, value in (line.partition(":") for line in text.splitlines())
        }

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "-u", unit, "-n", "400", "--no-pager")


def _files() -> list[tuple[str, str, int]]:
    files = [
        (f"usr/bin/{name}", SCRIPT.format(module=name.removeprefix("trove-")), 0o755)
        for name in (*DAEMONS, "trove-manage")
    ]
    for name in DAEMONS:
        unit = (ROOT / "etc/systemd" / f"{name}.service").read_text()
        files.append((f"etc/systemd/system/{name}.service", unit, 0o644))
        files.append((f"etc/systemd/system/{name}-asks.service", _asks(unit), 0o644))
        short = f"etc/systemd/system/{name}.service.d/test.conf"
        files.append((short, f"[Service]\nWatchdogSec={WATCHDOG}\n", 0o644))
    files += [
        ("usr/bin/asks", ASKS, 0o755),
        ("etc/trove/trove.conf", CONF, 0o644),
        ("etc/trove/trove-conductor.conf", "", 0o644),
        ("etc/trove/trove-taskmanager.conf", "", 0o644),
    ]
    return files


def _mounts() -> dict[str, pathlib.Path]:
    return {
        "src": ROOT,
        "libs": pathlib.Path(sysconfig.get_path("purelib")),
        "libs64": pathlib.Path(sysconfig.get_path("platlib")),
    }


@pytest.fixture(scope="module")
def machine() -> typing.Iterator[Machine]:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the image's Python is 3.11, and runs the libraries of this one")
    with tempfile.TemporaryDirectory(prefix="trove-units-", dir="/var/tmp") as home:
        pathlib.Path(home).chmod(0o755)
        made = Machine(pathlib.Path(home))
        try:
            made.start()
            made.run("useradd", "--system", "--home-dir", "/var/lib/trove", "trove")
            made.run("install", "-d", "-o", "trove", "-g", "trove", "/var/lib/trove")
            made.run("trove-manage", "key", "create", "/etc/trove/seal-keys")
            made.run("trove-manage", "ca", "create", "/etc/trove/pki")
            made.run("trove-manage", "db", "sync")
            made.run("chown", "-R", "trove:trove", "/etc/trove", "/var/lib/trove")
            yield made
        finally:
            made.close()


@pytest.fixture(params=DAEMONS)
def unit(request, machine) -> typing.Iterator[str]:
    """A started unit: ``systemctl start`` comes back when it said that it is ready."""
    begun = time.monotonic()
    machine.run("systemctl", "start", request.param, ok=(0, 1), within=150)
    took = time.monotonic() - begun
    if machine.run("systemctl", "is-active", request.param, ok=range(5)) != "active":
        pytest.fail(machine.journal(request.param))
    print(f"{request.param}: ready after {took:.1f} s")
    yield request.param
    machine.run("systemctl", "stop", request.param)


def test_the_units_are_well_written(machine):
    said = machine.run(
        "systemd-analyze", "verify", *(f"{name}.service" for name in DAEMONS)
    )
    assert said == ""


def test_a_unit_starts_says_so_and_stops_within_its_drain(machine, unit):
    assert machine.show(unit, "Type") == "notify"
    assert machine.show(unit, "StatusText").endswith("serves.")
    assert machine.show(unit, "NRestarts") == "0"
    begun = time.monotonic()
    machine.run("systemctl", "stop", unit)
    took = time.monotonic() - begun
    assert machine.show(unit, "Result") == "success", machine.journal(unit)
    assert machine.show(unit, "ExecMainStatus") == "0"
    assert took < 30, "nothing was under way"
    print(f"{unit}: stopped after {took:.1f} s")


def test_a_reload_is_no_restart(machine, unit):
    before = machine.pid(unit)
    machine.run("systemctl", "reload", unit)
    until(lambda: machine.show(unit, "StatusText").endswith("serves."), 30)
    assert machine.show(unit, "ActiveState") == "active"
    assert machine.pid(unit) == before


def test_the_hardening_is_in_force(machine, unit):
    """A process that was taken over can do little to its host."""
    status = machine.status(unit)
    trove = machine.run("id", "-u", "trove")
    assert status["Uid"].split() == [trove] * 4
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapBnd"], 16) == 0 and int(status["CapEff"], 16) == 0
    assert status["Umask"] == "0077"
    inside = ("nsenter", "-t", str(machine.pid(unit)), "-m")
    for place in ("/usr/bin/x", "/etc/x", "/sys/fs/cgroup/x", "/proc/sys/kernel/x"):
        machine.run(*inside, "touch", place, ok=(1,))
    machine.run(*inside, "touch", "/var/lib/trove/x")
    machine.run("touch", "/root/of-another")
    assert "of-another" not in machine.run(*inside, "ls", "/root", ok=(0, 2))
    said = machine.run("systemd-analyze", "security", unit, "--no-pager")
    score = re.search(r"Overall exposure level .*: ([0-9.]+)", said)
    assert score is not None, said
    print(f"{unit}: exposure {score[1]}")
    assert float(score[1]) < 3


def test_a_cloud_can_be_asked_from_within(machine, unit):
    """Its libraries do with what the unit allows; nobody answers here."""
    machine.run("systemctl", "start", f"{unit}-asks", ok=(0, 1))
    said = machine.journal(f"{unit}-asks")
    assert [
        line.rpartition(": ")[2] for line in said.splitlines() if "asked" in line
    ] == [
        "asked for networks",
        "asked for flavors",
        "asked for types",
    ], said


def test_one_that_dies_is_started_again(machine, unit):
    before = machine.pid(unit)
    machine.run("kill", "-KILL", str(before))
    until(lambda: machine.pid(unit) not in (0, before), 60)
    until(lambda: machine.show(unit, "ActiveState") == "active", 60)


def test_ready_means_that_it_answers(machine):
    ask = "from urllib.request import urlopen as u; print(u('http://127.0.0.1:8779/'))"
    machine.run("systemctl", "start", "trove-api")
    try:
        assert "HTTPResponse" in machine.run("python3", "-c", ask)
    finally:
        machine.run("systemctl", "stop", "trove-api")


def test_those_that_hang_are_killed_and_started_again(machine):
    """The watchdog; it is short here, in the units it is a minute."""
    for name in DAEMONS:
        assert "WatchdogSec=60\n" in (ROOT / f"etc/systemd/{name}.service").read_text()
    machine.run("systemctl", "start", *DAEMONS)
    try:
        before = {name: machine.pid(name) for name in DAEMONS}
        # they are watched, and they are well: nothing happens for twice the limit
        time.sleep(2 * WATCHDOG)
        assert {name: machine.pid(name) for name in DAEMONS} == before
        for name, pid in before.items():
            assert machine.show(name, "WatchdogUSec") == f"{WATCHDOG}s"
            machine.run("kill", "-STOP", str(pid))
        begun = time.monotonic()
        for name, pid in before.items():
            until(lambda n=name, p=pid: machine.pid(n) not in (0, p), 60)
            until(lambda n=name: machine.show(n, "ActiveState") == "active", 60)
            took = time.monotonic() - begun
            told = machine.journal(name)
            assert "watchdog" in told.lower()
            print(told)
            print(f"{name}: hung, and served again after {took:.1f} s")
    finally:
        machine.run("systemctl", "stop", *DAEMONS)
