# SPDX-License-Identifier: Apache-2.0
"""What a datastore declares: pure data, safe to import on any machine."""

import dataclasses
import json
import pathlib
import re
import typing

from trove import errors
from trove.datastores.policy import Limit


@dataclasses.dataclass(frozen=True, slots=True)
class Can:
    """What a datastore is able to do; others ask this and never its name."""

    databases: bool = True
    users: bool = True
    root: bool = True
    volume: bool = True
    configure: bool = True
    plain: bool = True
    """To take connections without TLS beside those with it, on its one port."""
    replicate: bool = False
    back_up: bool = False
    back_up_incrementally: bool = False
    """From some version on (``Datastore.chains``)."""
    chain_apart: bool = False
    """Its increments are made, and its chains restored, by agents of RPC 1.11 and on:
    one of before knows none of them, and takes the first link for all."""
    snapshot: bool = False
    """To recover from what a snapshot of its volume has, as from a power cut."""
    hash_rows: bool = False
    """To hash the rows of its tables, by which a restored backup is compared."""
    dump: bool = False
    """To have a database brought out in a form that its users' own tools read."""
    restore_to_time: bool = False
    restore_within_a_second: bool = False
    """To a moment within a second; else to whole ones."""
    restore_to_point: bool = False
    """To a point that somebody gave a name in its log."""
    run_as_cluster: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """A bound on a name in which some characters weigh more than one.

    An engine that writes a name down in another form (a directory, a pattern with
    escapes) runs out of room at another length for every name.
    """

    limit: int
    dear: str = ""
    """A regular expression for one dear character; empty: there is none."""
    each: int = 1

    def holds(self, name: str) -> bool:
        """Whether the name fits."""
        dear = len(re.findall(self.dear, name)) if self.dear else 0
        return len(name) + dear * (self.each - 1) <= self.limit


@dataclasses.dataclass(frozen=True, slots=True)
class Naming:
    """The legal names of users and databases.

    ``max_user``/``max_database`` are bytes in UTF-8; ``forbidden`` are characters that
    the *engine* cannot store; reserved names and prefixes are compared without case.
    """

    max_user: int
    max_database: int
    max_password: int = 256
    forbidden: str = "\x00"
    reserved_users: frozenset[str] = frozenset()
    reserved_databases: frozenset[str] = frozenset()
    reserved_user_prefixes: tuple[str, ...] = ()
    reserved_database_prefixes: tuple[str, ...] = ()
    unnamed: str = ""
    """Characters that no name can have, though a password may."""
    highest: str = "\U0010ffff"
    """The last character of Unicode that a name may have."""
    user_budgets: tuple[Budget, ...] = ()
    database_budgets: tuple[Budget, ...] = ()
    hosts: bool = True
    """Whether an account is a name *and* a host pattern."""
    stripped: str = ""
    """What the engine takes off a name that it both begins and ends with, at a login:
    such a user could be made, and could never enter."""

    def check_user(self, name: str) -> None:
        """Raises ``errors.Invalid`` with the reason."""
        self._check("User", name, self.max_user, self.user_budgets)
        if len(name) > 1 and name[0] == name[-1] and name[0] in self.stripped:
            raise errors.Invalid(
                why=f"User name must not begin and end with {name[0]}: it could not "
                "log in."
            )
        self._refuse("User", name, self.reserved_users, self.reserved_user_prefixes)

    def check_database(self, name: str) -> None:
        """Raises ``errors.Invalid`` with the reason."""
        self._check("Database", name, self.max_database, self.database_budgets)
        self._refuse(
            "Database",
            name,
            self.reserved_databases,
            self.reserved_database_prefixes,
        )

    def check_password(self, password: str) -> None:
        """Raises ``errors.Invalid``; the sentence never repeats the password."""
        try:
            size = len(password.encode())
        except UnicodeEncodeError:
            raise errors.Invalid(why="A password is not valid Unicode.") from None
        if not password:
            raise errors.Invalid(why="A password must not be empty.")
        if size > self.max_password:
            raise errors.Invalid(
                why=f"A password must have at most {self.max_password} bytes."
            )
        if any(c in password for c in self.forbidden):
            raise errors.Invalid(
                why="A password has a character that cannot be stored."
            )

    def _check(
        self, what: str, name: str, limit: int, budgets: tuple[Budget, ...]
    ) -> None:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            raise errors.Invalid(why=f"{what} name is not valid Unicode.") from None
        if not name or name != name.strip():
            raise errors.Invalid(
                why=f"{what} name must not be empty, or begin or end with a blank."
            )
        if size > limit:
            raise errors.Invalid(why=f"{what} name must have at most {limit} bytes.")
        if not all(budget.holds(name) for budget in budgets):
            raise errors.Invalid(
                why=f"{what} name is too long for the characters it has."
            )
        if re.search(r"[\x00-\x1f\x7f]", name) or any(
            c in self.forbidden + self.unnamed or c > self.highest for c in name
        ):
            raise errors.Invalid(
                why=f"{what} name has a character that cannot be stored."
            )

    def _refuse(
        self, what: str, name: str, reserved: frozenset[str], prefixes: tuple[str, ...]
    ) -> None:
        folded = name.casefold()
        if folded in reserved or (prefixes and folded.startswith(prefixes)):
            raise errors.Invalid(why=f"{what} name {name} is reserved.")


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """A log of an engine: one that a user may switch on and off, or the system's."""

    name: str
    system: bool = False


