# SPDX-License-Identifier: Apache-2.0
"""How a user comes into a Valkey from outside; for whoever begins with one.

By the protocol's own few lines: a library for it is in the images alone.
"""

import socket
import ssl
import typing

from trove import errors
from trove.datastores.spec import Entrance

CLIENT = "valkey-cli --tls --cacert {authority} -h {address} --user {user} --askpass"

WITHIN = 20.0
LONGEST = 65536


def enter(where: Entrance) -> tuple[str, str]:
    """What the server says it is, and the cipher of the connection."""
    context = ssl.create_default_context(cafile=where.authority)
    address = (where.address, where.port)
    with (
        socket.create_connection(address, WITHIN) as plain,
        context.wrap_socket(plain, server_hostname=where.address) as line,
        line.makefile("rb") as answers,
    ):
        _ask(line, answers, "AUTH", where.user, where.password)
        facts = _ask(line, answers, "INFO", "server")
        cipher = line.cipher()
    _, found, rest = facts.partition("valkey_version:")
    if not found or cipher is None:
        raise errors.Internal(why="Valkey did not answer")
    return f"Valkey {rest.split()[0]}", cipher[0]


def _ask(line: ssl.SSLSocket, answers: typing.BinaryIO, *words: str) -> str:
    """A command, each word with its length; its answer, which is a text."""
    said = b"*%d\r\n" % len(words)
    for word in words:
        data = word.encode()
        said += b"$%d\r\n%s\r\n" % (len(data), data)
    line.sendall(said)
    kind = answers.readline(LONGEST).decode()
    if kind[:1] == "+":
        return kind[1:].strip()
    if kind[:1] != "$":
        raise errors.Internal(why=f"Valkey refused {words[0]}")
    return answers.read(int(kind[1:]) + 2).decode()
