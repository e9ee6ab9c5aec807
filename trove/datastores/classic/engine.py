# SPDX-License-Identifier: Apache-2.0
"""An engine of the classic protocol in a guest: what all of them do the same way."""

import abc
import contextlib
import importlib
import typing

import pymysql

from trove import errors
from trove.datastores import rules
from trove.datastores.classic import config
from trove.datastores.classic.accounts import Accounts
from trove.datastores.classic.config import Layering
from trove.datastores.classic.health import Probe
from trove.datastores.classic.places import ALONE, Places
from trove.datastores.classic.root import Root, end_sessions
from trove.datastores.classic.sql import Talk, literal, opened
from trove.datastores.classic.tenants import Tenants
from trove.datastores.classic.variables import Variables
from trove.datastores.layers import GROUP, Layers, Settings
from trove.datastores.protocol import (
    BASIC,
    MTLS,
    Description,
    Host,
    Ran,
    Sizing,
    Source,
    Tls,
)
from trove.datastores.pulse import Pulse
from trove.datastores.server import Server
from trove.datastores.spec import Datastore
from trove.datastores.unit import STOP_TIMEOUT, Unit

if typing.TYPE_CHECKING:
    from trove.datastores.archives import Archive
    from trove.datastores.classic.archive import Server as Logged

WITHIN = 10.0
"""Seconds for a conversation, and for a statement that is the engine's own deed."""


BEAT = """\
CREATE DATABASE trove_internal;
CREATE TABLE trove_internal.beat (id TINYINT PRIMARY KEY, n BIGINT NOT NULL) \
ENGINE=InnoDB;
INSERT INTO trove_internal.beat VALUES (1, 0);
"""
"""At the end of what makes new data: the row that shows whether writes are taken. One
statement a line: of two on one, an engine would silently lose the second."""


class Own(typing.NamedTuple):
    """What an engine brings: all that is known of it before there is a machine."""

    datastore: Datastore
    title: str
    unit: str
    complaint: str
    """Finds its error lines."""
    bootstrap: str
    """What makes new data secure, a statement a line."""
    program: str
    trial: tuple[str, ...]
    """What it is told beside its files, to read them and no more."""
    places: typing.Callable[[Host], Places]
    layering: Layering
    describe: typing.Callable[[Host], Description]
    """By a server of its own, in a directory that is thrown away."""
    talk: type[Talk]
    probe: type[Probe]
    accounts: Accounts
    root: Root
    variables: type[Variables[typing.Any]]
    sessions: str
    """Where the sessions are."""
    tenants: str
    """Which of them are those of tenants, as a condition."""
    reload_tls: str
    plays: str
    """The module with how a log is played: ``APPLIER``, and ``ALONE``, settings of a
    server that plays one, which only this engine has."""


