# SPDX-License-Identifier: Apache-2.0
"""MySQL in a guest: made secure before it ever listens, run under systemd."""

import json

from trove import errors
from trove.datastores.classic.engine import WITHIN, Classic, Own
from trove.datastores.dumping import Dumps
from trove.datastores.mysql.agent import apparmor, config, rules
from trove.datastores.mysql.agent.accounts import ACCOUNTS, ROOT, SESSIONS
from trove.datastores.mysql.agent.health import Probe
from trove.datastores.mysql.agent.places import HISTORY, places
from trove.datastores.mysql.agent.sql import Talk
from trove.datastores.mysql.agent.variables import Variables
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.saving import Backups

UNIT = "mysql.service"
PROGRAM = "/usr/sbin/mysqld"
TRIAL = ("--validate-config", "--log-error-verbosity=2")
"""That a number is adjusted is a warning to it."""
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
        trial=TRIAL,
        places=places,
        layering=config.LAYERING,
        describe=rules.describe,
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
        plays="trove.datastores.mysql.agent.plays",
    )

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

    def backups(self) -> Backups:
        """By its CLONE, which makes a copy of the files while they are written."""
        from trove.datastores.mysql.agent import backups  # when there is one to make

        return backups.Tool(self._logged())

    def dumps(self) -> Dumps:
        """By its own dump, in SQL."""
        from trove.datastores.mysql.agent import dumps  # when there is one to make

        return dumps.tool(self._host, self._places)

    def upgrade(self) -> None:
        """The server does it when it starts, and notes that it did; or it starts again.

        Raises when it still has not.
        """
        if self._noted():
            return
        self.restart()
        if not self._noted():
            raise errors.EngineFailed(why="it has not upgraded the data")

    def _noted(self) -> bool:
        """Whether the version that serves the data is the last that took them over."""
        with self._talk() as talk:
            ((version,),) = talk.rows("SELECT @@GLOBAL.version", WITHIN)
        text = self._host.read_file(f"{self._places.data}/{HISTORY}") or "{}"
        history = json.loads(text).get("upgrade_history", [])
        return bool(history) and history[-1]["version"] == version

    def _make_directories(self) -> None:
        super()._make_directories()
        apparmor.admit(self._host, self._places)