GUEST_LOG = Log("guest", system=True)
"""The agent's own, which every guest has."""


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """A version of an engine as a Debian has it: what its guest image is made of."""

    version: str
    """As users name it: the engine's own numbers that tell releases apart."""
    suite: str
    """The Debian (``bookworm``)."""
    packages: tuple[str, ...]
    apart: bool = False
    """In an image of its own: the packages conflict with another datastore's."""
    later: tuple[str, ...] = ()
    """Packages that this Debian has not, or not as new: of Debian's unstable suite,
    with what they need of it, over this one. Such an image is one of its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entrance:
    """Where a user comes in; ``authority`` is the file of the CA to verify it by."""

    address: str
    port: int
    user: str
    password: str = dataclasses.field(repr=False)
    database: str
    authority: str


@dataclasses.dataclass(frozen=True, slots=True)
class Datastore:
    """One kind of database: what the control plane must know of it.

    ``agent`` is the package that holds the guest half; it is imported in a guest only.
    ``data`` is where the volume is mounted.
    """

    name: str
    port: int
    user: str
    data: str
    can: Can
    naming: Naming
    agent: str
    parameters: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    """The rules of a version for which nobody loaded what its engine says itself."""
    policy: dict[str, Limit] = dataclasses.field(default_factory=dict)
    """What may be set at all, and how far: every rule is within it."""
    same: int = 0
    """So many leading numbers of a version must be the same for its engine to take the
    data over as they are; any newer one does if it is 0."""
    carries: bool = False
    """Whether its engine takes over the data of any older one, by a copy of all that
    the old one says (``Engine.unload`` and ``load``), where not as they are."""
    dumped: str = ""
    """What the names of its dumps end with (``.sql.zst``)."""
    increments_since: tuple[int, ...] = ()
    """The leading numbers of the first version that has increments; empty: all have."""
    stands_on: str = ""
    """The word of a backup's mark by which an increment of it begins: a backup without
    it is no parent. Empty: any is."""
    default_fstype: str = "xfs"
    character_sets: frozenset[str] = frozenset()
    """Empty: whatever the engine itself accepts."""
    logs: tuple[Log, ...] = (GUEST_LOG,)
    builds: tuple[Build, ...] = ()
    """The versions that guest images are made of, older ones first."""
    units: tuple[str, ...] = ()
    """The packages' own units: it is the agent that starts the engine."""
    emptied: tuple[str, ...] = ()
    """Directories of the packages' that no image has anything in (``var/lib/...``)."""
    firststeps: str = ""
    """The module with ``enter(Entrance)``, the server's word for itself and the cipher,
    and ``CLIENT``, the command line of a user's; with its libraries, on any machine."""
    requires: tuple[str, ...] = ()
    """The libraries of its agent, pinned (``PyMySQL==1.2.0``), with all that they need
    which no other agent has: they are in its images alone."""

    def chains(self, version: str) -> bool:
        """Whether that version of it has incremental backups."""
        new = numbers(version)[: len(self.increments_since)] >= self.increments_since
        return self.can.back_up_incrementally and new


def numbers(version: str) -> tuple[int, ...]:
    """``10.11.6-MariaDB`` -> (10, 11, 6): as far as it is numbers."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def parameters(package: str) -> dict[str, typing.Any]:
    """The declared rules beside a ``spec.py``, by name.

    Each is ``{"type", "min"?, "max"?, "restart_required"}`` (contract section 10.2).
    """
    module = __import__(package, fromlist=["__file__"])
    path = pathlib.Path(str(module.__file__)).with_name("parameters.json")
    with path.open(encoding="utf-8") as file:
        return {entry.pop("name"): entry for entry in json.load(file)}
