# SPDX-License-Identifier: Apache-2.0
"""What systemd hears of a process."""

import os
import socket

from trove.service import notify


def test_lines_reach_the_socket(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        assert notify.send("READY=1", "STATUS=up", environ=environ)
        assert systemd.recv(100) == b"READY=1\nSTATUS=up"


def test_silent_where_nobody_listens(tmp_path):
    assert not notify.send("READY=1", environ={})
    gone = {"NOTIFY_SOCKET": str(tmp_path / "gone")}
    assert not notify.send("READY=1", environ=gone)


def test_pings_come_three_times_as_often_as_asked():
    assert notify.watchdog_interval({"WATCHDOG_USEC": "30000000"}) == 10.0
    assert notify.watchdog_interval({}) is None
    mine = {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    assert notify.watchdog_interval(mine) == 1.0
    other = {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert notify.watchdog_interval(other) is None
