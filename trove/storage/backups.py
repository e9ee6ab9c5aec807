# SPDX-License-Identifier: Apache-2.0
"""Where the backups of a deployment are, and what the objects of each are called.

All of a backup begins with its project's and its own id, in whatever store it is; what
an attempt of its guest brought, with the attempt's number (ADR 30).
"""

import dataclasses
import typing

from trove import errors
from trove.storage.keys import ProjectKeys
from trove.storage.vault import registry
from trove.storage.vault.protocol import LIST, ROWS, Before, Vault, nothing

Arguments = typing.Callable[[str], dict[str, typing.Any]]
"""What the store's driver is opened with, for a place of that name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What the objects of a backup are called."""

    project: str
    backup: str

    @property
    def prefix(self) -> str:
        """How all of them begin."""
        return f"{self.project}/{self.backup}/"

    @property
    def manifest(self) -> str:
        """Written last: without it there is no backup."""
        return f"{self.prefix}manifest"

    def attempt(self, attempt: int) -> str:
        """How those begin that an attempt brings."""
        return f"{self.prefix}{attempt}/"

    def of(self, attempt: int, number: int) -> str:
        """A part, or the list of all, or the hashes of rows."""
        last = {LIST: "list", ROWS: "rows"}.get(number, f"part-{number:07}")
        return f"{self.attempt(attempt)}{last}"

    def number(self, attempt: int, name: str) -> int | None:
        """The reverse of ``of``, for parts; None for what is none."""
        begin = f"{self.attempt(attempt)}part-"
        digits = name.removeprefix(begin)
        return int(digits) if name.startswith(begin) and digits.isdigit() else None


class Storage(typing.Protocol):
    """What the control plane does backups with."""

    driver: str
    keys: ProjectKeys

    def vault(self, driver: str, container: str, backup: str, before: Before) -> Vault:
        """The place of a backup; to be closed."""
        ...


class BackupStorage:
    """The store that an operator set up; ``arguments`` opens it."""

    def __init__(self, driver: str, keys: ProjectKeys, arguments: Arguments) -> None:
        self.driver, self.keys = driver, keys
        self._arguments = arguments

    def vault(
        self, driver: str, container: str, backup: str, before: Before = nothing
    ) -> Vault:
        """One whose driver is set up no more is ``errors.Unsupported``."""
        if driver != self.driver:
            raise errors.Unsupported(what=f"A store of backups that is called {driver}")
        about = self._arguments(f"{container}-{backup}")
        return registry.opens(driver)(**about, before=before)
