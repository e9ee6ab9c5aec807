# SPDX-License-Identifier: Apache-2.0
"""A process: parts in order, signals, the bounded drain, systemd's view."""

import os
import signal
import socket
import threading

import pytest

from trove.service.process import Process


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Recorder:
    """A part that writes down what happens to it."""

    def __init__(self, name, said, *, clock=None, takes=0.0, fails=False, slow=False):
        self.name, self.said, self.clock = name, said, clock
        self.takes, self.fails, self.slow = takes, fails, slow

    def start(self):
        if self.fails:
            raise OSError(self.name)
        self.said.append(f"start {self.name}")

    def stop(self, within):
        self.said.append(f"stop {self.name} {within:g}")
        if self.clock is not None:
            self.clock.time += self.takes
        return not self.slow

    def alive(self):
        return True


class Signals:
    """The last part to start: sends this process signals, one after another."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def start(self):
        for number in self.numbers:
            os.kill(os.getpid(), number)

    def stop(self, within):
        return True

    def alive(self):
        return True


def test_parts_start_in_order_and_stop_in_reverse_within_one_bound(tmp_path):
    said, clock = [], Clock()
    parts = [
        Recorder("a", said),
        Recorder("b", said, clock=clock, takes=7.0),
        Signals(signal.SIGTERM),
    ]
    ready = tmp_path / "ready"
    process = Process("trove-test", parts, drain=20, ready_file=ready, clock=clock)
    assert process.run() == 0
    assert said == ["start a", "start b", "stop b 20", "stop a 13"]
    assert not ready.exists()


def test_a_part_that_does_not_start_takes_the_others_down():
    said = []
    parts = [Recorder("a", said), Recorder("b", said, fails=True)]
    with pytest.raises(OSError, match="b"):
        Process("trove-test", parts, drain=5, clock=Clock()).run()
    assert said == ["start a", "stop a 5"]


def test_a_drain_that_takes_too_long_ends_hard_with_code_1():
    codes = []
    parts = [Recorder("a", [], slow=True), Signals(signal.SIGTERM)]
    process = Process("trove-test", parts, give_up=codes.append)
    assert process.run() == 1
    assert codes == [1]


def test_hangup_reads_the_configuration_again_even_after_a_bad_one():
    reads = []

    def reload():
        reads.append(1)
        raise ValueError("a typing error in the file")

    parts = [Signals(signal.SIGHUP, signal.SIGINT)]
    assert Process("trove-test", parts, reload=reload).run() == 0
    assert reads == [1]


def test_the_handlers_from_before_come_back():
    before = signal.getsignal(signal.SIGTERM)
    Process("trove-test", [Signals(signal.SIGTERM)]).run()
    assert signal.getsignal(signal.SIGTERM) is before


def test_systemd_hears_ready_alive_and_stopping(tmp_path, monkeypatch):
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000")

        def listen():
            while not heard or not heard[-1].startswith(b"STOPPING"):
                heard.append(systemd.recv(200))
                if heard[-1] == b"WATCHDOG=1":
                    os.kill(os.getpid(), signal.SIGTERM)

        listener = threading.Thread(target=listen)
        listener.start()
        assert Process("trove-test", [Recorder("a", [])]).run() == 0
        listener.join(10)
    assert heard[0].startswith(b"READY=1")
    assert b"WATCHDOG=1" in heard
    assert heard[-1].startswith(b"STOPPING=1")
