# SPDX-License-Identifier: Apache-2.0
"""A conversation with the toy: a list of words as a line of JSON, and one line back."""

import json
import socket
import ssl
import typing


class Refusal(Exception):
    """The engine's own no."""


FAILURES = (OSError, ValueError, Refusal)
"""What a conversation raises: a silence, nonsense, or a refusal."""


class Talk:
    """One connection, which it closes."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._answers = line, line.makefile("rb")

    def ask(self, *words: str, within: float) -> typing.Any:
        """The answer to one command."""
        self._line.settimeout(max(within, 0.001))  # of 0 it would not wait at all
        self._line.sendall(json.dumps(words).encode() + b"\n")
        said = self._answers.readline()
        if not said.endswith(b"\n"):
            raise ConnectionResetError("it ended the conversation")
        answer = json.loads(said)
        if "error" in answer:
            raise Refusal(answer["error"])
        return answer["ok"]

    @property
    def cipher(self) -> str:
        """What the connection is encrypted with; empty: it is not."""
        found = self._line.cipher() if isinstance(self._line, ssl.SSLSocket) else None
        return found[0] if found else ""

    def close(self) -> None:
        """Ends it."""
        self._answers.close()
        self._line.close()


def local(path: str, within: float) -> Talk:
    """The agent's way in: whoever may open the socket is let in."""
    line = socket.socket(socket.AF_UNIX)
    try:
        line.settimeout(within)
        line.connect(path)
    except BaseException:
        line.close()
        raise
    return Talk(line)


def remote(
    address: tuple[str, int], context: ssl.SSLContext | None, within: float
) -> Talk:
    """A tenant's way in, before the log-in; without a context he would be refused."""
    plain = socket.create_connection(address, within)
    if context is None:
        return Talk(plain)
    with plain:  # what is wrapped has taken it over
        return Talk(context.wrap_socket(plain, server_hostname=address[0]))
