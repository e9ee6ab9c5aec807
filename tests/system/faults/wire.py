# SPDX-License-Identifier: Apache-2.0
"""The memory cloud, shared by real processes: a client of it, over a local socket.

A daemon finds ``connect`` by the entry point ``laboratory``; whom it talks to is
``outside.py``, in a process of its own. Errors arrive as what they were.
"""

import importlib
import os
import threading
import typing
from multiprocessing.connection import Client, Connection

SOCKET = "TROVE_LABORATORY"


class Lines:
    """A connection for each thread, made when it is first needed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._mine = threading.local()

    def ask(self, name: str, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """One call: what it answers, or raises."""
        line: Connection | None = getattr(self._mine, "line", None)
        if line is None:
            line = self._mine.line = Client(self._path, "AF_UNIX")
        line.send((name, args, kwargs))
        good, *answer = line.recv()
        if good:
            return answer[0]
        module, kind, said, about = answer
        error = Exception.__new__(getattr(importlib.import_module(module), kind))
        error.args = said
        error.__dict__.update(about)
        raise error

    def close(self) -> None:
        """Ends this thread's connection."""
        if (line := getattr(self._mine, "line", None)) is not None:
            line.close()
            del self._mine.line


class Noun:
    """compute, volumes, network, images; or the hands of a test."""

    def __init__(self, lines: Lines, name: str) -> None:
        self._lines, self._name = lines, name

    def __getattr__(self, verb: str) -> typing.Callable[..., typing.Any]:
        name = f"{self._name}.{verb}"
        return lambda *args, **kwargs: self._lines.ask(name, *args, **kwargs)


class Cloud:
    """What the flows and the API take for a cloud."""

    def __init__(self, lines: Lines) -> None:
        block = ("volumes", "snapshots")
        for name in ("compute", "server_groups", *block, "network", "images"):
            setattr(self, name, Noun(lines, name))


def connect(**_: object) -> typing.Any:
    """What the registry calls."""
    return Cloud(Lines(os.environ[SOCKET]))
