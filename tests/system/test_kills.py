# SPDX-License-Identifier: Apache-2.0
"""Deaths and cuts with real guests: what was accepted ends, databases keep serving.

T01 at the points where a real guest is involved, and T06: the guest and the control
plane are each cut off the broker by nftables, while a client of a database asks on.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pymysql
import pytest

from tests.system.deployment import ask, until
from trove.service.crashpoints import VARIABLE

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
BROKEN = (pymysql.MySQLError, OSError, AssertionError)
ROOT = pathlib.Path(__file__).parents[2]


class Armed:
    """A taskmanager that dies at a point, in the place of the deployment's two."""

    def __init__(self, deployment, home):
        self._deployment, self._home = deployment, home
        self.log = home / "taskmanager.log"
        self._crash = home / "crash"
        known = deployment.processes()
        self._others = [known[name]["pid"] for name in known if "taskmanager" in name]

    @contextlib.contextmanager
    def at(self, point):
        """It alone works until it has died there; then the others take over."""
        self._crash.write_text(f"kill {point}:1\n")
        ready = self._home / "ready"
        ready.unlink(missing_ok=True)
        own = self._home / "own.conf"
        own.write_text(
            f"[DEFAULT]\nready_file = {ready}\n"
            "[taskmanager]\nlease = 5\ncall_timeout = 3\npoll_interval = 0.2\n"
            "[cloud]\nread_timeout = 2.5\nconnect_timeout = 0.5\n"
        )
        etc = self._deployment.place.etc
        argv = [sys.executable, "-m", "trove.cmd.taskmanager"]
        for file in (etc / "trove.conf", etc / "trove-taskmanager.conf", own):
            argv += ["--config-file", str(file)]
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                argv,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, VARIABLE: str(self._crash)},
            )
        until("the others rest", lambda: self._deployment.rest(*self._others), 30)
        try:
            until("it is up", ready.exists, 60)
            yield
            assert process.wait(90) == -signal.SIGKILL, self.log.read_text()[-3000:]
        finally:
            for pid in self._others:
                os.kill(pid, signal.SIGCONT)
            process.kill()
            process.wait(10)


@pytest.fixture
def armed(deployment, tmp_path):
    return Armed(deployment, tmp_path)


class Shop:
    """A client that asks a database in a loop; what failed, and how often it asked."""

    def __init__(self, demo, shown):
        self._connect = lambda: demo.connect(shown, "ada", "correct horse", "shop")
        self._end = threading.Event()
        self.failed, self.asked = [], 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def _run(self):
        with self._connect() as line:
            while not self._end.wait(0.05):
                try:
                    assert ask(line, "SELECT 1")[0][0] == 1
                except BROKEN as error:
                    self.failed.append(repr(error))
                    return
                self.asked += 1

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(30)
        assert self.failed == [] and self.asked > 20, "INV-15"


@contextlib.contextmanager
def cut(place, *rules, how="drop"):
    """Packets that match are dropped, or answered so; the table is the test's own."""
    name = f"{place.tag}cut"
    chain = "{ type filter hook input priority -200; policy accept; }"
    lines = [f"add table inet {name}", f"add chain inet {name} in {chain}"]
    lines += [f"add rule inet {name} in {rule} {how}" for rule in rules]
    subprocess.run(["nft", "-f", "-"], input="\n".join(lines), text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", name], check=True)


def test_a_taskmanager_dies_beside_real_guests(deployment, demo, armed):
    """After a volume, a server, an order to the guest, and on the way out (T01)."""
    made = []
    for point, kind in (
        ("after:volumes.create", "mariadb"),
        ("after:compute.boot", "postgresql"),
        ("after:guest.prepare", "mariadb"),
    ):
        with armed.at(point):
            made.append(demo.create(kind, "mortal", [USER]))
    for id in made:
        with demo.connect(demo.wait(id), "ada", "correct horse", "shop") as line:
            assert ask(line, "SELECT 1")[0][0] == 1
    with armed.at("after:compute.delete"):
        for id in made:
            demo.delete(id)
    for id in made:
        demo.gone(id)


def test_everybody_is_cut_off_the_broker(deployment, demo):
    """The guest, then the control plane; a create is under way, a database serves."""
    place = deployment.place
    old = demo.create("mariadb", "serves", [USER])
    shown = demo.wait(old)
    with Shop(demo, shown):
        # both ways of the guests' port: they reach the broker at the bridge's address
        guests = f"tcp dport {place.guests_amqp_port}"
        with cut(place, guests):
            made = demo.create("postgresql", "cut", [USER])
            until(
                "its server boots",
                lambda: deployment.at_step(made, "instance.create", "wait_for_guest"),
            )
            time.sleep(3)  # the guest looks for the broker in vain
            assert demo.show(made)["status"] == "BUILD"
        ports = f"{{ {place.amqp_port}, {place.broker_http_port} }}"
        with cut(place, f"tcp dport {ports}"):
            time.sleep(3)  # so does the control plane
        with demo.connect(demo.wait(made), "ada", "correct horse", "shop") as line:
            assert ask(line, "SELECT 1")[0][0] == 1
    for id in (old, made):
        demo.delete(id)
    for id in (old, made):
        demo.gone(id)
