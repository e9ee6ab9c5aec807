# SPDX-License-Identifier: Apache-2.0
"""MariaDB in a guest: made secure before it ever listens, run under systemd."""

from trove.datastores.classic.engine import Classic, Own
from trove.datastores.dumping import Dumps
from trove.datastores.mariadb.agent import config, rules
from trove.datastores.mariadb.agent.accounts import ACCOUNTS, ROOT, SESSIONS
from trove.datastores.mariadb.agent.health import Probe
from trove.datastores.mariadb.agent.places import places
from trove.datastores.mariadb.agent.sql import Talk
from trove.datastores.mariadb.agent.variables import Variables
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.saving import Backups

UNIT = "mariadb.service"
PROGRAM = "/usr/sbin/mariadbd"
TRIAL = ("--help", "--verbose")
"""It has no --validate-config. This reads everything, but for a bad value of InnoDB it
only complains and ends with 0."""
UPGRADE_TIMEOUT = 900.0

BOOTSTRAP = """\
DELETE FROM mysql.global_priv WHERE NOT (User = 'root' AND Host = 'localhost') \
AND NOT (User = 'mariadb.sys' AND Host = 'localhost');
DELETE FROM mysql.db;
"""


class MariaDB(Classic):
    """One MariaDB server; an ``Engine``."""

    own = Own(
        datastore=DATASTORE,
        title="MariaDB",
        unit=UNIT,
        complaint=r"\[ERROR\] (?!Aborting)",
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
        tenants="user NOT IN ('root', 'system user', 'event_scheduler')",
        reload_tls="FLUSH LOCAL SSL",
        plays="trove.datastores.mariadb.agent.plays",
    )

    def _maker(self, fresh: str, script: str) -> list[str]:
        return [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={fresh}",
            f"--tmpdir={self._places.temporary}",
            "--auth-root-authentication-method=socket",
            "--auth-root-socket-user=root",
            "--skip-test-db",
            "--skip-name-resolve",
            f"--extra-file={script}",
            "--debug-no-sync",  # synced as a whole when it is made
        ]

    def backups(self) -> Backups:
        """By mariadb-backup, which copies the files while they are written."""
        from trove.datastores.mariadb.agent import backups  # when there is one to make

        return backups.Tool(self._host, self._places)

    def dumps(self) -> Dumps:
        """By its own dump, in SQL."""
        from trove.datastores.mariadb.agent import dumps  # when there is one to make

        return dumps.tool(self._host, self._places)

    def upgrade(self) -> None:
        """Its system tables as this version has them; nothing if they are."""
        socket = f"--socket={self._places.socket}"
        self._host.run(
            ["mariadb-upgrade", "--no-defaults", socket, "--user=root", "--silent"],
            timeout=UPGRADE_TIMEOUT,
        )
