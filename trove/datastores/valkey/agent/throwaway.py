# SPDX-License-Identifier: Apache-2.0
"""A Valkey server of the agent's own, to be asked what it is, and gone a moment later.

In a directory that is thrown away, on no port, with nothing written to a disk. It goes
to the background by itself; one that an agent left behind is ended by the next.
"""

import contextlib
import time
import typing

from trove import errors
from trove.datastores.protocol import Host
from trove.datastores.valkey.agent.wire import FAILURES, Talk
from trove.datastores.valkey.spec import DATASTORE

SERVER = "/usr/bin/valkey-server"
WORK = "/var/lib/trove-rules"
"""Short: it has the socket, whose path has at most 107 characters."""
TIMEOUT = 30.0
PAUSE = 0.02

SMALL = ("--port", "0", "--save", "", "--appendonly", "no")
STOPPER = ("--aclfile", "/nonexistent/users.acl")
"""A server that took its whole configuration ends here, before it listens anywhere."""
STOPPED = "ACL errors"


@contextlib.contextmanager
def throwaway(host: Host) -> typing.Iterator[tuple[str, Talk]]:
    """Where it is, and a conversation with it. Only root and its user come in."""
    work = host.path(WORK)
    _end(f"{work}/socket")
    host.remove(work)
    host.make_directory(work, mode=0o700, owner=DATASTORE.user)
    try:
        where = ("--dir", work, "--unixsocket", f"{work}/socket")
        host.run(
            [SERVER, *SMALL, *where, "--logfile", f"{work}/log", "--daemonize", "yes"],
            user=DATASTORE.user,
            timeout=TIMEOUT,
        )
        with contextlib.closing(_reached(f"{work}/socket")) as talk:
            yield work, talk
    finally:
        _end(f"{work}/socket")
        host.remove(work)


def stopped_short(host: Host, *words: str) -> str:
    """What a server says against a configuration that it only reads; empty: nothing."""
    tried = host.run(
        [SERVER, *words, *SMALL, "--tls-port", "0", *STOPPER],
        user=DATASTORE.user,
        timeout=TIMEOUT,
        check=False,
    )
    said = tried.stdout + tried.stderr
    if STOPPED in said:
        return ""
    return said or f"exit code {tried.returncode}"


def _reached(path: str) -> Talk:
    """It answers as soon as its socket is there."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            talk = Talk(path, None, TIMEOUT)
            talk.ask("PING", within=TIMEOUT)
            return talk
        except FAILURES as failed:
            if time.monotonic() > end:
                why = "a server that was to be asked did not start"
                raise errors.EngineFailed(why=why) from failed
        time.sleep(PAUSE)


def _end(path: str) -> None:
    """Ends the one behind this socket; it says nothing more when it is gone."""
    with (
        contextlib.suppress(*FAILURES),
        contextlib.closing(Talk(path, None, TIMEOUT)) as talk,
    ):
        talk.ask("SHUTDOWN", "NOSAVE", within=TIMEOUT)
