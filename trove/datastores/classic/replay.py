# SPDX-License-Identifier: Apache-2.0
"""Data of a backup go on to a moment, by the binary log that came after it.

A server does it that nobody reaches: no port, a socket in a directory of the job's, no
log of its own, and no event that a tenant ordered. It takes the files for a relay log,
and its own applier plays them, as on a replica. They are never turned to text and told
to a client: client and server do not agree on where a comment ends, and what a tenant
wrote into one would be said by an administrator.
"""

import contextlib
import dataclasses
import time
import typing

from trove import errors
from trove.datastores.archives import PLAY, Log, Short, Target
from trove.datastores.classic.archive import Server, begins, number
from trove.datastores.classic.binlog import first_since
from trove.datastores.classic.places import ALONE
from trove.datastores.classic.sql import Talk, literal, opened
from trove.datastores.unit import Unit

COPY, LOOK = 1800.0, 60.0
PAUSE = 0.2
AT_ONCE, FILES = 2 * 1024 * 1024 * 1024, 500
"""Bytes and files of the log that are there at once, at the most and a piece more."""
NOBODY = 2**32 - 1
"""A server plays nothing that has its own number: one that no server has."""
SETTINGS = (
    "--skip-networking",
    "--skip-log-bin",
    "--skip-slave-start",
    "--event-scheduler=OFF",
    "--read-only=OFF",
    "--init-connect=",
    "--relay-log-purge=OFF",
    f"--server-id={NOBODY}",
    # should anything happen, all of it is begun again
    "--innodb-flush-log-at-trx-commit=0",
)
LINES = """\
RuntimeDirectory={name}
ExecStart={program} --defaults-file={settings}/my.cnf {said}
KillSignal=SIGTERM
SendSIGKILL=no
LimitNOFILE=32768
OOMScoreAdjust=-600"""


Look = typing.Callable[[Talk], None]


class Applier(typing.NamedTuple):
    """How an engine is told to play a relay log."""

    change: str
    """From ``{file}`` at ``{place}`` on; nobody is asked for more."""
    start: str
    """Until ``{file}`` at ``{place}``."""
    status: str
    running: str
    """The column that says whether it still plays."""
    end: tuple[str, ...]
    """As if there had never been another server."""


@dataclasses.dataclass(slots=True)
class Part:
    """Files that are there at once: what is played of the first one, and the last."""

    names: list[str] = dataclasses.field(default_factory=list)
    begin: int = 4
    end: int = 0
    reached: bool = False
    """Whether the target is in it."""


def replay(
    server: Server,
    work: str,
    words: typing.Mapping[str, str],
    log: Log,
    target: Target,
) -> None:
    """The data directory is as it was at the target."""
    if target.until is None:
        what = "a named point in its log"
        raise errors.NotSupported(datastore="This engine", what=what)
    begin = begins(words.get("binlog", ""))
    if begin is None:
        raise errors.EngineFailed(why="the backup does not say where its log goes on")
    reached = False
    while not reached and _filled(server, log):
        part = _measured(server, log, begin, target.until)
        if part.names:
            play(server, work, log.directory, part)
        reached = part.reached
        for name in log.names:
            log.drop(name)
    if not reached:
        raise Short(what="the moment that was asked for")
    server.host.run(["sync", "--file-system", server.places.data], timeout=COPY)


def _filled(server: Server, log: Log) -> bool:
    """As much of it is there as may be at once; False: there is nothing more."""
    while len(log.names) < FILES and _bytes(server, log) < AT_ONCE:
        if not log.more():
            break
    return bool(log.names)


def _bytes(server: Server, log: Log) -> int:
    argv = ["du", "--summarize", "--bytes", "--", log.directory]
    return int(server.host.run(argv).stdout.split()[0])


def _measured(server: Server, log: Log, begin: tuple[int, int], until: float) -> Part:
    """What of the files that are there is to be played."""
    first, place = begin
    part = Part()
    for name in log.names:
        if number(name) < first:
            continue
        path = f"{log.directory}/{name}"
        part.names.append(name)
        if number(name) == first:
            part.begin = place
        stop = first_since(path, until)
        if stop is not None:
            part.end, part.reached = stop, True
            break
        argv = ["stat", "--format=%s", "--", path]
        part.end = int(server.host.run(argv).stdout)
    return part


def nothing(_talk: Talk) -> None:
    """There is nothing to look at."""


def play(
    server: Server,
    work: str,
    directory: str,
    part: Part,
    before: Look = nothing,
    after: Look = nothing,
) -> None:
    """That part of the files in a directory, which are gone then, is in the data.

    ``before`` and ``after`` look at the server that plays them.
    """
    if len(part.names) == 1 and part.end <= part.begin:
        return
    relay = f"{work}/relay"
    server.host.remove(relay)
    server.host.make_directory(relay, mode=0o700, owner=server.own.user)
    files = [f"{relay}/relay.{n:06}" for n in range(1, len(part.names) + 1)]
    for name, path in zip(part.names, files, strict=True):
        server.host.rename(f"{directory}/{name}", path)
    index = "".join(f"{path}\n" for path in files)
    server.host.write_file(
        f"{relay}/relay.index", index, mode=0o600, owner=server.own.user
    )
    with _alone(server, work, relay) as talk:
        before(talk)
        _applied(server.own.applier, talk, files, part)
        after(talk)
    server.host.remove(relay)


def _applied(applier: Applier, talk: Talk, files: list[str], part: Part) -> None:
    first, last = (path.rpartition("/")[2] for path in (files[0], files[-1]))
    talk.rows(applier.change.format(file=literal(first), place=part.begin), LOOK)
    talk.rows(applier.start.format(file=literal(last), place=part.end), LOOK)
    within = time.monotonic() + PLAY
    while not _ended(talk.row(applier.status, LOOK), applier.running, last, part.end):
        if time.monotonic() > within:
            raise errors.EngineFailed(why="it took too long to play its log")
        time.sleep(PAUSE)
    for statement in applier.end:
        talk.rows(statement, LOOK)


def _ended(said: dict[str, typing.Any], running: str, file: str, place: int) -> bool:
    """Whether all is played. It stops by itself at a place in a file (which is not
    what it says, where no transaction of that file was played), or in an error; at the
    end of the last file it only waits for more."""
    if said["Last_SQL_Errno"]:
        # its own words may repeat what a tenant wrote
        raise errors.EngineFailed(why=f"its log ends in error {said['Last_SQL_Errno']}")
    there = str(said["Relay_Log_File"]), int(said["Relay_Log_Pos"])
    return there >= (file, place) or said[running] != "Yes"


@contextlib.contextmanager
def _alone(server: Server, work: str, relay: str) -> typing.Iterator[Talk]:
    """Runs it for as long as this lasts."""
    host, places, own = server.host, server.places, server.own
    name = ALONE.format(user=own.user)
    path = host.path(f"/etc/systemd/system/{name}.service")
    unit = Unit(host, f"{name}.service", path, r"\[ERROR\] (?!Aborting)")
    unit.stop()  # one that an earlier try has left
    socket = f"{work}/socket"
    said = [f"--socket={socket}", f"--pid-file={work}/pid", *SETTINGS, *own.settings]
    said += [f"--relay-log={relay}/relay", f"--relay-log-index={relay}/relay.index"]
    lines = LINES.format(
        name=name, program=own.program, settings=places.settings, said=" ".join(said)
    )
    served = f"Conflicts={server.unit.name}\n"
    unit.install("A server for the agent alone", places, own.user, lines, served)
    unit.start()
    try:
        with opened(own.talk, socket, LOOK) as talk:
            yield talk
    finally:
        unit.stop()
