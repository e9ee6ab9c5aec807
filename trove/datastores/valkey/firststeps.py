# SPDX-License-Identifier: Apache-2.0
"""How a user comes into a Valkey from outside; for whoever begins with one."""

import socket
import ssl

import libvalkey

from trove import errors
from trove.datastores.spec import Entrance

CLIENT = "valkey-cli --tls --cacert {authority} -h {address} --user {user} --askpass"

WITHIN = 20.0
PIECE = 65536


def enter(where: Entrance) -> tuple[str, str]:
    """What the server says it is, and the cipher of the connection."""
    context = ssl.create_default_context(cafile=where.authority)
    address = (where.address, where.port)
    with (
        socket.create_connection(address, WITHIN) as plain,
        context.wrap_socket(plain, server_hostname=where.address) as line,
    ):
        _ask(line, "AUTH", where.user, where.password)
        facts = _ask(line, "INFO", "server")
        cipher = line.cipher()
    _, found, rest = facts.partition("valkey_version:")
    if not found or cipher is None:
        raise errors.Internal(why="Valkey did not answer")
    return f"Valkey {rest.split()[0]}", cipher[0]


def _ask(line: ssl.SSLSocket, *words: str) -> str:
    reader = libvalkey.Reader(encoding="utf-8")
    line.sendall(libvalkey.pack_command(words))
    while (said := reader.gets()) is False:
        piece = line.recv(PIECE)
        if not piece:
            raise errors.Internal(why="Valkey ended the conversation")
        reader.feed(piece)
    if isinstance(said, libvalkey.ReplyError):
        raise errors.Internal(why=f"Valkey refused {words[0]}")
    return str(said)
