# SPDX-License-Identifier: Apache-2.0
"""MariaDB in a guest: made secure before it ever listens, run under systemd."""

import contextlib

import pymysql

from trove import errors
from trove.datastores import rules as shared
from trove.datastores.layers import GROUP, Layers, Settings
from trove.datastores.mariadb.agent import accounts, config, rules
from trove.datastores.mariadb.agent.health import Probe
from trove.datastores.mariadb.agent.places import places
from trove.datastores.mariadb.agent.sql import literal, talk
from trove.datastores.mariadb.agent.tenants import Tenants
from trove.datastores.mariadb.agent.variables import Variables
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import (
    BASIC,
    MTLS,
    Description,
    Host,
    Sizing,
    Source,
    Tls,
)
from trove.datastores.pulse import Pulse
from trove.datastores.server import Server
from trove.datastores.unit import Unit

UNIT = "mariadb.service"
READ_ONLY_TIMEOUT = 10.0
RELOAD_TIMEOUT = 10.0
UPGRADE_TIMEOUT = 900.0

TENANTS = """\
SELECT id FROM information_schema.processlist
WHERE user NOT IN ('root', 'system user', 'event_scheduler')"""

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


class MariaDB(Server):
    """One MariaDB server; an ``Engine``."""

    starttls = "mysql"

    def __init__(self, host: Host, port: int) -> None:
        self._places = here = places(host)
        unit = Unit(host, UNIT, here.unit, r"\[ERROR\] (?!Aborting)")
        layers = Layers(host, here.settings, "my.cnf", config.GRAMMAR)
        pulse = Pulse(Probe(here.socket), unit)
        super().__init__(host, here, layers, unit, pulse, DATASTORE.user, port)
        self.accounts = Tenants(here.socket, lambda: self._mode == MTLS)

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

    def set_read_only(self, on: bool) -> None:
        """Refuses tenants' writes, also after a restart, or allows them again."""
        self._layers.guard({"read_only": True} if on else {})
        switch = f"SET GLOBAL read_only = {'ON' if on else 'OFF'}"
        try:
            with talk(self._places.socket) as conversation:
                conversation.rows(switch, READ_ONLY_TIMEOUT)
        except errors.EngineFailed:
            # It waits for tables that tenants locked: end those who hold them.
            with talk(self._places.socket) as conversation:
                for (number,) in conversation.rows(TENANTS, READ_ONLY_TIMEOUT):
                    with contextlib.suppress(pymysql.MySQLError):
                        conversation.rows(f"KILL {int(number)}", READ_ONLY_TIMEOUT)
                conversation.rows(switch, READ_ONLY_TIMEOUT)

    def logs(self) -> dict[str, Source]:
        """What users may have written, and what the engine itself complains of."""
        files = {
            name: Source(path=f"{self._places.logs}/{name}.log") for name in config.LOGS
        }
        return {**files, "error": Source(unit=UNIT), **super().logs()}

    def set_log(self, name: str, on: bool) -> None:
        """Switches it in the running engine, and in its files."""
        if name not in config.LOGS:
            super().set_log(name, on)
        switch = config.LOGS[name]
        self._make_directories()
        path = f"{self._places.logs}/{name}.log"
        self._layers.note_logs({switch: on, f"{switch}_file": path})
        with talk(self._places.socket) as conversation:
            statement = f"SET GLOBAL {switch}_file = {literal(path)}"
            conversation.rows(statement, RELOAD_TIMEOUT)
            conversation.rows(
                f"SET GLOBAL {switch} = {'ON' if on else 'OFF'}", RELOAD_TIMEOUT
            )

    def reopen_log(self, name: str) -> None:
        """A flush closes the file and opens it by its name."""
        with talk(self._places.socket) as conversation:
            kind = config.FLUSHED[name]
            conversation.rows(f"FLUSH LOCAL {kind} LOGS", RELOAD_TIMEOUT)

    def _answer(self) -> None:
        # systemd saw its READY=1, so the first try succeeds.
        with talk(self._places.socket) as conversation:
            conversation.rows("SELECT 1", 5.0)

    def _take_certificate(self, mode: str) -> None:
        # It reads the files anew, or complains and keeps what it has.
        switch = "OFF" if mode == BASIC else "ON"
        with talk(self._places.socket) as conversation:
            conversation.rows("FLUSH LOCAL SSL", RELOAD_TIMEOUT)
            statement = f"SET GLOBAL require_secure_transport = {switch}"
            conversation.rows(statement, RELOAD_TIMEOUT)

    def _write_mode(self, mode: str) -> None:
        self._layers.force(config.forced_layer(self._places, mode))

    def _hold(self, mode: str) -> None:
        # A client's certificate is asked for by each account, not by the server
        with talk(self._places.socket) as conversation:
            accounts.demand(conversation, mode == MTLS)

    def _take_group(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        with talk(self._places.socket) as conversation:
            path = self._layers.path(GROUP)
            return Variables(conversation, DATASTORE.policy, path).take(group, lower)

    def _make_directories(self) -> None:
        here = self._places
        self._host.make_directory(here.volume)
        for path in (here.temporary, here.binlogs, here.files, here.logs):
            self._host.make_directory(path, mode=0o700, owner=DATASTORE.user)

    def _settings(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings, Settings]:
        here = self._places
        return (
            config.engine_layer(here, self._port),
            config.flavor_layer(sizing),
            config.service_layer(here, server_id),
            config.group_layer(sizing, shared.checked(self._host, DATASTORE, group)),
            config.forced_layer(here, self._mode),
        )

    def _settle(self) -> None:
        lines = config.service_lines(self._places)
        self._unit.install("MariaDB", self._places, DATASTORE.user, lines)

    def _try_out(self, staged: str) -> str:
        # The trial wants them, and may come before the data directory is made.
        self._make_directories()
        # MariaDB has no --validate-config. This reads everything, but for a bad value
        # of InnoDB it only complains and ends with 0.
        tried = self._host.run(
            ["/usr/sbin/mariadbd", f"--defaults-file={staged}", "--help", "--verbose"],
            user=DATASTORE.user,
            check=False,
        )
        complaints = [
            line
            for line in tried.stderr.splitlines()
            if "[ERROR]" in line or "adjusted" in line
        ]
        if not tried.returncode and not complaints:
            return ""
        return "; ".join(complaints) or tried.stderr or f"exit code {tried.returncode}"
