# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports answer a guest: run inside one that was taken over.

Orders on stdin: ``{address: [port, ...], ...}``; answers a line of JSON, the same with
the ports that can be connected to, or that answer that they cannot.
"""

import errno
import json
import select
import socket
import sys
import time

AT_ONCE = 800
PATIENCE = 1.5
SILENT = (errno.EINPROGRESS, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)


def batch(address, ports):
    """Each port, and the error that it came to; ``EINPROGRESS``: no answer at all."""
    came, waiting, poll = {}, {}, select.poll()
    for port in ports:
        line = socket.socket()
        line.setblocking(False)
        came[port] = line.connect_ex((address, port))
        waiting[line.fileno()] = port, line
        poll.register(line, select.POLLOUT)
    end = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < end:
        for number, _ in poll.poll(100):
            port, line = waiting.pop(number)
            came[port] = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            poll.unregister(number)
            line.close()
    for _, line in waiting.values():
        line.close()
    return came


def main():
    """Reads the orders, prints what answered."""
    found = {}
    for address, ports in json.load(sys.stdin).items():
        found[address] = {"open": [], "refused": []}
        for at in range(0, len(ports), AT_ONCE):
            for port, error in batch(address, ports[at : at + AT_ONCE]).items():
                if error not in SILENT:
                    found[address]["refused" if error else "open"].append(port)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
