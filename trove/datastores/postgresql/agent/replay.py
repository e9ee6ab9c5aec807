# SPDX-License-Identifier: Apache-2.0
"""Data of a backup go on to a moment, by the write-ahead log that came after it.

A standby does it that nobody reaches: what is not there yet it asks for again, so it
can be fed piece by piece. At the target it becomes a server by itself. When all is
there that was brought it is told to become one: the engine refuses that (manual,
``recovery_target_action``) unless it has come as far.
"""

import datetime
import time

from trove import errors
from trove.datastores.archives import PLAY, Log, Short, Target
from trove.datastores.layers import Settings
from trove.datastores.places import Places
from trove.datastores.postgresql.agent.alone import Alone, alone
from trove.datastores.postgresql.agent.config import GRAMMAR
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host

AHEAD = 16
"""Files that wait to be played, at the most, before the next piece is fetched."""
PAUSE = 0.2
LOOK = 10.0
COPY = 1800.0
UNREACHED = "before configured recovery target was reached"
NO_TARGET = "no recovery target"


def replay(host: Host, places: Places, port: int, log: Log, target: Target) -> None:
    """The data directory is as it was at the target."""
    signal = f"{places.data}/standby.signal"
    config = f"{places.settings}/replay.conf"
    host.write_file(signal, "", mode=0o600, owner=DATASTORE.user)
    own = GRAMMAR.render(_settings(log, target))
    host.write_file(config, f"include '{places.settings}/postgresql.conf'\n{own}")
    try:
        log.more()
        # should anything happen, all of it is begun again
        with alone(host, places, port, haste=True, config=config) as server:
            _played(server, places, log, target)
        _reached(host, places, target)
    finally:
        host.remove(config)
    host.run(["sync", "--file-system", places.data], timeout=COPY)


def _settings(log: Log, target: Target) -> Settings:
    """``%f`` and ``%p`` are names that PostgreSQL puts there, of no character that a
    shell reads otherwise."""
    if target.point is not None:
        if not target.point.isprintable() or "\\" in target.point:
            raise errors.Invalid(why="that is no name of a point")
        until: Settings = {"recovery_target_name": target.point}
    else:
        at = datetime.datetime.fromtimestamp(target.until or 0.0, datetime.UTC)
        until = {
            "recovery_target_time": at.isoformat(timespec="microseconds"),
            "recovery_target_inclusive": False,
        }
    return until | {
        "restore_command": f'cp -- "{log.directory}/%f" "%p"',
        "recovery_target_action": "promote",
        # of the one that the backup is of; there is no other in its archive
        "recovery_target_timeline": "current",
        # the settings of the server that wrote it need not be this one's
        "hot_standby": False,
        "wal_retrieve_retry_interval": "100ms",
        # a file that is there was played, and is none that waits to be written
        "wal_recycle": False,
    }


def _played(server: Alone, places: Places, log: Log, target: Target) -> None:
    end, more = time.monotonic() + PLAY, True
    while not _serves(server):
        if not server.unit.running:
            _refused(server, target)
        if time.monotonic() > end:
            raise errors.EngineFailed(why="it took too long to play its log")
        _dropped(server.host, places, log)
        if more and len(log.names) <= AHEAD:
            more = log.more()
            if not more:
                _end(server, places)
        else:
            time.sleep(PAUSE)


def _serves(server: Alone) -> bool:
    """Whether it has become a server."""
    try:
        with server.open() as line:
            return line.rows("SELECT pg_is_in_recovery()", LOOK) == [(False,)]
    except errors.EngineFailed:
        return False


def _dropped(host: Host, places: Places, log: Log) -> None:
    """What it has taken, with all before, is not needed any more."""
    taken = set(host.run(["ls", f"{places.data}/pg_wal"]).stdout.split())
    names = log.names
    last = max((n for n, name in enumerate(names) if name in taken), default=-1)
    for name in names[: last + 1]:
        log.drop(name)


def _end(server: Alone, places: Places) -> None:
    """After what there is, it becomes a server or says why it does not."""
    argv = [f"{programs(server.host)}/pg_ctl", "promote", "--no-wait"]
    argv += [f"--pgdata={places.data}"]
    # one that has come to the target meanwhile is none that can be told so
    server.host.run(argv, user=DATASTORE.user, check=False)


def _refused(server: Alone, target: Target) -> None:
    said = server.unit.complaint()
    if UNREACHED in said:
        raise Short(what=_words(target))
    raise errors.EngineFailed(why=said or "it ended while it played its log")


def _reached(host: Host, places: Places, target: Target) -> None:
    """What the engine wrote down of why its new timeline began."""
    listed = host.run(["ls", f"{places.data}/pg_wal"]).stdout.split()
    histories = sorted(name for name in listed if name.endswith(".history"))
    text = host.read_file(f"{places.data}/pg_wal/{histories[-1]}") if histories else ""
    if not text or NO_TARGET in text.splitlines()[-1]:
        raise Short(what=_words(target))


def _words(target: Target) -> str:
    if target.point is not None:
        return "the point that was named"
    at = datetime.datetime.fromtimestamp(target.until or 0.0, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
