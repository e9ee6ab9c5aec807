# SPDX-License-Identifier: Apache-2.0
"""MySQL in a guest: made secure before it ever listens, run under systemd."""

import json

from trove import errors
from trove.datastores.classic.engine import WITHIN, Classic, Own, complaint
from trove.datastores.layers import Settings
from trove.datastores.mysql.agent import apparmor, config, rules
from trove.datastores.mysql.agent.accounts import ACCOUNTS, ROOT, SESSIONS
from trove.datastores.mysql.agent.health import Probe
from trove.datastores.mysql.agent.places import places
from trove.datastores.mysql.agent.sql import Talk
from trove.datastores.mysql.agent.variables import Variables
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import Description, Host, Sizing

UNIT = "mysql.service"
PROGRAM = "/usr/sbin/mysqld"
HISTORY = "mysql_upgrade_history"
"""Beside its data: which versions served them, the newest last."""

BOOTSTRAP = """\
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket;
"""


class MySQL(Classic):
    """One MySQL server; an ``Engine``."""

    own = Own(
        datastore=DATASTORE,
        title="MySQL",
        unit=UNIT,
        # before its last words, which are always the same
        complaint=r"\[ERROR\] (?!.*(Aborting$|Stopping the server))",
        bootstrap=BOOTSTRAP,
        program=PROGRAM,
        section=config.SECTION,
        talk=Talk,
        probe=Probe,
        accounts=ACCOUNTS,
        root=ROOT,
        variables=Variables,
        sessions=SESSIONS,
        tenants=(
            "user NOT IN ('system user', 'event_scheduler') "
            "AND NOT (user = 'root' AND host = 'localhost')"
        ),
        reload_tls="ALTER INSTANCE RELOAD TLS",
    )

    def __init__(self, host: Host, port: int) -> None:
        super().__init__(host, places(host), port)

    def _maker(self, fresh: str, script: str) -> list[str]:
        return [
            PROGRAM,
            "--no-defaults",
            "--initialize-insecure",  # root has no password, and gets none
            f"--datadir={fresh}",
            f"--tmpdir={self._places.temporary}",
            f"--init-file={script}",
            "--auto-generate-certs=OFF",
        ]

    def upgrade(self) -> None:
        """The server does it when it starts, and notes that it did; or it starts again.

        Raises when it still has not.
        """
        if self._noted():
            return
        self.restart()
        if not self._noted():
            raise errors.EngineFailed(why="it has not upgraded the data")

    def describe(self) -> Description:
        """By a server of its own, in a directory that is thrown away."""
        return rules.describe(self._host)

    def _noted(self) -> bool:
        """Whether the version that serves the data is the last that took them over."""
        with self._talk() as talk:
            ((version,),) = talk.rows("SELECT @@GLOBAL.version", WITHIN)
        text = self._host.read_file(f"{self._places.data}/{HISTORY}") or "{}"
        history = json.loads(text).get("upgrade_history", [])
        return bool(history) and history[-1]["version"] == version

    def _written(
        self, sizing: Sizing, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings]:
        here = self._places
        return (
            config.engine_layer(here, self._port),
            config.flavor_layer(sizing),
            config.service_layer(here, server_id),
            self._forced(self._mode),
        )

    def _forced(self, mode: str) -> Settings:
        return config.forced_layer(self._places, mode)

    def _make_directories(self) -> None:
        super()._make_directories()
        apparmor.admit(self._host, self._places)

    def _try_out(self, staged: str) -> str:
        # The trial wants them, and may come before the data directory is made.
        self._make_directories()
        # That a number is adjusted is a warning to it.
        words = ["--validate-config", "--log-error-verbosity=2"]
        return complaint(
            self._host.run(
                [PROGRAM, f"--defaults-file={staged}", *words],
                user=DATASTORE.user,
                check=False,
            )
        )
