# SPDX-License-Identifier: Apache-2.0
"""Valkey in a guest: made secure before it ever listens, run under systemd."""

import contextlib
import functools
import secrets

from trove import errors
from trove.datastores import rules as shared
from trove.datastores.layers import Layers, Settings
from trove.datastores.protocol import BASIC, Description, Host, Sizing, Source, Tls
from trove.datastores.pulse import Pulse
from trove.datastores.saving import Backups
from trove.datastores.server import Server
from trove.datastores.unit import Unit
from trove.datastores.valkey.agent import config, rights, rules, settings
from trove.datastores.valkey.agent.health import Probe
from trove.datastores.valkey.agent.places import USERS, places
from trove.datastores.valkey.agent.tenants import Tenants
from trove.datastores.valkey.agent.throwaway import stopped_short
from trove.datastores.valkey.agent.wire import Talk, talk
from trove.datastores.valkey.spec import DATASTORE

UNIT = "trove-valkey.service"
PACKAGED_UNIT = "valkey-server.service"
TIMEOUT = 10.0
COMPLAINT = (
    r" # (?!Failed to configure TLS|WARNING|Warning|Valkey is now)"
    r"|^argument |^Bad directive"
)
"""A line with its reason; some are only told that there is one elsewhere."""


class Valkey(Server):
    """One Valkey server; an ``Engine``."""

    starttls = None

    def __init__(self, host: Host, port: int) -> None:
        self._places = here = places(host)
        unit = Unit(host, UNIT, here.unit, COMPLAINT)
        layers = Layers(host, here.settings, "valkey.conf", config.GRAMMAR)
        pulse = Pulse(Probe(here.socket, self._secret), unit)
        super().__init__(host, here, layers, unit, pulse, DATASTORE.user, port)
        self.accounts = Tenants(self._open)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory, with an access list that lets nobody in."""
        host, here = self._host, self._places
        host.service("stop", PACKAGED_UNIT)
        host.service("disable", PACKAGED_UNIT)
        host.make_directory(here.volume)
        with self._made_whole() as fresh:
            if fresh is not None:
                self._write_users(f"{fresh}/{USERS}")

    def start(self) -> None:
        """Starts it, with an access list that has the agent and no stranger's rights.

        The data may come from another guest, whose agent had another secret.
        """
        here = self._places
        if self._host.exists(here.data) and not self._unit.running:
            self._write_users(here.users)
        super().start()

    def load_certificate(self, tls: Tls) -> None:
        """Shows this certificate to each new connection; those that are open stay.

        One port speaks TLS from the first byte, or never.
        """
        if tls.mode == BASIC:
            what = "connections without TLS"
            raise errors.NotSupported(datastore=DATASTORE.name, what=what)
        super().load_certificate(tls)

    def upgrade(self) -> None:
        """Nothing: it reads what every older version wrote."""

    def describe(self) -> Description:
        """By a server of its own, in a directory that is thrown away."""
        return rules.describe(self._host)

    def set_read_only(self, on: bool) -> None:
        """Refuses all writes, also after a restart, or allows them again."""
        self._layers.guard(config.guard_layer(on))
        replicas = config.NEVER if on else 0
        with self._open() as conversation:
            words = ("CONFIG", "SET", "min-replicas-to-write", replicas)
            conversation.ask(*words, within=TIMEOUT)

    def backups(self) -> Backups:
        """By a snapshot that the server writes, with its access list."""
        from trove.datastores.valkey.agent import backups  # when there is one to make

        return backups.Tool(self._host, self._places, self._open)

    def logs(self) -> dict[str, Source]:
        """What the engine itself complains of."""
        return {"error": Source(unit=UNIT), **super().logs()}

    def _open(self) -> contextlib.AbstractContextManager[Talk]:
        return talk(self._places.socket, self._secret(), TIMEOUT)

    def _secret(self) -> str:
        """What the agent comes in with; nothing, before there is a list."""
        return self._host.read_file(self._places.secret) or ""

    def _write_users(self, path: str) -> None:
        """The access list; what the agent comes in with is made here alone, once."""
        host, here = self._host, self._places
        if not self._secret():
            host.make_directory(here.settings)
            host.write_file(here.secret, secrets.token_hex(32), mode=0o600)
        text = rights.listed(self._secret(), host.read_file(path) or "")
        host.write_file(path, text, mode=0o600, owner=DATASTORE.user)

    def _answer(self) -> None:
        # systemd saw its READY=1, so the first try succeeds.
        with self._open() as conversation:
            conversation.ask("PING", within=TIMEOUT)
        # Of its connections none is in reserve: the agent has one from now on.
        self._pulse.take()

    def _take_certificate(self, mode: str) -> None:
        # It reads the files when it is told their names, or complains and keeps what
        # it has.
        layer = config.service_layer(self._places)
        names = ("tls-cert-file", "tls-key-file", "tls-ca-cert-file")
        words = [text for name in names for text in (name, layer[name])]
        clients = config.clients(mode)
        with self._open() as conversation:
            set_ = ("CONFIG", "SET", "tls-auth-clients", clients, *words)
            conversation.ask(*set_, within=TIMEOUT)

    def _write_mode(self, mode: str) -> None:
        self._layers.force(config.forced_layer(self._places, self._port, mode))

    def _hold(self, mode: str) -> None:
        """Nothing: the server asks for a certificate, whoever comes."""

    def _take_group(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        said = {**self._compiled, **lower, **group}
        wanted = {name: said[name] for name in DATASTORE.policy if name in said}
        with self._open() as conversation:
            return settings.take(conversation, wanted, group)

    @functools.cached_property
    def _compiled(self) -> Settings:
        """What the engine has where no layer says anything."""
        return dict(rules.defaults(self._host))

    def _settings(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings, Settings]:
        here = self._places
        return (
            config.engine_layer(),
            config.flavor_layer(sizing),
            config.service_layer(here),
            config.group_layer(sizing, shared.checked(self._host, DATASTORE, group)),
            config.forced_layer(here, self._port, self._mode),
        )

    def _settle(self) -> None:
        lines = config.service_lines(self._places)
        where = self._places
        self._unit.install("Valkey", where, DATASTORE.user, lines, config.UNIT_LINES)

    def _try_out(self, staged: str) -> str:
        return stopped_short(self._host, staged)
