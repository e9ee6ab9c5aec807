# SPDX-License-Identifier: Apache-2.0
"""The guest half of a datastore: the protocol an ``agent`` package implements.

An agent package (``trove.datastores.<name>.agent``) has one function,
``engine(host) -> Engine``; ``host`` is ``guestagent.host.Host`` and the only way to run a
program or write a file. Every method is an *ensure*: it looks, acts only where needed,
and looks again, so that it may be called twice.
"""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True, slots=True)
class Database:
    """A database to be there. None: the engine's own default."""

    name: str
    character_set: str | None = None
    collate: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """A user to be there. ``password`` is hidden from every repr."""

    name: str
    host: str = "%"
    databases: tuple[str, ...] = ()
    password: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Sizing:
    """What the flavor gives: ``memory`` in MiB. Never taken from /proc/meminfo."""

    memory: int
    vcpus: int


@dataclasses.dataclass(frozen=True, slots=True)
class Tls:
    """Paths of the server's certificate, key and CA, readable by the engine's user."""

    certificate: str
    key: str
    ca: str


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """What the engine is found to be; ``state`` is a ``model.states.Service`` value.

    ``why`` is a short sentence when the state is not healthy.
    """

    state: str
    why: str = ""
    role: str | None = None
    position: str | None = None
    version: str | None = None


class Engine(typing.Protocol):
    """One database engine in a guest."""

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory on the mounted volume and the secure accounts.

        Idempotent: an initialised directory is left as it is. Nothing listens on the
        network before the engine is secure.
        """

    def configure(
        self, sizing: Sizing, tls: Tls, group: dict[str, typing.Any], server_id: int
    ) -> None:
        """Writes the configuration layers (databases.md, Config layers), atomically."""

    def start(self) -> None:
        """Starts the engine under systemd and waits until it answers; bounded."""

    def stop(self) -> None:
        """Stops it in good order; bounded."""

    def restart(self) -> None: ...

    def health(self) -> Health:
        """Bounded in time (3 s at the most); never raises for a sick engine."""

    def set_read_only(self, on: bool) -> None:
        """The full-disk guard: refuse writes, or allow them again."""

    def create_databases(self, databases: typing.Sequence[Database]) -> None: ...

    def create_accounts(self, accounts: typing.Sequence[Account]) -> None: ...
