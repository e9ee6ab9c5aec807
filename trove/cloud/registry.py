# SPDX-License-Identifier: Apache-2.0
"""Finds a cloud by its name: a folder here, or an entry point ``trove.cloud``."""

import importlib
import importlib.metadata
import pkgutil
import typing

import trove.cloud
from trove import errors
from trove.cloud import protocol

GROUP = "trove.cloud"


def names() -> tuple[str, ...]:
    """Every cloud that can be connected to on this machine."""
    elsewhere = importlib.metadata.entry_points(group=GROUP)
    return tuple(sorted({*_folders(), *(entry.name for entry in elsewhere)}))


def connect(name: str, **settings: typing.Any) -> protocol.Cloud:
    """The cloud ``name``, made by its ``connect``; its libraries are imported now."""
    if name in _folders():
        maker = importlib.import_module(f"{trove.cloud.__name__}.{name}").connect
    else:
        entries = importlib.metadata.entry_points(group=GROUP, name=name)
        if not entries:
            raise errors.Invalid(
                why=f"no cloud '{name}'; there are {', '.join(names())}"
            )
        maker = next(iter(entries)).load()
    cloud: protocol.Cloud = maker(**settings)
    return cloud


def _folders() -> list[str]:
    return [m.name for m in pkgutil.iter_modules(trove.cloud.__path__) if m.ispkg]