class Classic(Server):
    """One such server."""

    starttls = "mysql"
    own: typing.ClassVar[Own]

    def __init__(self, host: Host, port: int) -> None:
        own = self.own
        self._places = here = own.places(host)
        unit = Unit(host, own.unit, here.unit, own.complaint)
        grammar = config.grammar(own.layering.section)
        layers = Layers(host, here.settings, "my.cnf", grammar)
        pulse = Pulse(own.probe(here.socket), unit)
        super().__init__(host, here, layers, unit, pulse, own.datastore.user, port)
        self.accounts = Tenants(
            self._talk, own.accounts, own.root, lambda: self._mode == MTLS
        )

    # -- what differs

    @abc.abstractmethod
    def _maker(self, fresh: str, script: str) -> list[str]:
        """The program that makes a data directory there, and then runs a script."""

    # -- what does not

    def describe(self) -> Description:
        """What this engine, as it is installed, says of its parameters."""
        return self.own.describe(self._host)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory; no server listens anywhere while it is made."""
        host, here, unit = self._host, self._places, self.own.unit
        if not host.exists(here.data):
            # Before our unit is there this is the package's, with its own data.
            host.service("stop", unit, timeout=60.0)
        host.service("disable", unit)
        self._make_directories()
        with self._made_whole() as fresh:
            if fresh is None:
                return
            script = f"{here.settings}/bootstrap.sql"
            host.make_directory(here.settings)
            host.write_file(script, self.own.bootstrap + BEAT)
            self._make(self._maker(fresh, script), bad="[ERROR]")

    def stop(self) -> None:
        """Also one that plays a log, which a job has left that died: it does not end
        once its data were taken from under it."""
        super().stop()
        alone = f"{ALONE.format(user=self._user)}.service"
        self._host.service("stop", alone, timeout=STOP_TIMEOUT)

    def set_read_only(self, on: bool) -> None:
        """Refuses tenants' writes, also after a restart, or allows them again."""
        self._layers.guard({"read_only": True} if on else {})
        switch = f"SET GLOBAL read_only = {'ON' if on else 'OFF'}"
        try:
            self._say(switch)
        except errors.EngineFailed:
            # It waits for tables that tenants locked: end those who hold them.
            with self._talk() as talk:
                with contextlib.suppress(pymysql.MySQLError):
                    end_sessions(talk, self.own.sessions, self.own.tenants)
                talk.rows(switch, WITHIN)

    def archive(self) -> "Archive":
        """The binary log, which the server keeps until it was brought."""
        from trove.datastores.classic import archive  # when it is brought

        return archive.Archive(self._logged())

    def _logged(self) -> "Logged":
        from trove.datastores.classic import archive

        own, plays = self.own, importlib.import_module(self.own.plays)
        player = archive.Own(
            *(own.datastore.user, own.program, plays.ALONE, plays.APPLIER, own.talk)
        )
        return archive.Server(
            *(self._host, self._places, player, self._unit),
            *(self._talk, self._keep_binlogs),
        )

    def _keep_binlogs(self, seconds: int) -> None:
        # beside what is logged: what is switched while it runs, over a configuration
        self._layers.note_logs({"binlog_expire_logs_seconds": seconds})
        self._say(f"SET GLOBAL binlog_expire_logs_seconds = {seconds}")

    def logs(self) -> dict[str, Source]:
        """What users may have written, and what the engine itself complains of."""
        files = {name: Source(path=self._log(name)) for name in config.LOGS}
        return {**files, "error": Source(unit=self.own.unit), **super().logs()}

    def set_log(self, name: str, on: bool) -> None:
        """Switches it in the running engine, and in its files."""
        if name not in config.LOGS:
            super().set_log(name, on)
        switch = config.LOGS[name]
        self._make_directories()
        path = self._log(name)
        self._layers.note_logs({switch: on, f"{switch}_file": path})
        self._say(
            f"SET GLOBAL {switch}_file = {literal(path)}",
            f"SET GLOBAL {switch} = {'ON' if on else 'OFF'}",
        )

    def reopen_log(self, name: str) -> None:
        """A flush closes the file and opens it by its name."""
        self._say(f"FLUSH LOCAL {config.FLUSHED[name]} LOGS")

    def _log(self, name: str) -> str:
        return f"{self._places.logs}/{name}.log"

    def _talk(self) -> contextlib.AbstractContextManager[Talk]:
        return opened(self.own.talk, self._places.socket, WITHIN)

    def _say(self, *statements: str) -> None:
        with self._talk() as talk:
            for statement in statements:
                talk.rows(statement, WITHIN)

    def _answer(self) -> None:
        # systemd saw its READY=1, so the first try succeeds.
        self._say("SELECT 1")

    def _take_certificate(self, mode: str) -> None:
        # It reads the files anew, or complains and keeps what it has.
        switch = "OFF" if mode == BASIC else "ON"
        self._say(
            self.own.reload_tls, f"SET GLOBAL require_secure_transport = {switch}"
        )

    def _write_mode(self, mode: str) -> None:
        self._layers.force(self.own.layering.forced(self._places, mode))

    def _hold(self, mode: str) -> None:
        # A client's certificate is asked for by each account, not by the server
        with self._talk() as talk:
            self.own.accounts.demand(talk, mode == MTLS)

    def _take_group(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        with self._talk() as talk:
            path = self._layers.path(GROUP)
            names = self.own.datastore.policy
            return self.own.variables(talk, names, path).take(group, lower)

    def _make_directories(self) -> None:
        here = self._places
        self._host.make_directory(here.volume)
        for path in (here.temporary, here.binlogs, here.files, here.logs):
            self._host.make_directory(path, mode=0o700, owner=self._user)

    def _settings(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings, Settings]:
        here, layering = self._places, self.own.layering
        checked = rules.checked(self._host, self.own.datastore, group)
        return (
            layering.engine(here, self._port),
            layering.flavor(sizing),
            layering.service(here, server_id),
            config.group_layer(sizing, checked),
            layering.forced(here, self._mode),
        )

    def _try_out(self, staged: str) -> str:
        # The trial wants them, and may come before the data directory is made.
        self._make_directories()
        own = self.own
        words = [own.program, f"--defaults-file={staged}", *own.trial]
        return complaint(self._host.run(words, user=self._user, check=False))

    def _settle(self) -> None:
        lines = config.service_lines(self.own.program, self._places)
        self._unit.install(self.own.title, self._places, self._user, lines)


def complaint(tried: Ran) -> str:
    """What a program has against a configuration; empty: nothing."""
    complaints = [
        line
        for line in tried.stderr.splitlines()
        if "[ERROR]" in line or "adjusted" in line
    ]
    if not tried.returncode and not complaints:
        return ""
    return "; ".join(complaints) or tried.stderr or f"exit code {tried.returncode}"
