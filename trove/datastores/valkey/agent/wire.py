# SPDX-License-Identifier: Apache-2.0
"""A conversation with Valkey over its socket; libvalkey packs and reads all of it.

A command is a list of words, each with its length, so that nothing is ever quoted. The
whole client library would cost the agent nine megabytes, and brings what it may not
load; the part of it that knows the protocol costs a sixth of one.
"""

import contextlib
import socket
import time
import typing

import libvalkey

from trove import errors
from trove.datastores.unit import scrub

ADMIN = "trove_admin"
"""The agent's own user."""

CONNECT_TIMEOUT = 1.0
PIECE = 65536

Reply = typing.Any

FAILURES: tuple[type[Exception], ...] = (
    OSError,
    libvalkey.ReplyError,
    libvalkey.ProtocolError,
)
"""What a conversation raises: a silence, a refusal, or nonsense."""

Refusal: type[Exception] = libvalkey.ReplyError
"""The engine's own no."""


class Talk:
    """One connection; as the agent's user, if there is a secret to come in with."""

    def __init__(self, path: str, secret: str | None, within: float) -> None:
        self._reader = libvalkey.Reader(encoding="utf-8", errors="surrogateescape")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(min(CONNECT_TIMEOUT, within))
            self._socket.connect(path)
            if secret is not None:
                self.ask("AUTH", ADMIN, secret, within=within)
        except BaseException:
            self._socket.close()
            raise

    def ask(self, *words: str | int, within: float) -> Reply:
        """The answer to one command, all of it within so many seconds."""
        end = time.monotonic() + within
        self._socket.settimeout(_left(end))
        # who refuses a connection says so, and ends it without hearing anything
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(libvalkey.pack_command(words))
        while (said := self._reader.gets()) is False:
            self._socket.settimeout(_left(end))
            piece = self._socket.recv(PIECE)
            if not piece:
                raise ConnectionResetError("it ended the conversation")
            self._reader.feed(piece)
        if isinstance(said, Exception):
            raise said
        return said

    def pairs(self, *words: str | int, within: float) -> dict[str, typing.Any]:
        """The answer where it is a list of names and values by turns."""
        said = iter(self.ask(*words, within=within))
        return {str(name): value for name, value in zip(said, said, strict=True)}

    def close(self) -> None:
        """Ends it, without waiting for anyone."""
        self._socket.close()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("it does not answer in time")
    return left


@contextlib.contextmanager
def talk(path: str, secret: str | None, within: float = 10.0) -> typing.Iterator[Talk]:
    """A connection for a few commands; an engine's refusal becomes our error."""
    try:
        with contextlib.closing(Talk(path, secret, within)) as opened:
            yield opened
    except OSError as failed:
        why = f"its socket does not answer: {failed}"
        raise errors.EngineFailed(why=why) from failed
    except (libvalkey.ReplyError, libvalkey.ProtocolError) as failed:
        raise errors.EngineFailed(why=scrub(str(failed))) from failed
