# SPDX-License-Identifier: Apache-2.0
"""MariaDB in a guest: made secure before it ever listens, run under systemd."""

from trove.datastores.classic.engine import Classic, Own, complaint
from trove.datastores.layers import Settings
from trove.datastores.mariadb.agent import config, rules
from trove.datastores.mariadb.agent.accounts import ACCOUNTS, ROOT, SESSIONS
from trove.datastores.mariadb.agent.health import Probe
from trove.datastores.mariadb.agent.places import places
from trove.datastores.mariadb.agent.sql import Talk
from trove.datastores.mariadb.agent.variables import Variables
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Description, Host, Sizing, Tls

UNIT = "mariadb.service"
PROGRAM = "/usr/sbin/mariadbd"
UPGRADE_TIMEOUT = 900.0

BOOTSTRAP = """\
DELETE FROM mysql.global_priv WHERE NOT (User = 'root' AND Host = 'localhost') \
AND NOT (User = 'mariadb.sys' AND Host = 'localhost');
DELETE FROM mysql.db;
CREATE DATABASE trove_internal;
CREATE TABLE trove_internal.beat (id TINYINT PRIMARY KEY, n BIGINT NOT NULL) \
ENGINE=InnoDB;
INSERT INTO trove_internal.beat VALUES (1, 0);
"""
"""One statement a line: of two on one, the engine would silently lose the second."""


class MariaDB(Classic):
    """One MariaDB server; an ``Engine``."""

    own = Own(
        datastore=DATASTORE,
        title="MariaDB",
        unit=UNIT,
        complaint=r"\[ERROR\] (?!Aborting)",
        program=PROGRAM,
        section=config.SECTION,
        talk=Talk,
        probe=Probe,
        accounts=ACCOUNTS,
        root=ROOT,
        variables=Variables,
        sessions=SESSIONS,
        tenants="user NOT IN ('root', 'system user', 'event_scheduler')",
        reload_tls="FLUSH LOCAL SSL",
    )

    def __init__(self, host: Host, port: int) -> None:
        super().__init__(host, places(host), port)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory; no server listens anywhere while it is made."""
        host, here = self._host, self._places
        if not host.exists(here.data):
            # Before our unit is there this is the package's, with its own data.
            host.service("stop", UNIT, timeout=60.0)
        host.service("disable", UNIT)
        self._make_directories()
        with self._made_whole() as fresh:
            if fresh is None:
                return
            script = f"{here.settings}/bootstrap.sql"
            host.make_directory(here.settings)
            host.write_file(script, BOOTSTRAP)
            self._make(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--datadir={fresh}",
                    f"--tmpdir={here.temporary}",
                    "--auth-root-authentication-method=socket",
                    "--auth-root-socket-user=root",
                    "--skip-test-db",
                    "--skip-name-resolve",
                    f"--extra-file={script}",
                    "--debug-no-sync",  # synced as a whole when it is made
                ],
                bad="[ERROR]",
            )

    def upgrade(self) -> None:
        """Its system tables as this version has them; nothing if they are."""
        socket = f"--socket={self._places.socket}"
        self._host.run(
            ["mariadb-upgrade", "--no-defaults", socket, "--user=root", "--silent"],
            timeout=UPGRADE_TIMEOUT,
        )

    def describe(self) -> Description:
        """By a server of its own, in a directory that is thrown away."""
        return rules.describe(self._host)

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

    def _try_out(self, staged: str) -> str:
        # The trial wants them, and may come before the data directory is made.
        self._make_directories()
        # MariaDB has no --validate-config. This reads everything, but for a bad value
        # of InnoDB it only complains and ends with 0.
        tried = self._host.run(
            [PROGRAM, f"--defaults-file={staged}", "--help", "--verbose"],
            user=DATASTORE.user,
            check=False,
        )
        return complaint(tried)
