# SPDX-License-Identifier: Apache-2.0
"""A bound in time for a conversation with an engine, whatever its driver waits for."""

import contextlib
import socket
import threading
import typing


@contextlib.contextmanager
def cut_after(seconds: float, connection: socket.socket) -> typing.Iterator[None]:
    """Cuts a connection when the block takes longer: what waits on it then fails.

    A stopped process keeps its sockets open and says nothing, and no driver bounds
    every read of a log-in and a query together.
    """

    def cut() -> None:
        # It may have been closed a moment ago.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
