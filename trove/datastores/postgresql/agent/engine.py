# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL in a guest: made secure before it ever listens, run under systemd."""

import contextlib
import time
import types
import typing

from psycopg import sql

from trove import errors
from trove.datastores import rules as shared
from trove.datastores.dumping import Dumps
from trove.datastores.layers import GROUP, Layers, Settings
from trove.datastores.postgresql.agent import config, rules, variables
from trove.datastores.postgresql.agent.health import Probe
from trove.datastores.postgresql.agent.places import (
    SERVED,
    TURNED_AWAY,
    major,
    places,
    programs,
)
from trove.datastores.postgresql.agent.sql import Talk, fill, talk
from trove.datastores.postgresql.agent.tenants import Tenants
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Description, Host, Sizing, Source, Tls
from trove.datastores.pulse import Pulse
from trove.datastores.saving import Backups
from trove.datastores.server import Server
from trove.datastores.unit import STOP_TIMEOUT, Unit

if typing.TYPE_CHECKING:
    from trove.datastores.archives import Archive

PACKAGED_UNIT = "postgresql.service"
RELOAD_TIMEOUT = 10.0

# In single-user mode an empty line ends a statement.
BOOTSTRAP = b"""\
CREATE SCHEMA trove_internal;

CREATE TABLE trove_internal.beat (id int PRIMARY KEY, n bigint NOT NULL);

INSERT INTO trove_internal.beat VALUES (1, 0);

REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

"""

UPGRADE = 900.0
SORTED_OTHERWISE = """\
SELECT datname FROM pg_database WHERE datallowconn \
AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)"""
REINDEX: typing.LiteralString = "REINDEX DATABASE {database}"
REFRESH: typing.LiteralString = "ALTER DATABASE {database} REFRESH COLLATION VERSION"

