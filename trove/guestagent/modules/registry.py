# SPDX-License-Identifier: Apache-2.0
"""Finds the driver of a type of module, among the entry points of the guest."""

import importlib.metadata
import typing

from trove.guestagent.modules.protocol import Driver, ModuleRefused

GROUP = "trove.guestagent.modules"


def load(type: str) -> Driver:
    """The driver; raises ``ModuleRefused`` where this guest's image has none."""
    found = importlib.metadata.entry_points(group=GROUP, name=type)
    for entry in found:
        return typing.cast(Driver, entry.load()())
    raise ModuleRefused(why=f"this guest has no driver for modules of type {type}")
