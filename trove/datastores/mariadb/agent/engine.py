# SPDX-License-Identifier: Apache-2.0
"""MariaDB in a guest: made secure before it ever listens, run under systemd."""

import contextlib
import typing

import pymysql

from trove import errors
from trove.datastores.mariadb.agent import accounts, config
from trove.datastores.mariadb.agent.health import Pulse
from trove.datastores.mariadb.agent.places import places
from trove.datastores.mariadb.agent.sql import talk
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Account, Database, Health, Host, Sizing, Tls
from trove.datastores.unit import Unit, scrub

UNIT = "mariadb.service"
INSTALL_TIMEOUT = 300.0
READ_ONLY_TIMEOUT = 10.0

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


class MariaDB:
    """One MariaDB server; an ``Engine``."""

    def __init__(self, host: Host, port: int) -> None:
        self._host = host
        self._port = port
        self._places = places(host)
        self._unit = Unit(host, UNIT, self._places.unit, r"\[ERROR\] (?!Aborting)")
        self._pulse = Pulse(self._places.socket, self._unit)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory; no server listens anywhere while it is made.

        It is made under another name and gets its own in one move: under its own name
        it is whole and secure, always.
        """
        host, here = self._host, self._places
        if not host.exists(here.data):
            # Before our unit is there this is the package's, with its own data.
            host.service("stop", UNIT, timeout=60.0)
        host.service("disable", UNIT)
        self._make_directories()
        if host.exists(here.data):
            return
        host.remove(here.data_unfinished)
        host.make_directory(here.data_unfinished, mode=0o700, owner=DATASTORE.user)
        script = f"{here.settings}/bootstrap.sql"
        host.make_directory(here.settings)
        host.write_file(script, BOOTSTRAP)
        made = host.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={here.data_unfinished}",
                f"--tmpdir={here.temporary}",
                "--auth-root-authentication-method=socket",
                "--auth-root-socket-user=root",
                "--skip-test-db",
                "--skip-name-resolve",
                f"--extra-file={script}",
            ],
            user=DATASTORE.user,
            timeout=INSTALL_TIMEOUT,
            check=False,
        )
        if made.returncode or "[ERROR]" in made.stdout + made.stderr:
            raise errors.EngineFailed(why=scrub(made.stderr or made.stdout))
        host.rename(here.data_unfinished, here.data)

    def configure(
        self,
        sizing: Sizing,
        tls: Tls,
        group: dict[str, typing.Any],
        server_id: int,
    ) -> None:
        """Writes all layers, once the engine took them on trial."""
        host, here = self._host, self._places
        layers = {
            "00-engine": config.engine_layer(here, self._port),
            "10-flavor": config.flavor_layer(sizing),
            "20-service": config.service_layer(here, server_id),
            "50-group": config.group_layer(sizing, group),
            "90-forced": config.forced_layer(here),
        }
        host.make_directory(here.settings)
        # The trial wants them, and may come before the data directory is made.
        self._make_directories()
        self._copy_certificates(tls)
        texts = {name: config.render(settings) for name, settings in layers.items()}
        self._try_out("".join(texts.values()))
        for name, text in texts.items():
            host.write_file(config.layer(here, name), text)
        guard = config.layer(here, "95-guard")
        if not host.exists(guard):
            host.write_file(guard, config.render({}))
        host.write_file(f"{here.settings}/my.cnf", config.index(here))
        self._unit.install(config.unit(here))

    def start(self) -> None:
        """Starts it; returns when it answers on its socket."""
        self._unit.start()
        self._answer()

    def stop(self) -> None:
        """Stops it in good order."""
        self._pulse.forget()
        self._unit.stop()

    def restart(self) -> None:
        """Stops and starts it; returns when it answers again."""
        self._pulse.forget()
        self._unit.restart()
        self._answer()

    def health(self) -> Health:
        """What it is, found out within 3 s."""
        return self._pulse.take()

    def set_read_only(self, on: bool) -> None:
        """Refuses tenants' writes, also after a restart, or allows them again."""
        guard = config.layer(self._places, "95-guard")
        self._host.write_file(guard, config.render({"read_only": True} if on else {}))
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

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        """Has these databases be there."""
        with talk(self._places.socket) as conversation:
            accounts.create_databases(conversation, databases)

    def create_accounts(self, wanted: typing.Sequence[Account]) -> None:
        """Has these accounts be there, with these passwords and grants."""
        with talk(self._places.socket) as conversation:
            accounts.create_accounts(conversation, wanted)

    def _answer(self) -> None:
        # systemd saw its READY=1, so the first try succeeds.
        with talk(self._places.socket) as conversation:
            conversation.rows("SELECT 1", 5.0)

    def _make_directories(self) -> None:
        here = self._places
        self._host.make_directory(here.volume)
        for path in (here.temporary, here.binlogs, here.files):
            self._host.make_directory(path, mode=0o700, owner=DATASTORE.user)

    def _copy_certificates(self, tls: Tls) -> None:
        here = self._places
        self._host.make_directory(here.tls, mode=0o700, owner=DATASTORE.user)
        for source, name in (
            (tls.certificate, "server.crt"),
            (tls.key, "server.key"),
            (tls.ca, "ca.crt"),
        ):
            text = self._host.read_file(source)
            if text is None:
                raise errors.EngineFailed(why=f"there is no {name} to serve with")
            self._host.write_file(
                f"{here.tls}/{name}", text, mode=0o600, owner=DATASTORE.user
            )

    def _try_out(self, text: str) -> None:
        # MariaDB has no --validate-config. This reads everything, but for a bad value
        # of InnoDB it only complains and ends with 0.
        staged = f"{self._places.settings}/staged.cnf"
        self._host.write_file(staged, text)
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
        if tried.returncode or complaints:
            why = scrub("; ".join(complaints) or tried.stderr)
            raise errors.Invalid(why=f"MariaDB refuses the configuration: {why}")
