# SPDX-License-Identifier: Apache-2.0
"""Finds the datastores: a folder here with a ``spec.py``, or an entry point elsewhere.

An entry point of the group ``trove.datastores`` names a ``Datastore`` object; a folder
needs none. Nobody else knows which datastores there are.
"""

import functools
import importlib
import importlib.metadata
import pathlib
import typing

from trove import errors
from trove.datastores.protocol import Engine, Host
from trove.datastores.spec import Datastore

GROUP = "trove.datastores"


@functools.cache
def _all() -> dict[str, Datastore]:
    found = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        datastore = typing.cast(Datastore, entry.load())
        found[datastore.name] = datastore
    for path in sorted(pathlib.Path(__file__).parent.glob("*/spec.py")):
        package = f"{__package__}.{path.parent.name}"
        datastore = importlib.import_module(f"{package}.spec").DATASTORE
        found[datastore.name] = datastore
    return found


def names() -> list[str]:
    """The names of all datastores there are, sorted."""
    return sorted(_all())


def get(name: str) -> Datastore:
    """The datastore of that name; raises ``errors.DatastoreNotFound``."""
    try:
        return _all()[name]
    except KeyError:
        raise errors.DatastoreNotFound(id=name) from None


def engine(name: str, host: Host) -> Engine:
    """The guest half of a datastore; only a guest may ask, for it loads the driver."""
    agent = importlib.import_module(get(name).agent)
    return typing.cast(Engine, agent.engine(host))
