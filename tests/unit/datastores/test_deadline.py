# SPDX-License-Identifier: Apache-2.0
"""A conversation is cut at its deadline, and not before."""

import socket

from trove.datastores.deadline import cut_after


def test_a_silent_other_end_is_cut_off():
    here, there = socket.socketpair()
    with here, there, cut_after(0.05, here):
        assert here.recv(1) == b""


def test_an_answer_in_time_is_heard_and_the_connection_stays():
    here, there = socket.socketpair()
    with here, there:
        with cut_after(60, here):
            there.send(b"x")
            assert here.recv(1) == b"x"
        there.send(b"y")
        assert here.recv(1) == b"y"


def test_a_connection_closed_meanwhile_does_no_harm():
    here, there = socket.socketpair()
    there.settimeout(0.2)
    with here, there:
        with cut_after(0.01, here):
            here.close()
            assert there.recv(1) == b""
