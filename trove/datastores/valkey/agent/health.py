# SPDX-License-Identifier: Apache-2.0
"""How Valkey is looked at, and what is written to see whether it takes a write."""

import typing

from trove.datastores.protocol import Health
from trove.datastores.pulse import Filled, Left
from trove.datastores.valkey.agent.config import DATABASES, NEVER
from trove.datastores.valkey.agent.rights import BEAT
from trove.datastores.valkey.agent.wire import FAILURES, Refusal, Talk
from trove.model.states import Service

ANSWER_TIMEOUT = 1.0

CROWDED = "max number of clients reached"
FULL = "OOM "
"""How it begins to refuse what would take more than ``maxmemory``."""


class Probe:
    """The server behind one socket. ``secret`` is what the agent comes in with."""

    failures = FAILURES

    def __init__(self, path: str, secret: typing.Callable[[], str]) -> None:
        self._path = path
        self._secret = secret

    def connect(self) -> Talk:
        """A new connection, if it takes one in time."""
        return Talk(self._path, self._secret(), ANSWER_TIMEOUT)

    def crowded(self, failed: Exception) -> bool:
        """Whether all connections are in use; there are none in reserve."""
        return CROWDED in str(failed)

    def look(self, talk: Talk, left: Left) -> Health:
        """Who it is. One that still reads its file answers this, and nothing else."""
        said = facts(talk.ask("INFO", within=left()))
        version = said.get("valkey_version")
        if said.get("loading") == "1":
            why = "the database reads its data"
            return Health(Service.STARTING, why=why, version=version)
        guarded = talk.pairs("CONFIG", "GET", "min-replicas-to-write", within=left())
        read_only = guarded["min-replicas-to-write"] == str(NEVER)
        replica = said.get("role") == "slave"
        written = said.get("aof_last_write_status") == "ok"
        return Health(
            state=Service.READ_ONLY if read_only else Service.HEALTHY,
            why="" if written else "its last write did not reach the disk",
            role="replica" if replica else "source",
            position=f"{said['master_replid']}:{said['master_repl_offset']}",
            version=version,
        )

    def write(self, talk: Talk, found: Health, left: Left) -> None:
        """The agent's key in the agent's database; its write is refused like any.

        The file that has all writes can fail behind it: then the engine refuses the
        next one, with its reason.
        """
        if found.state == Service.HEALTHY and found.role == "source":
            talk.ask("SELECT", DATABASES, within=left())
            try:
                talk.ask("SET", BEAT, found.position or "", within=left())
            except Refusal as refused:
                if str(refused).startswith(FULL):
                    raise Filled("its memory is full (maxmemory)") from refused
                raise


def facts(said: str) -> dict[str, str]:
    """The lines ``name:value`` of what INFO says."""
    pairs = (line.partition(":") for line in said.splitlines())
    return {name: value for name, colon, value in pairs if colon}
