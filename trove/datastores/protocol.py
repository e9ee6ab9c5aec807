# SPDX-License-Identifier: Apache-2.0
"""The guest half of a datastore: the protocol an ``agent`` package implements.

An agent package (``trove.datastores.<name>.agent``) has one function,
``engine(host) -> Engine``; ``host`` is ``guestagent.host.Host`` and the only way to run
a program or write a file. Every method is an *ensure*: it looks, acts only where
needed, and looks again, so that it may be called twice. What goes wrong is
``errors.Invalid`` (the order cannot be met) or ``errors.EngineFailed`` (in the
engine's own words).
"""

import contextlib
import dataclasses
import typing

from trove.datastores.dumping import Dumps
from trove.datastores.saving import Backups

if typing.TYPE_CHECKING:
    from trove.datastores.archives import Archive


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """A program that ended: its code (negative: the signal) and what it said."""

    returncode: int
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """A program of a pipe; ``user``: as whom it runs. ``hide``: secrets that it may
    repeat in a complaint. ``pace``: bytes in a second that it may say, at the most."""

    argv: tuple[str, ...]
    user: str | None = None
    hide: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    pace: int | None = None


class Host(typing.Protocol):
    """The machine under an engine; ``guestagent.host`` implements it for a guest.

    Every path is absolute. ``owner`` is the name of an operating system user; its
    primary group comes with it. What fails raises ``errors.CommandFailed`` (a program)
    or ``OSError`` (a file).
    """

    def path(self, path: str) -> str:
        """Where a path of the guest really is: itself in a guest, elsewhere in tests.

        An engine asks once for each place it names; all other methods take the answer.
        """

    def run(
        self,
        argv: typing.Sequence[str],
        *,
        input: bytes | None = None,
        timeout: float = 60.0,
        user: str | None = None,
        check: bool = True,
    ) -> Ran:
        """Runs a program to its end: no shell, a clean environment, bounded in time.

        ``user``: as that user with its groups only. With ``check`` a code but 0 raises;
        more than ``timeout`` seconds always does, after the whole group was killed.
        Output is decoded as UTF-8 with replacement. ``input`` is never logged.
        """

    def reading(
        self, *stages: Stage, within: float = 60.0
    ) -> contextlib.AbstractContextManager[typing.BinaryIO]:
        """What the last of these says, each of which reads what the one before says.

        It is all of it when the block has read to its end and is left without an error:
        every one of them ended well then, within so many seconds of the end.
        """

    def writing(
        self, *stages: Stage, within: float = 60.0
    ) -> contextlib.AbstractContextManager[typing.BinaryIO]:
        """What the first of these is told; they have taken all of it, and ended well,
        when the block is left without an error."""

    def write_file(
        self, path: str, text: str, *, mode: int = 0o644, owner: str = "root"
    ) -> bool:
        """Has the file say exactly this; True when it did not before.

        Atomic and durable: a new file beside it, fsync, rename; no link is followed.
        """

    def read_file(self, path: str) -> str | None:
        """The text of a file; None when there is none."""

    def make_directory(
        self, path: str, *, mode: int = 0o755, owner: str = "root"
    ) -> None:
        """Has the directory be there, so owned (missing parents: root, 0755)."""

    def exists(self, path: str) -> bool: ...

    def is_mount(self, path: str) -> bool:
        """Whether a file system of its own is mounted there."""

    def rename(self, old: str, new: str) -> None:
        """Moves a file or directory; raises when ``new`` is there already."""

    def remove(self, path: str) -> None:
        """Removes a file or a tree; nothing there is fine. No link is followed."""

    def service(self, action: str, unit: str, *, timeout: float = 60.0) -> None:
        """``systemctl ACTION UNIT``: start, stop, restart, reload, enable, disable.

        ``daemon-reload`` comes first by itself when a unit file was written. A unit
        that does not exist may be stopped or disabled.
        """

    def service_state(self, unit: str, within: float = 1.0) -> str:
        """``systemctl is-active``: active, activating, inactive, failed... unknown when
        systemd does not say it ``within`` so many seconds."""

    def service_result(self, unit: str, within: float = 1.0) -> str:
        """How its processes ended: success, signal, oom-kill, exit-code... Empty when
        systemd does not say it in time."""

    def service_log(self, unit: str, lines: int = 50, *, latest: bool = False) -> str:
        """The newest lines the unit's processes wrote, oldest first; ``latest``: since
        its last start only."""


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


BASIC, ENFORCED, MTLS = "basic", "enforced", "mtls"
"""How connections over the network are made: with TLS or without; with it alone; with
it and with a certificate of the client's, besides the password."""
MODES = (BASIC, ENFORCED, MTLS)