END_TRANSACTIONS = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()
AND backend_type = 'client backend' AND usename <> 'postgres'"""


class PostgreSQL(Server):
    """One PostgreSQL server; an ``Engine``."""

    starttls = "postgres"

    def __init__(self, host: Host, port: int) -> None:
        self._places = here = places(host)
        unit = Unit(host, SERVED, here.unit, rf"\b(FATAL|PANIC|ERROR):{TURNED_AWAY}")
        layers = Layers(host, here.settings, "postgresql.conf", config.GRAMMAR)
        pulse = Pulse(Probe(here.runtime, port), unit)
        super().__init__(host, here, layers, unit, pulse, DATASTORE.user, port)
        self.accounts = Tenants(self._open)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory; no server listens anywhere while it is made."""
        host, here = self._host, self._places
        host.service("stop", PACKAGED_UNIT)
        host.service("disable", PACKAGED_UNIT)
        host.make_directory(here.volume)
        with self._made_whole() as fresh:
            if fresh is None:
                return
            where = programs(host)
            self._make(
                [
                    f"{where}/initdb",
                    f"--pgdata={fresh}",
                    f"--username={DATASTORE.user}",
                    "--data-checksums",
                    "--auth-local=peer",
                    "--auth-host=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--locale-provider=icu",
                    "--icu-locale=und",
                    "--no-instructions",
                    "--no-sync",  # synced as a whole when it is made
                ],
                bad="ERROR:",
            )
            single = ["--single", "-j", "-D", fresh, "-c", "exit_on_error=on"]
            self._make(
                [f"{where}/postgres", *single, "postgres"],
                bad="ERROR:",
                script=BOOTSTRAP,
            )

    def describe(self) -> Description:
        """By its single-user mode, in a directory that is thrown away."""
        return rules.describe(self._host)

    def set_read_only(self, on: bool) -> None:
        """Refuses tenants' writes, also after a restart, or allows them again.

        A tenant that insists can still write: the engine has no harder switch.
        """
        wanted = {"default_transaction_read_only": True} if on else {}
        changed = self._layers.guard(wanted)
        if not changed and self._read_only() == on:
            return
        self._reload(lambda: self._read_only() == on)
        if on:
            # A transaction stays what it was when it began.
            with self._open() as conversation:
                conversation.rows(END_TRANSACTIONS, 5.0)

    def upgrade(self) -> None:
        """Indexes sorted by another library's rules are made again, lest rows in them
        cannot be found (manual, ALTER DATABASE ... REFRESH COLLATION VERSION)."""
        with self._open() as conversation:
            stale = [name for (name,) in conversation.rows(SORTED_OTHERWISE, 10.0)]
        for name in stale:
            with self._open(name) as conversation:
                database = sql.Identifier(name)
                for statement in (REINDEX, REFRESH):
                    conversation.rows(fill(statement, database=database), UPGRADE)

    def unload(self, directory: str) -> None:
        """A dump of everything, and what the copy must come to."""
        carrying, alone = _carrying()
        self.stop()
        self._host.remove(directory)
        self._host.make_directory(directory, mode=0o700, owner=DATASTORE.user)
        with alone.alone(self._host, self._places, self._port) as server:
            carrying.unload(server, directory)

    def load(self, directory: str) -> None:
        """Into a data directory that was just made; it comes to the same, or fails."""
        carrying, alone = _carrying()
        self.stop()
        with alone.alone(self._host, self._places, self._port, haste=True) as server:
            carrying.load(server, directory)
        self._host.run(
            ["sync", "--file-system", self._places.data], timeout=STOP_TIMEOUT
        )

    def backups(self) -> Backups:
        """By pg_basebackup, which says the files and the log that makes them whole."""
        from trove.datastores.postgresql.agent import backups  # when one is to be made

        return backups.Tool(self._host, self._places, self._port)

    def archive(self) -> "Archive":
        """The write-ahead log, held by a slot."""
        from trove.datastores.postgresql.agent import archive  # when it is brought

        return archive.Archive(self._host, self._places, self._port, self._bound)

    def _bound(self, size: int) -> None:
        # beside what is logged: what is switched while it runs, over a configuration
        self._layers.note_logs({"max_slot_wal_keep_size": f"{size}MB"})
        self._read_files()

    def dumps(self) -> Dumps:
        """By pg_dump, in its own form."""
        from trove.datastores.postgresql.agent import dumps  # when there is one to make

        return dumps.Tool(self._host, self._places, self._port)

    def logs(self) -> dict[str, Source]:
        """The server's one log; ``general`` also has each statement, when it is on."""
        return {"general": Source(unit=SERVED), **super().logs()}

    def set_log(self, name: str, on: bool) -> None:
        """Switches it in the files, and has the server read them."""
        if name != "general":
            super().set_log(name, on)
        self._layers.note_logs({"log_statement": "all" if on else "none"})
        self._read_files()

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

    def _take_group(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        self._read_files()
        with self._open() as conversation:
            path = self._layers.path(GROUP)
            return variables.check(conversation, DATASTORE.policy, group, path)

    def _take_certificate(self, mode: str) -> None:
        self._read_files()

    def _write_mode(self, mode: str) -> None:
        path = f"{self._places.settings}/pg_hba.conf"
        self._host.write_file(path, config.who_may_enter(mode))

    def _hold(self, mode: str) -> None:
        """Nothing: pg_hba.conf asks for a certificate, whatever the account."""

    def _read_files(self) -> None:
        # The server reads them while it handles the signal, before it begins to serve
        # anybody with the new time of loading.
        before = self._loaded()
        self._reload(lambda: self._loaded() != before)

    def _loaded(self) -> str:
        with self._open() as conversation:
            ((moment,),) = conversation.rows("SELECT pg_conf_load_time()::text", 5.0)
        return str(moment)

    def _reload(self, done: typing.Callable[[], bool]) -> None:
        with self._open() as conversation:
            conversation.rows("SELECT pg_reload_conf()", 5.0)
        end = time.monotonic() + RELOAD_TIMEOUT
        while not done():
            if time.monotonic() > end:
                raise errors.EngineFailed(why="it did not take its new configuration")
            time.sleep(0.05)

    def _settings(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings, Settings]:
        here, version = self._places, major(self._host)
        return (
            config.engine_layer(here, self._port),
            config.flavor_layer(sizing),
            config.service_layer(here, version),
            config.group_layer(sizing, shared.checked(self._host, DATASTORE, group)),
            config.forced_layer(version),
        )

    def _settle(self) -> None:
        host, here = self._host, self._places
        self._write_mode(self._mode)
        host.write_file(f"{here.settings}/pg_ident.conf", config.WHO_WE_ARE)
        lines = config.service_lines(here, programs(host))
        self._unit.install("PostgreSQL", here, DATASTORE.user, lines, config.UNIT_LINES)

    def _try_out(self, staged: str) -> str:
        argv = [f"{programs(self._host)}/postgres", "-C", "max_connections"]
        tried = self._host.run(
            [*argv, f"--config-file={staged}"], user=DATASTORE.user, check=False
        )
        if not tried.returncode:
            return ""
        return tried.stderr or f"exit code {tried.returncode}"


def _carrying() -> tuple[types.ModuleType, types.ModuleType]:
    """What an agent that only serves need not have in its memory."""
    from trove.datastores.postgresql.agent import alone, carrying

    return carrying, alone
