# SPDX-License-Identifier: Apache-2.0
"""Keys and values, as a client of a store of keys has them, over TLS."""

import contextlib
import socket
import ssl
import typing

import libvalkey

from trove.datastores.spec import Entrance

WITHIN = 20.0
PIECE = 65536


class Line:
    """A user's connection."""

    def __init__(self, line: ssl.SSLSocket) -> None:
        self._line = line
        self._reader = libvalkey.Reader(encoding="utf-8")

    def get(self, key: str) -> str | None:
        return typing.cast(str | None, self.ask("GET", key))

    def set(self, key: str, value: str) -> None:
        assert self.ask("SET", key, value) == "OK"

    def ask(self, *words: str) -> typing.Any:
        self._line.sendall(libvalkey.pack_command(words))
        while (said := self._reader.gets()) is False:
            piece = self._line.recv(PIECE)
            assert piece, f"it ended the conversation at {words[0]}"
            self._reader.feed(piece)
        if isinstance(said, Exception):
            raise said
        return said


@contextlib.contextmanager
def opened(where: Entrance) -> typing.Iterator[Line]:
    """The user is in; the server is who the authority says."""
    context = ssl.create_default_context(cafile=where.authority)
    address = (where.address, where.port)
    with (
        socket.create_connection(address, WITHIN) as plain,
        context.wrap_socket(plain, server_hostname=where.address) as secret,
    ):
        line = Line(secret)
        assert line.ask("AUTH", where.user, where.password) == "OK"
        yield line
