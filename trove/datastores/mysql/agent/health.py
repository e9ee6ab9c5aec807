# SPDX-License-Identifier: Apache-2.0
"""How MySQL is looked at, and what is written to see whether it takes a write."""

from trove.datastores.classic import health
from trove.datastores.classic.health import UNLOGGED
from trove.datastores.classic.sql import Talk
from trove.datastores.mysql.agent import sql
from trove.datastores.protocol import Health
from trove.datastores.pulse import Left
from trove.model.states import Service

LOOK = "SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_executed, @@GLOBAL.version"
HURRY = "SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1"
WRITE = "UPDATE trove_internal.beat SET n = n + 1 WHERE id = 1"


class Probe(health.Probe):
    """The server behind one socket."""

    kind = sql.Talk

    def look(self, talk: Talk, left: Left) -> Health:
        """Who it is."""
        ((read_only, position, version),) = talk.rows(LOOK, left())
        replicating = talk.rows("SHOW REPLICA STATUS", left())
        return Health(
            state=Service.READ_ONLY if read_only else Service.HEALTHY,
            role="replica" if replicating else "source",
            # one server's a line
            position="".join(str(position).split()) or None,
            version=str(version).partition("-")[0],
        )

    def write(self, talk: Talk, found: Health, left: Left) -> None:
        """The administrator may write whatever the server is."""
        for statement in (UNLOGGED, HURRY, WRITE):
            talk.rows(statement, left())