@dataclasses.dataclass(frozen=True, slots=True)
class Tls:
    """Paths readable by the engine's user: the server's pair, and the CA.

    ``pair`` is one PEM file with the private key, the certificate and those that lead
    to its authority, so that they are replaced in one move. ``ca`` is what clients'
    certificates must come from.
    """

    pair: str
    ca: str
    mode: str = ENFORCED


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
    filled: bool = False
    """It refuses writes by itself, for all that it may hold is full: not because it was
    told to (``Engine.set_read_only``), so there is nothing to take back."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where the lines of a log are: in a file, or in the journal of a unit."""

    path: str | None = None
    unit: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """An engine's own word on its parameters: its exact version, and a rule for each.

    A rule is ``{"type", "restart_required", "min"?, "max"?, "values"?, "members"?,
    "unit"?}``: ``values`` are the words of which a text is one, ``members`` those of
    which it is a list, ``unit`` what a number counts.
    """

    version: str
    rules: dict[str, dict[str, typing.Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What of an account becomes another; None: it stays."""

    name: str | None = None
    host: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)


class Accounts(typing.Protocol):
    """The databases and users of tenants: what an engine lets be done with them.

    Reserved names are nobody's: never listed, never found, never changed. Lists are in
    the order of code points, those of users by ``name@host``. An engine whose accounts
    have no host says ``%``. ``errors.NotFound``: there is no such database or user.
    """

    def databases(self, limit: int, after: str | None = None) -> list[str]:
        """The first ``limit`` names that come after ``after``."""

    def has_database(self, name: str) -> bool: ...

    def users(self, limit: int, after: str | None = None) -> list[Account]:
        """The first ``limit``, with the databases each was granted; no passwords."""

    def user(self, name: str, host: str = "%") -> Account | None:
        """One of them."""

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        """Has them be there; one that is there stays as it is."""

    def create_accounts(self, accounts: typing.Sequence[Account]) -> None:
        """Has them be there with the password and the grants of the order."""

    def delete_database(self, name: str) -> None:
        """With all that is in it. Nobody keeps a grant that a new one would have."""

    def change_account(self, name: str, host: str, change: Change) -> None:
        """Another name, host or password; the grants stay."""

    def delete_account(self, name: str, host: str = "%") -> None:
        """Its sessions end, and it cannot log in. Nothing that it made is lost."""

    def grant(self, name: str, host: str, databases: typing.Sequence[str]) -> None:
        """All of a tenant's rights in these databases, beside those it has."""

    def revoke(self, name: str, host: str, database: str) -> None:
        """None of them any more; ``errors.NotFound`` if it had none."""

    def enable_root(self, password: str) -> None:
        """A user ``root`` who may do what tenants may; again: with this password."""

    def disable_root(self) -> None:
        """Its sessions end, and it cannot log in; nobody of that name is fine, too."""


class Engine(typing.Protocol):
    """One database engine in a guest."""

    @property
    def accounts(self) -> Accounts:
        """The databases and users of tenants in it."""

    def initialise(self, sizing: Sizing, tls: Tls) -> None:
        """Makes the data directory on the mounted volume and the secure accounts.

        Idempotent: an initialised directory is left as it is. Nothing listens on the
        network before the engine is secure.
        """

    def configure(
        self, sizing: Sizing, tls: Tls, group: dict[str, typing.Any], server_id: int
    ) -> None:
        """Writes the configuration layers (databases.md, Config layers), atomically."""

    def regroup(
        self, sizing: Sizing, group: dict[str, typing.Any], server_id: int
    ) -> tuple[str, ...]:
        """Has these values of a configuration group in force, and no others of any.

        What a running engine can change is changed and read back; answers the names
        that wait for a restart. Nothing is changed when it raises ``errors.Invalid``,
        or what was before is in force again.
        """

    def defaults(self, sizing: Sizing) -> dict[str, typing.Any]:
        """What it is configured with where no group says otherwise, by name."""

    def describe(self) -> Description:
        """What this engine, as it is installed, says of its parameters; bounded.

        Of its own programs, in a directory that is thrown away and without network: no
        running server is asked or touched, and none need be there.
        """

    def keep_group(self) -> None:
        """The engine is well with the values it has: they are what is returned to."""

    def retreat(self) -> bool:
        """Writes the values back that it was last well with; False: it has those."""

    def start(self) -> None:
        """Starts the engine under systemd and waits until it answers; bounded."""

    def upgrade(self) -> None:
        """What data of an older version need, once this one serves them; bounded."""

    def unload(self, directory: str) -> None:
        """All that is in it, in this directory, for a version that does not take the
        data over as they are; it is stopped before and after, and nobody reaches it
        meanwhile. ``errors.Invalid``: it cannot be done, and nothing was changed."""

    def load(self, directory: str) -> None:
        """Has a new data directory have all of it, and proves that it has: raises
        ``errors.EngineFailed`` when anything is not as it was. It is stopped after."""

    def backups(self) -> Backups:
        """How its data are saved; ``errors.NotSupported`` if they cannot be."""

    def archive(self) -> "Archive":
        """How its log is kept and played; ``errors.NotSupported`` if it cannot be."""

    def dumps(self) -> Dumps:
        """How its databases are said; ``errors.NotSupported`` if they cannot be."""

    def stop(self) -> None:
        """Stops it in good order; bounded."""

    def restart(self) -> None: ...

    def health(self) -> Health:
        """Bounded in time (3 s at the most); never raises for a sick engine."""

    def logs(self) -> dict[str, Source]:
        """Where the lines of each log are, by the names of the datastore's spec."""

    def set_log(self, name: str, on: bool) -> None:
        """Has a log of type USER be written from now on, also after a restart."""

    def reopen_log(self, name: str) -> None:
        """A log's file was moved away: the engine begins another."""

    def set_read_only(self, on: bool) -> None:
        """The full-disk guard: refuse writes, or allow them again."""

    def load_certificate(self, tls: Tls) -> None:
        """Shows this certificate to each new connection; those that are open stay.

        New connections are made as its mode says. An engine that does not run shows it
        when it starts.
        """

    def shown(self) -> str:
        """The certificate that a new connection is shown, PEM; bounded."""

    def hold_mode(self) -> None:
        """What the mode asks of accounts, of those too that came by another way."""
