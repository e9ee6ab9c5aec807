# SPDX-License-Identifier: Apache-2.0
"""The binary log as it is brought: whole files, which the server keeps until then.

A file's place is the number in its name. The last of the list is the one that is
written; ``FLUSH`` ends it. What is counted stays for an hour, for a replica to come,
and as long as the next increment of a backup will want it (``wanting``).
"""

import contextlib
import os
import re
import time
import typing

from trove.datastores.archives import Archive as Protocol
from trove.datastores.archives import Log, LogFile, Lost, Target, whole
from trove.datastores.classic import binlog, wanting
from trove.datastores.classic.places import Places
from trove.datastores.classic.sql import Talk, literal
from trove.datastores.protocol import Host, Stage
from trove.datastores.unit import Unit

if typing.TYPE_CHECKING:
    from trove.datastores.classic.replay import Applier

MARK = re.compile(r"(?:filename ')?[^' :]*\.(\d+)(?:', position '|:)(\d+)")
"""A file and a place in it, as the tools of backups write them down."""
LOOK = 60.0
HOUR = 3600
DAY = 86400
"""Seconds that a file is kept where nobody brings it (``config.service_layer``)."""
BEAT = "UPDATE trove_internal.beat SET n = n + 1"
CUT = "FLUSH LOCAL BINARY LOGS"
LIST = "SHOW BINARY LOGS"
KEPT = "SELECT @@GLOBAL.binlog_expire_logs_seconds"


class Own(typing.NamedTuple):
    """What an engine brings: whose log it is, and what plays it."""

    user: str
    program: str
    """The server."""
    settings: tuple[str, ...]
    """Of the server that plays a log, beside those of all."""
    applier: "Applier"
    talk: type[Talk]


class Server(typing.NamedTuple):
    """What the archive needs of the engine that it is of."""

    host: Host
    places: Places
    own: Own
    unit: Unit
    """The one that users reach."""
    talk: typing.Callable[[], contextlib.AbstractContextManager[Talk]]
    keep: typing.Callable[[int], None]
    """Has files be kept for so many seconds (0: for ever), also after a restart."""


class Archive(Protocol):
    """The log of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def hold(self, after: int | None) -> int:
        """By having no file go by itself."""
        self._keep(0)
        if after is None:
            return self._files()[-1].place - 1
        return after

    def known(self, after: int) -> str:
        """By its first events."""
        for file in self._files():
            if file.place == after + 1:
                return binlog.identity(path(self._server, file.name))
        raise Lost(why=f"number {after + 1} is not there")

    def cut(self) -> None:
        """A commit, and another file begins."""
        with self._server.talk() as talk:
            talk.rows(BEAT, LOOK)
            talk.rows(CUT, LOOK)

    def ready(self, after: int) -> list[LogFile]:
        """All but the last."""
        *ended, current = self._files()
        return whole(ended, after, current.place)

    def behind(self, after: int) -> int:
        """As the server lists them."""
        return sum(file.size for file in self._files() if file.place > after)

    def stages(self, files: typing.Sequence[LogFile]) -> tuple[Stage, ...]:
        """A tar of the files."""
        server = self._server
        argv = ("tar", "--create", f"--directory={server.places.binlogs}", "--file=-")
        names = tuple(each.name for each in files)
        return (Stage((*argv, "--", *names), user=server.own.user),)

    def release(self, place: int) -> None:
        """Those go that are older than an hour, and that no increment will want."""
        files = self._files()
        wanted = wanting.wanted(self._server.host, self._server.places)
        if wanted is not None:
            place = min(place, wanted - 1)
        needed = (f for f in files if f.place > place or self._young(f))
        to = next(needed, files[-1])
        if to != files[0]:
            with self._server.talk() as talk:
                talk.rows(f"PURGE BINARY LOGS TO {literal(to.name)}", LOOK)

    def let_go(self) -> None:
        """A file goes after a day, as if nobody had wanted it."""
        self._keep(DAY)

    def replay(
        self, work: str, words: typing.Mapping[str, str], log: Log, target: Target
    ) -> None:
        """By the engine's own program, told to a server that nobody reaches."""
        from trove.datastores.classic import replay

        replay.replay(self._server, work, words, log, target)

    def _keep(self, seconds: int) -> None:
        with self._server.talk() as talk:
            ((now,),) = talk.rows(KEPT, LOOK)
        if int(now) != seconds:
            self._server.keep(seconds)

    def _files(self) -> list[LogFile]:
        with self._server.talk() as talk:
            return listed(talk)

    def _young(self, file: LogFile) -> bool:
        return os.stat(path(self._server, file.name)).st_mtime > time.time() - HOUR


def path(server: Server, name: str) -> str:
    """Where a file of the log is."""
    return f"{server.places.binlogs}/{name}"


def listed(talk: Talk) -> list[LogFile]:
    """All files that there are; the last one is written at the moment."""
    rows = talk.rows(LIST, LOOK)
    found = [LogFile(number(name), str(name), int(size)) for name, size, *_ in rows]
    if not found:
        raise Lost(why="the server has none")
    return found


def number(name: str) -> int:
    """The place of a file."""
    return int(name.rpartition(".")[2])


def begins(mark: str) -> tuple[int, int] | None:
    """The file, and the place in it, from which on the log is not in a backup."""
    found = MARK.match(mark)
    return None if found is None else (int(found[1]), int(found[2]))


def marked(mark: str) -> dict[str, str]:
    """The words of a backup that a restore to a moment looks for; said at its end."""
    begin = begins(mark)
    at = {"at": repr(time.time())}
    return at if begin is None else at | {"place": str(begin[0])}
