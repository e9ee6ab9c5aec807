# SPDX-License-Identifier: Apache-2.0
"""Tells systemd how a process is: ready, reloading, stopping, alive.

The protocol is one datagram to the socket that ``NOTIFY_SOCKET`` names; without it
(a terminal, the supervisor) everything here is silent.
"""

import os
import socket
import time
import typing


def send(*lines: str, environ: typing.Mapping[str, str] = os.environ) -> bool:
    """Send the lines; False where nobody listens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto("\n".join(lines).encode(), address)
        except OSError:  # systemd is restarting itself: no reason for us to fail
            return False
    return True


def ready(status: str) -> bool:
    """Serving."""
    return send("READY=1", f"STATUS={status}")


def reloading() -> bool:
    """Reading the configuration again; ``ready`` follows."""
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    return send("RELOADING=1", f"MONOTONIC_USEC={int(now * 1_000_000)}")


def stopping(status: str = "Finishing what was begun.") -> bool:
    """Draining."""
    return send("STOPPING=1", f"STATUS={status}")


def alive() -> bool:
    """The watchdog's ping."""
    return send("WATCHDOG=1")


def watchdog_interval(environ: typing.Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two pings (a third of the limit), or None: not watched."""
    limit = environ.get("WATCHDOG_USEC", "")
    owner = environ.get("WATCHDOG_PID", "")
    if not limit.isdigit() or (owner and owner != str(os.getpid())):
        return None
    return int(limit) / 1_000_000 / 3
