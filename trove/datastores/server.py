# SPDX-License-Identifier: Apache-2.0
"""An engine in a guest: what all of them do the same way, and what each must say.

The one floor that engines stand on. It has no idea which one it is: what differs are
the abstract methods.
"""

import abc
import contextlib
import typing

from trove import errors
from trove.datastores.dumping import Dumps
from trove.datastores.layers import Layers, Settings
from trove.datastores.places import Places
from trove.datastores.protocol import (
    ENFORCED,
    MODES,
    MTLS,
    Description,
    Health,
    Host,
    Sizing,
    Source,
    Tls,
)
from trove.datastores.pulse import Pulse
from trove.datastores.saving import Backups
from trove.datastores.unit import Unit, scrub

if typing.TYPE_CHECKING:
    from trove.datastores.archives import Archive

GROUP = 3
"""Which of the layers is the group's."""
AGENT = "trove-guestagent.service"
"""The unit of the agent itself, whose log every guest has."""
MAKE_TIMEOUT = 300.0
"""Seconds for a new data directory."""
SHOW_TIMEOUT = 10.0
"""Seconds for a connection that looks at the server's certificate."""
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Server(abc.ABC):
    """One database server under systemd. ``user`` is whom it runs as."""

    def __init__(
        self,
        host: Host,
        places: Places,
        layers: Layers,
        unit: Unit,
        pulse: Pulse[typing.Any],
        user: str,
        port: int,
    ) -> None:
        self._host = host
        self._where = places
        self._layers = layers
        self._unit = unit
        self._pulse = pulse
        self._user = user
        self._port = port

    # -- what differs

    starttls: typing.ClassVar[str | None]
    """What openssl's own client calls the way its connections turn to TLS; None: they
    speak it from the first byte."""

    @abc.abstractmethod
    def _settings(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[Settings, Settings, Settings, Settings, Settings]:
        """The layers that are written, in their order."""

    @abc.abstractmethod
    def _try_out(self, staged: str) -> str:
        """What the engine says against a configuration; empty: nothing."""

    @abc.abstractmethod
    def _settle(self) -> None:
        """Writes what else there is beside the layers, and the unit."""

    @abc.abstractmethod
    def _answer(self) -> None:
        """Raises unless it answers on its socket."""

    @abc.abstractmethod
    def upgrade(self) -> None:
        """What data of an older version need, once this one serves them."""

    @abc.abstractmethod
    def describe(self) -> Description:
        """What this engine, as it is installed, says of its parameters."""

    @abc.abstractmethod
    def _take_certificate(self, mode: str) -> None:
        """Has the running engine read its certificate again, and serve in the mode."""

    @abc.abstractmethod
    def _write_mode(self, mode: str) -> None:
        """What the mode says, in the files that the engine reads."""

    @abc.abstractmethod
    def _hold(self, mode: str) -> None:
        """Each account asks for what the mode says."""

    @abc.abstractmethod
    def _take_group(self, group: Settings, lower: Settings) -> tuple[str, ...]:
        """Has the running engine take the group's values, which are in their layer.

        ``lower`` is what counts for a parameter that the group does not name. Answers
        the names that wait for a restart; raises when what is read back is another.
        """

    # -- what does not

    def configure(
        self, sizing: Sizing, tls: Tls, group: Settings, server_id: int
    ) -> None:
        """Writes all layers, once the engine took them on trial."""
        self._host.make_directory(self._where.settings)
        self._keep_certificate(tls)
        self._note_mode(tls.mode)
        settings = self._settings(sizing, group, server_id)
        texts = self._tried(settings)
        self._layers.note(settings[GROUP])
        self._layers.write(texts)
        self._settle()

    def regroup(
        self, sizing: Sizing, group: Settings, server_id: int
    ) -> tuple[str, ...]:
        """The group's values, on trial, in their layer, and in a running engine."""
        settings = self._settings(sizing, group, server_id)
        texts = self._tried(settings)
        self._layers.note(settings[GROUP])
        self._layers.write(texts)
        if not self._unit.running:
            return ()
        logs = self._layers.logs()  # which win over a group's
        lower = {k: v for layer in settings[:GROUP] for k, v in layer.items()} | logs
        try:
            waiting = self._take_group(_without(settings[GROUP], logs), lower)
        except errors.TroveError:
            before = self._layers.retreat()
            if before is not None:
                self._take_group(_without(before, logs), lower)
            raise
        if not waiting:
            self.keep_group()
        return waiting

    def defaults(self, sizing: Sizing) -> Settings:
        """All layers but the group's, a later one over an earlier."""
        layers = self._settings(sizing, {}, 0)
        merged = {k: v for layer in layers for k, v in layer.items()}
        merged.pop("server_id", None)  # each has its own
        return merged

    def keep_group(self) -> None:
        """The engine is well with the values it has."""
        self._layers.keep()

    def retreat(self) -> bool:
        """The values it was last well with are in their layer again."""
        return self._layers.retreat() is not None

    def _tried(self, settings: tuple[Settings, ...]) -> list[str]:
        texts = self._layers.stage(settings)
        if complaint := self._try_out(self._layers.staged):
            raise errors.Invalid(
                why=f"The engine refuses the configuration: {scrub(complaint)}"
            )
        return texts

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

    def load_certificate(self, tls: Tls) -> None:
        """Shows this certificate to each new connection; those that are open stay."""
        before = self._mode
        self._keep_certificate(tls)
        self._write_mode(tls.mode)
        if self._unit.running:
            self._take_certificate(tls.mode)
            if MTLS in (before, tls.mode):
                self._hold(tls.mode)
        self._note_mode(tls.mode)  # last: until then, all of it is done again

    def hold_mode(self) -> None:
        """What the mode asks of accounts, of those too that came by another way."""
        self._hold(self._mode)

    def shown(self) -> str:
        """The certificate that a new connection is shown, PEM."""
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{self._port}"]
        if self.starttls is not None:
            words += ["-starttls", self.starttls]
        said = self._host.run(words, input=b"", timeout=SHOW_TIMEOUT, check=False)
        _, begin, rest = said.stdout.partition(BEGIN)
        body, end, _ = rest.partition(END)
        if not end:
            raise errors.EngineFailed(why="it shows no certificate")
        return f"{begin}{body}{end}\n"

    @property
    def _mode(self) -> str:
        """How connections over the network are made."""
        said = (self._host.read_file(self._where.mode) or "").strip()
        return said if said in MODES else ENFORCED

    def logs(self) -> dict[str, Source]:
        """Where the lines of each log are."""
        return {"guest": Source(unit=AGENT)}

    def set_log(self, name: str, on: bool) -> None:
        """Has a log be written from now on, also after a restart, or no more."""
        raise errors.NotSupported(datastore="This engine", what=f"the log {name}")

    def reopen_log(self, name: str) -> None:
        """Its file was moved away: the engine begins another."""
        raise errors.NotSupported(datastore="This engine", what=f"a file for {name}")

    def unload(self, directory: str) -> None:
        """All that is in it, for a version that does not take the data as they are."""
        raise errors.NotSupported(datastore="This engine", what="a copy of its data")

    def backups(self) -> Backups:
        """How its data are saved."""
        raise errors.NotSupported(datastore="This engine", what="a backup")

    def archive(self) -> "Archive":
        """How its transaction log is kept and played."""
        raise errors.NotSupported(datastore="This engine", what="a log to be kept")

    def dumps(self) -> Dumps:
        """How its databases are said."""
        raise errors.NotSupported(datastore="This engine", what="a dump")

    def load(self, directory: str) -> None:
        """Has a new data directory have all that an older version unloaded."""
        raise errors.NotSupported(datastore="This engine", what="a copy of its data")

    @contextlib.contextmanager
    def _made_whole(self) -> typing.Iterator[str | None]:
        """Where to make the data directory; None when it is there.

        It is made under another name and gets its own in one move: under its own name
        it is whole and secure, always. So that the engine's programs need not wait for
        the disk at each file, the file system is synced once, before the move.
        """
        host, here = self._host, self._where
        if host.exists(here.data):
            yield None
            return
        host.remove(here.data_unfinished)
        host.make_directory(here.data_unfinished, mode=0o700, owner=self._user)
        yield here.data_unfinished
        host.run(["sync", "--file-system", here.data_unfinished], timeout=MAKE_TIMEOUT)
        host.rename(here.data_unfinished, here.data)

    def _make(self, argv: list[str], bad: str, script: bytes | None = None) -> None:
        """Runs a program that makes data; ``bad`` in its words is a failure, too."""
        made = self._host.run(
            argv, input=script, user=self._user, timeout=MAKE_TIMEOUT, check=False
        )
        if made.returncode or bad in made.stdout + made.stderr:
            raise errors.EngineFailed(why=scrub(made.stderr or made.stdout))

    def _keep_certificate(self, tls: Tls) -> None:
        """The engine's own copies, the pair in one move."""
        here = self._where
        self._host.make_directory(here.tls, mode=0o700, owner=self._user)
        for source, target in ((tls.ca, here.authority), (tls.pair, here.pair)):
            text = self._host.read_file(source)
            if text is None:
                name = target.rpartition("/")[2]
                raise errors.EngineFailed(why=f"there is no {name} to serve with")
            self._host.write_file(target, text, mode=0o600, owner=self._user)

    def _note_mode(self, mode: str) -> None:
        self._host.write_file(self._where.mode, f"{mode}\n")


def _without(group: Settings, logs: Settings) -> Settings:
    return {name: value for name, value in group.items() if name not in logs}
