# SPDX-License-Identifier: Apache-2.0
"""A Valkey server of the agent's own, to be asked what it is, and gone a moment later.

In a directory that is thrown away, on no port, with nothing written to a disk. It is
put into the background and waited for until it says that it is ready; one that an agent
left behind is ended by the next.
"""

import contextlib
import typing

from trove import errors
from trove.datastores.protocol import Host
from trove.datastores.unit import scrub
from trove.datastores.valkey.agent.wire import FAILURES, Talk
from trove.datastores.valkey.spec import DATASTORE

SERVER = "/usr/bin/valkey-server"
STARTER = "start-stop-daemon"
"""Debian's own: it hears what systemd would (``READY=1``), and needs none."""
WORK = "/var/lib/trove-rules"
"""Short: it has the socket, whose path has at most 107 characters."""
TIMEOUT = 30.0

SMALL = ("--port", "0", "--save", "", "--appendonly", "no")
STOPPER = ("--aclfile", "/nonexistent/users.acl")
"""A server that took its whole configuration ends here, before it listens anywhere."""
STOPPED = "ACL errors"
NOT_STARTED = "a server that was to be asked did not start"


@contextlib.contextmanager
def throwaway(host: Host) -> typing.Iterator[tuple[str, Talk]]:
    """Where it is, and a conversation with it. Only root and its user come in."""
    work = host.path(WORK)
    _end(f"{work}/socket")
    host.remove(work)
    host.make_directory(work, mode=0o700, owner=DATASTORE.user)
    try:
        _start(host, work)
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


def _start(host: Host, work: str) -> None:
    """Returns when it is ready; it ended, or is late, if it is not."""
    # where it hears, too, is in what is thrown away
    starter = ["env", f"TMPDIR={work}", STARTER]
    starter += ["--start", "--background", "--notify-await"]
    starter += [f"--notify-timeout={TIMEOUT:.0f}", f"--pidfile={work}/pid"]
    files = ["--dir", work, "--logfile", f"{work}/log"]
    files += ["--unixsocket", f"{work}/socket"]
    ran = host.run(
        [*starter, "--exec", SERVER, "--", *SMALL, *files, "--supervised", "systemd"],
        user=DATASTORE.user,
        timeout=2 * TIMEOUT,
        check=False,
    )
    if ran.returncode:
        raise errors.EngineFailed(why=f"{NOT_STARTED}: {scrub(ran.stderr)}")


def _reached(path: str) -> Talk:
    try:
        return Talk(path, None, TIMEOUT)
    except FAILURES as failed:
        raise errors.EngineFailed(why=NOT_STARTED) from failed


def _end(path: str) -> None:
    """Ends the one behind this socket; it says nothing more when it is gone."""
    with (
        contextlib.suppress(*FAILURES),
        contextlib.closing(Talk(path, None, TIMEOUT)) as talk,
    ):
        talk.ask("SHUTDOWN", "NOSAVE", within=TIMEOUT)
