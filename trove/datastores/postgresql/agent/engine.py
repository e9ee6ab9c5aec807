# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL in a guest: made secure before it ever listens, run under systemd."""

import contextlib
import time
import typing

from trove import errors
from trove.datastores.postgresql.agent import accounts, config
from trove.datastores.postgresql.agent.health import Pulse
from trove.datastores.postgresql.agent.places import PROGRAMS, places
from trove.datastores.postgresql.agent.sql import Talk, talk
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Account, Database, Health, Host, Sizing, Tls
from trove.datastores.unit import Unit, scrub

UNIT = "trove-postgresql.service"
PACKAGED_UNIT = "postgresql.service"
INITDB_TIMEOUT = 300.0
RELOAD_TIMEOUT = 10.0

# In single-user mode an empty line ends a statement.
BOOTSTRAP = b"""\
CREATE SCHEMA trove_internal;

CREATE TABLE trove_internal.beat (id int PRIMARY KEY, n bigint NOT NULL);

INSERT INTO trove_internal.beat VALUES (1, 0);

REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

"""

END_TRANSACTIONS = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()
AND backend_type = 'client backend' AND usename <> 'postgres'"""


class PostgreSQL:
    """One PostgreSQL server; an ``Engine``."""

    def __init__(self, host: Host, port: int) -> None:
        self._host = host
        self._port = port
        self._places = places(host)
        self._unit = Unit(host, UNIT, self._places.unit, r"\b(FATAL|PANIC|ERROR):")
        self._pulse = Pulse(self._places.runtime, port, self._unit)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory; no server listens anywhere while it is made.

        It is made under another name and gets its own in one move: under its own name
        it is whole and secure, always.
        """
        host, here = self._host, self._places
        host.service("stop", PACKAGED_UNIT)
        host.service("disable", PACKAGED_UNIT)
        host.make_directory(here.volume)
        if host.exists(here.data):
            return
        host.remove(here.data_unfinished)
        host.make_directory(here.data_unfinished, mode=0o700, owner=DATASTORE.user)
        self._make(
            [
                f"{PROGRAMS}/initdb",
                f"--pgdata={here.data_unfinished}",
                f"--username={DATASTORE.user}",
                "--data-checksums",
                "--auth-local=peer",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=und",
                "--no-instructions",
            ]
        )
        self._make(
            [
                f"{PROGRAMS}/postgres",
                "--single",
                "-j",
                "-D",
                here.data_unfinished,
                "-c",
                "exit_on_error=on",
                "postgres",
            ],
            BOOTSTRAP,
        )
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
            "20-service": config.service_layer(here),
            "50-group": config.group_layer(sizing, group),
            "90-forced": config.forced_layer(),
        }
        host.make_directory(here.settings)
        self._copy_certificates(tls)
        texts = {name: config.render(settings) for name, settings in layers.items()}
        self._try_out("".join(texts.values()))
        for name, text in texts.items():
            host.write_file(config.layer(here, name), text)
        guard = config.layer(here, "95-guard")
        if not host.exists(guard):
            host.write_file(guard, config.render({}))
        host.write_file(f"{here.settings}/pg_hba.conf", config.WHO_MAY_ENTER)
        host.write_file(f"{here.settings}/pg_ident.conf", config.WHO_WE_ARE)
        host.write_file(f"{here.settings}/postgresql.conf", config.index(here))
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
        """Refuses tenants' writes, also after a restart, or allows them again.

        A tenant that insists can still write: the engine has no harder switch.
        """
        guard = config.layer(self._places, "95-guard")
        wanted = {"default_transaction_read_only": True} if on else {}
        changed = self._host.write_file(guard, config.render(wanted))
        if not changed and self._read_only() == on:
            return
        with self._open() as conversation:
            conversation.rows("SELECT pg_reload_conf()", 5.0)
        end = time.monotonic() + RELOAD_TIMEOUT
        while self._read_only() != on:
            if time.monotonic() > end:
                raise errors.EngineFailed(why="it did not take its new configuration")
            time.sleep(0.05)
        if on:
            # A transaction stays what it was when it began.
            with self._open() as conversation:
                conversation.rows(END_TRANSACTIONS, 5.0)

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        """Has these databases be there."""
        accounts.create_databases(self._open, databases)

    def create_accounts(self, wanted: typing.Sequence[Account]) -> None:
        """Has these accounts be there, with these passwords and grants."""
        accounts.create_accounts(self._open, wanted)

    def _open(
        self, database: str = "postgres"
    ) -> contextlib.AbstractContextManager[Talk]:
        return talk(self._places.runtime, self._port, database)

    def _answer(self) -> None:
        # systemd saw its READY=1, so the first try succeeds.
        with self._open() as conversation:
            conversation.rows("SELECT 1", 5.0)

    def _read_only(self) -> bool:
        statement = "SELECT current_setting('default_transaction_read_only')::bool"
        with self._open() as conversation:
            ((on,),) = conversation.rows(statement, 5.0)
        return bool(on)

    def _make(self, argv: list[str], script: bytes | None = None) -> None:
        made = self._host.run(
            argv,
            input=script,
            user=DATASTORE.user,
            timeout=INITDB_TIMEOUT,
            check=False,
        )
        if made.returncode or "ERROR:" in made.stderr:
            raise errors.EngineFailed(why=scrub(made.stderr or made.stdout))

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
        staged = f"{self._places.settings}/staged.conf"
        self._host.write_file(staged, text)
        tried = self._host.run(
            [
                f"{PROGRAMS}/postgres",
                "-C",
                "max_connections",
                f"--config-file={staged}",
            ],
            user=DATASTORE.user,
            check=False,
        )
        if tried.returncode:
            why = scrub(tried.stderr)
            raise errors.Invalid(why=f"PostgreSQL refuses the configuration: {why}")
