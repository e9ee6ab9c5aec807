# SPDX-License-Identifier: Apache-2.0
"""The toy in a guest: made secure before it ever listens, run under systemd."""

import contextlib
import json
import typing

from toykv import server
from toykv.agent.accounts import Accounts
from toykv.spec import DATASTORE
from toykv.wire import FAILURES, Refusal, Talk, local
from trove import errors
from trove.datastores import rules
from trove.datastores.layers import Grammar, Layers, Settings
from trove.datastores.places import Places
from trove.datastores.protocol import (
    BASIC,
    MTLS,
    Description,
    Health,
    Host,
    Sizing,
    Source,
    Tls,
)
from trove.datastores.pulse import Left, Pulse
from trove.datastores.server import Server
from trove.datastores.unit import Unit
from trove.model.states import Service

UNIT = "trove-toykv.service"
PYTHON = ("/usr/bin/python3", "-I")
INCLUDE = 'include = "{path}"\n'
GRAMMAR = Grammar(".conf", INCLUDE, "true", "false", quote='"', doubled=False)
EMPTY = {"users": {}, "keys": {}, "position": 0, "beat": ""}
WITHIN = 6.0
"""Seconds for one command; an engine may be slow for some."""
ANSWER = 1.0
"""Seconds in which a healthy one answers a look."""
MIB = 1024 * 1024


class Probe:
    """How the toy is looked at; the agent's connections are counted as nobody's."""

    failures = FAILURES

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def connect(self) -> Talk:
        return local(self._socket, ANSWER)

    def crowded(self, failed: Exception) -> bool:
        return False

    def look(self, talk: Talk, left: Left) -> Health:
        said = talk.ask("INFO", within=min(ANSWER, left()))
        state = Service.READ_ONLY if said["read_only"] else Service.HEALTHY
        position, version = str(said["position"]), said["version"]
        return Health(state, role="source", position=position, version=version)

    def write(self, talk: Talk, found: Health, left: Left) -> None:
        if found.state == Service.HEALTHY:
            talk.ask("BEAT", found.position or "", within=left())


class Toy(Server):
    """One server; an ``Engine``."""

    starttls = None

    def __init__(self, host: Host, port: int) -> None:
        self._socket = host.path("/run/trove-toykv/toykv.sock")
        self._programs = host.path("/usr/lib/trove-toykv")
        here = Places(
            volume=host.path(DATASTORE.data),
            settings=host.path("/etc/trove-toykv"),
            runtime=host.path("/run/trove-toykv"),
            unit=host.path(f"/etc/systemd/system/{UNIT}"),
        )
        unit = Unit(host, UNIT, here.unit, "^ERROR ")
        layers = Layers(host, here.settings, "toykv.conf", GRAMMAR)
        pulse = Pulse(Probe(self._socket), unit)
        super().__init__(host, here, layers, unit, pulse, DATASTORE.user, port)
        self.accounts = Accounts(self._open)

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """A store that has nobody in it."""
        self._host.make_directory(self._where.volume)
        with self._made_whole() as fresh:
            if fresh is not None:
                path, text = f"{fresh}/store.json", json.dumps(EMPTY)
                self._host.write_file(path, text, mode=0o600, owner=self._user)

    def load_certificate(self, tls: Tls) -> None:
        """Its one port speaks TLS from the first byte."""
        if tls.mode == BASIC:
            what = "connections without TLS"
            raise errors.NotSupported(datastore=DATASTORE.name, what=what)
        super().load_certificate(tls)

    def upgrade(self) -> None:
        """Nothing: there is no older version."""

    def describe(self) -> Description:
        """The program's own word."""
        ran = self._host.run([*PYTHON, server.__file__, "--describe"])
        return Description(**json.loads(ran.stdout))

    def set_read_only(self, on: bool) -> None:
        """Refuses tenants' writes, also after a restart, or allows them again."""
        self._layers.guard({"read_only": True} if on else {})
        self._reload()

    def logs(self) -> dict[str, Source]:
        """What the engine itself says."""
        return {"error": Source(unit=UNIT), **super().logs()}

    # -- what the floor asks for

    def _settings(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings, Settings]:
        here = self._where
        flavor = {"memory": sizing.memory * MIB // 4}
        service = {"data": here.data, "pair": here.pair, "authority": here.authority}
        own = rules.checked(self._host, DATASTORE, group)
        return {}, flavor, service, own, self._forced(self._mode)

    def _forced(self, mode: str) -> Settings:
        return {"port": self._port, "socket": self._socket, "mtls": mode == MTLS}

    def _try_out(self, staged: str) -> str:
        words = [*PYTHON, server.__file__, "--check", staged]
        return self._host.run(words, check=False).stderr

    def _settle(self) -> None:
        # A package would bring the program: somewhere that the server's user can read.
        program = f"{self._programs}/server.py"
        self._host.make_directory(self._programs)
        with open(server.__file__, encoding="utf-8") as file:
            self._host.write_file(program, file.read())
        lines = (
            "RuntimeDirectory=trove-toykv\nKillSignal=SIGTERM\nLimitNOFILE=65535\n"
            f"ExecStart={' '.join(PYTHON)} {program} {self._layers.main}"
        )
        self._unit.install("Toy", self._where, self._user, lines)

    def _answer(self) -> None:
        with self._open() as talk:
            talk.ask("INFO", within=WITHIN)

    def _take_certificate(self, mode: str) -> None:
        self._reload()

    def _write_mode(self, mode: str) -> None:
        self._layers.force(self._forced(mode))

    def _hold(self, mode: str) -> None:
        """Nothing: the server asks for a certificate, whoever comes."""

    def _take_group(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        return self._reload()

    def _reload(self) -> tuple[str, ...]:
        """Has it read its files again; the names that wait for a restart."""
        with self._open() as talk:
            return tuple(talk.ask("RELOAD", within=WITHIN))

    @contextlib.contextmanager
    def _open(self) -> typing.Iterator[Talk]:
        """A connection for a few commands; a refusal becomes our error."""
        try:
            with contextlib.closing(local(self._socket, WITHIN)) as talk:
                yield talk
        except Refusal as refused:
            raise errors.Invalid(why=str(refused)) from refused
        except (OSError, ValueError) as failed:
            raise errors.EngineFailed(why=f"it does not answer: {failed}") from failed
