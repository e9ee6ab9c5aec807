# SPDX-License-Identifier: Apache-2.0
"""The stores there are for backups: those here by name, others by an entry point.

An entry point of the group ``trove.vaults`` names what makes a ``Vault``; its name is
that of the driver. One of ours cannot be replaced so.
"""

import importlib
import importlib.metadata
import typing

from trove import errors
from trove.storage.vault.protocol import Vault

if typing.TYPE_CHECKING:
    from trove.storage.vault import directory, s3, swift

    _KEPT: tuple[type[Vault], ...] = (directory.Directory, s3.S3, swift.Swift)

GROUP = "trove.vaults"
STORES = {
    "directory": "trove.storage.vault.directory:Directory",
    "s3": "trove.storage.vault.s3:S3",
    "swift": "trove.storage.vault.swift:Swift",
}

Opens = typing.Callable[..., Vault]
"""Makes one; what it must know differs from store to store."""


def names() -> list[str]:
    """The names of all drivers there are, sorted."""
    found = importlib.metadata.entry_points(group=GROUP)
    return sorted({*STORES, *(entry.name for entry in found)})


def opens(name: str) -> Opens:
    """What opens a store of that driver; raises ``errors.Unsupported`` for none."""
    if place := STORES.get(name):
        module, maker = place.split(":")
        return typing.cast(Opens, getattr(importlib.import_module(module), maker))
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        return typing.cast(Opens, entry.load())
    raise errors.Unsupported(what=f"A store of backups that is called {name!a}")
