# SPDX-License-Identifier: Apache-2.0
"""A broker that takes messages and never confirms them keeps nobody (INV-15)."""

import contextlib
import os
import pathlib
import signal
import time

import pytest

from trove import errors
from trove.context import Context
from trove.rpc.interface import Proxy
from trove.rpc.taskmanager import TaskManager

from .conftest import report, until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]

BOUND = 20.0
"""``[taskmanager] call_timeout``: what a lease must outlive."""


class Bells:
    """A taskmanager: keeps what it was told to run."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def run(self, context, operation):
        self.heard.append(operation)

    def ask_guest(self, context, instance, question):
        """Not asked for here."""


def running(group):
    """Threads of the group that are not stopped: each stops in its own time."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ProcessLookupError):
            if os.getpgid(int(process.name)) == group:
                for thread in process.glob("task/*/stat"):
                    state = thread.read_text().rpartition(")")[2].split()[0]
                    found += [thread] if state not in "TtZX" else []
    return found


@pytest.fixture
def frozen(node):
    """Stops the whole broker; it goes on when the test ends, at the latest."""
    group = os.getpgid(node.process.pid)

    def freeze():
        os.killpg(group, signal.SIGSTOP)
        until(lambda: not running(group), within=10)

    yield freeze
    os.killpg(group, signal.SIGCONT)
    until(lambda: node.broker.guests() is not None, within=30)


@pytest.mark.parametrize("side", ["control", "guests", "guest"])
def test_a_send_ends_in_time_and_the_next_one_arrives(world, frozen, side):
    orders, made = world.guest(f"hung-{side}")
    control, bells = world.control(), Bells()
    world.serve(control, TaskManager, bells, "here")
    bell = Proxy(TaskManager, control, Context())
    guest, conductor = world.to_guest(f"hung-{side}"), world.to_conductor(made)
    sends = {
        "control": lambda word: bell.run(word),
        "guests": lambda word: guest.restart_database(word),
        "guest": lambda word: conductor.heartbeat(report(len(word))),
    }
    heard = {
        "control": lambda: "afterwards" in bells.heard,
        "guests": lambda: ("restart", "afterwards") in orders.told,
        "guest": lambda: report(10) in world.reports.of(f"hung-{side}"),
    }
    send = sends[side]

    def sent(word: str) -> bool:
        try:
            send(word)
        except errors.Unavailable:
            return False  # a disk that others are busy with keeps a confirm back, too
        return True

    until(lambda: sent("before"), within=60)  # there is a connection, as always
    frozen()
    begun = time.monotonic()
    with pytest.raises(errors.Unavailable):
        send("during")
    assert time.monotonic() - begun < BOUND
    os.killpg(os.getpgid(world.node.process.pid), signal.SIGCONT)
    until(lambda: sent("afterwards"), within=60)
    until(heard[side], within=30)
