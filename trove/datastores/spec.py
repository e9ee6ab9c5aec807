# SPDX-License-Identifier: Apache-2.0
"""What a datastore declares: pure data, safe to import on any machine."""

import dataclasses
import json
import pathlib
import re
import typing

from trove import errors


@dataclasses.dataclass(frozen=True, slots=True)
class Can:
    """What a datastore is able to do; others ask this and never its name."""

    databases: bool = True
    users: bool = True
    root: bool = True
    volume: bool = True
    configure: bool = True
    replicate: bool = False
    back_up: bool = False
    back_up_incrementally: bool = False
    restore_to_time: bool = False
    run_as_cluster: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Naming:
    """The legal names of users and databases.

    ``max_user``/``max_database`` are bytes in UTF-8; ``forbidden`` are characters that
    the *engine* cannot store; reserved names are compared without case.
    """

    max_user: int
    max_database: int
    max_password: int = 256
    forbidden: str = "\x00"
    reserved_users: frozenset[str] = frozenset()
    reserved_databases: frozenset[str] = frozenset()
    hosts: bool = True
    """Whether an account is a name *and* a host pattern."""

    def check_user(self, name: str) -> None:
        """Raises ``errors.Invalid`` with the reason."""
        self._check("User", name, self.max_user, self.reserved_users)

    def check_database(self, name: str) -> None:
        """Raises ``errors.Invalid`` with the reason."""
        self._check("Database", name, self.max_database, self.reserved_databases)

    def check_password(self, password: str) -> None:
        """Raises ``errors.Invalid``; the sentence never repeats the password."""
        if not password:
            raise errors.Invalid(why="A password must not be empty.")
        if len(password.encode()) > self.max_password:
            raise errors.Invalid(
                why=f"A password must have at most {self.max_password} bytes."
            )
        if any(c in password for c in self.forbidden):
            raise errors.Invalid(why="A password has a character that cannot be stored.")

    def _check(self, what: str, name: str, limit: int, reserved: frozenset[str]) -> None:
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
        if re.search(r"[\x00-\x1f\x7f]", name) or any(c in name for c in self.forbidden):
            raise errors.Invalid(
                why=f"{what} name has a character that cannot be stored."
            )
        if name.casefold() in reserved:
            raise errors.Invalid(why=f"{what} name {name} is reserved.")


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
    default_fstype: str = "xfs"
    character_sets: frozenset[str] = frozenset()
    """Empty: whatever the engine itself accepts."""


def parameters(package: str) -> dict[str, typing.Any]:
    """The tunable parameters beside a ``spec.py``, by name.

    Each is ``{"type", "min"?, "max"?, "restart_required"}`` (contract section 10.2).
    """
    module = __import__(package, fromlist=["__file__"])
    path = pathlib.Path(str(module.__file__)).with_name("parameters.json")
    with path.open(encoding="utf-8") as file:
        return {entry.pop("name"): entry for entry in json.load(file)}
