# SPDX-License-Identifier: Apache-2.0
"""The object stores there are, by the type that Keystone's catalogue gives them."""

import importlib
import typing

from trove.storage.protocol import Opens

STORES = {"object-store": "trove.storage.swift:Swift"}


def opens(type: str) -> Opens | None:
    """What opens a store of that type; None for what is none."""
    place = STORES.get(type)
    if place is None:
        return None
    module, name = place.split(":")
    return typing.cast(Opens, getattr(importlib.import_module(module), name))
