# SPDX-License-Identifier: Apache-2.0
"""A machine on two networks answers on the one that it was asked on.

Two network namespaces: a guest's, and a router's that is on both networks and drops,
as a cloud's ports do, what comes from an address that is not of the network.
"""

import contextlib
import subprocess

import pytest

from tests import slots
from trove.datastores.protocol import Ran
from trove.guestagent.routes import EVERY, SOON, Routes

pytestmark = pytest.mark.root

GUEST, ROUTER = (f"trt{slots.slot()}{side}" for side in "gr")
USERS, MANAGEMENT = "192.0.2", "198.51.100"
PORT = 3306


def ip(*words, within=None):
    where = ["-n", within] if within else []
    subprocess.run(["ip", *where, *words], check=True, capture_output=True)


class Inside:
    """Runs what the agent runs, in the guest's namespace."""

    def run(self, argv, timeout):
        done = subprocess.run(
            ["ip", "netns", "exec", GUEST, *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        )
        return Ran(0, done.stdout, done.stderr)


@pytest.fixture
def cards(tmp_path):
    for name in ("lo", "eth0", "eth1"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def networks():
    """The management network has the default route, as it happens."""
    with contextlib.ExitStack() as stack:
        for name in (GUEST, ROUTER):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
            ip("link", "set", "lo", "up", within=name)
        for number, near in enumerate((USERS, MANAGEMENT)):
            card, far = f"eth{number}", f"r{number}"
            ip(
                *("link", "add", card, "netns", GUEST, "type", "veth"),
                *("peer", "name", far, "netns", ROUTER),
            )
            ip("address", "add", f"{near}.2/24", "dev", card, within=GUEST)
            ip("address", "add", f"{near}.1/24", "dev", far, within=ROUTER)
            ip("link", "set", card, "up", within=GUEST)
            ip("link", "set", far, "up", within=ROUTER)
            # what is from an address of another network is dropped here
            within = ("ip", "netns", "exec", ROUTER)
            words = ("sysctl", "-qw", f"net.ipv4.conf.{far}.rp_filter=1")
            subprocess.run([*within, *words], check=True)
        for number, near in ((1, MANAGEMENT), (0, USERS)):
            way = ("default", "via", f"{near}.1", "dev", f"eth{number}")
            ip("route", "append", *way, within=GUEST)
        yield


ASK = """
import socket, sys
line = socket.create_connection((sys.argv[1], 3306), 2, (sys.argv[2], 0))
print(line.recv(9).decode())
"""


def answered(asked, source):
    """Whether somebody in the router's place is answered at that address."""
    done = subprocess.run(
        ["ip", "netns", "exec", ROUTER, "/usr/bin/python3", "-c", ASK, asked, source],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout.strip() == "served"


SERVE = """
import socket
door = socket.create_server(("0.0.0.0", 3306))
print("open", flush=True)
while True:
    line, _ = door.accept()
    line.sendall(b"served")
    line.close()
"""


@pytest.fixture
def served(networks):
    with subprocess.Popen(
        ["ip", "netns", "exec", GUEST, "/usr/bin/python3", "-c", SERVE],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield
        process.kill()


def test_an_answer_leaves_by_the_card_that_was_asked(served, cards):
    inside = Routes(Inside(), cards=cards)
    # a client that is on the management network, and asks on the user's
    assert not answered(f"{USERS}.2", f"{MANAGEMENT}.1"), "it is no test without"
    assert inside.look() == EVERY
    assert answered(f"{USERS}.2", f"{MANAGEMENT}.1")
    assert answered(f"{MANAGEMENT}.2", f"{USERS}.1")
    assert answered(f"{USERS}.2", f"{USERS}.1")
    assert answered(f"{MANAGEMENT}.2", f"{MANAGEMENT}.1")
    before = rules()
    assert inside.look() == EVERY
    assert rules() == before, "a second look adds nothing"


def rules():
    told = ["ip", "-n", GUEST, "rule", "show"]
    return subprocess.run(told, capture_output=True, text=True, check=True).stdout


def test_a_lease_that_is_late_is_waited_for(networks, cards):
    inside = Routes(Inside(), cards=cards)
    ip("address", "flush", "dev", "eth1", within=GUEST)
    assert inside.look() == SOON
    ip("address", "add", f"{MANAGEMENT}.2/24", "dev", "eth1", within=GUEST)
    assert inside.look() == EVERY
    assert f"{MANAGEMENT}.2" in rules()


def test_one_card_runs_nothing(cards):
    (cards / "eth1").rmdir()
    assert Routes(None, cards=cards).look() == EVERY
