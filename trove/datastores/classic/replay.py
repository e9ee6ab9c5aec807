# SPDX-License-Identifier: Apache-2.0
"""Data of a backup go on to a moment, by the binary log that came after it.

A server does it that nobody reaches: no port, a socket in a directory of the job's, no
log of its own, and no event that a tenant ordered. What the log says is told to it by
the engine's own programs. Rows are in the log, and no statement that would be run again
with an administrator's rights.
"""

import contextlib
import typing

from trove import errors
from trove.datastores.archives import PLAY, Log, Short, Target
from trove.datastores.classic.archive import Server, begins, number
from trove.datastores.classic.binlog import first_since
from trove.datastores.protocol import Stage
from trove.datastores.unit import Unit

COPY = 1800.0
PACKET = 1024 * 1024 * 1024
SETTINGS = (
    "--skip-networking",
    "--skip-log-bin",
    "--skip-slave-start",
    "--event-scheduler=OFF",
    "--read-only=OFF",
    "--init-connect=",
    f"--max-allowed-packet={PACKET}",
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
    with _alone(server, work) as socket:
        while log.more():
            if _played(server, socket, log, begin, target.until):
                break
        else:
            raise Short(what="the moment that was asked for")
    server.host.run(["sync", "--file-system", server.places.data], timeout=COPY)


def _played(
    server: Server, socket: str, log: Log, begin: tuple[int, int], until: float
) -> bool:
    """All that there is of the log; whether it goes as far as that moment."""
    first, place = begin
    paths: list[str] = []
    stop: int | None = None
    for name in log.names:
        if stop is not None or number(name) < first:
            continue
        paths.append(f"{log.directory}/{name}")
        stop = first_since(paths[-1], until)
    if paths:
        inside = number(paths[0]) == first
        _tell(server, socket, paths, place if inside else None, stop)
    for name in log.names:
        log.drop(name)
    return stop is not None


def _tell(
    server: Server, socket: str, paths: list[str], start: int | None, stop: int | None
) -> None:
    own = server.own
    if start is not None and stop is not None and len(paths) == 1 and stop <= start:
        return
    reader = [own.reader, "--no-defaults"]
    if start is not None:
        reader.append(f"--start-position={start}")
    if stop is not None:
        reader.append(f"--stop-position={stop}")
    client = (
        *(own.client, "--no-defaults", "--binary-mode", "--batch", "--user=root"),
        *(f"--socket={socket}", f"--max-allowed-packet={PACKET}"),
    )
    stages = (Stage((*reader, *paths)), Stage(client))
    with server.host.writing(*stages, within=PLAY):
        pass  # the files say all


@contextlib.contextmanager
def _alone(server: Server, work: str) -> typing.Iterator[str]:
    """Runs it for as long as this lasts; its socket."""
    host, places, own = server.host, server.places, server.own
    name = f"trove-{own.user}-alone"
    path = host.path(f"/etc/systemd/system/{name}.service")
    unit = Unit(host, f"{name}.service", path, r"\[ERROR\] (?!Aborting)")
    unit.stop()  # one that an earlier try has left
    socket = f"{work}/socket"
    said = [f"--socket={socket}", f"--pid-file={work}/pid", *SETTINGS, *own.settings]
    lines = LINES.format(
        name=name, program=own.program, settings=places.settings, said=" ".join(said)
    )
    served = f"Conflicts={server.unit.name}\n"
    unit.install("A server for the agent alone", places, own.user, lines, served)
    unit.start()
    try:
        yield socket
    finally:
        unit.stop()
