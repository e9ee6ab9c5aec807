# SPDX-License-Identifier: Apache-2.0
"""The logs of an instance: shown, switched, and published to its project's own store.

The caller's token makes the container and signs for the guest, which gets a URL that is
good for writing below the log's own prefix, for minutes. No token goes to a guest.
"""

import contextlib
import dataclasses
import typing

from trove import errors
from trove.actions.accounts import Running
from trove.actions.services import Services
from trove.context import Context
from trove.datastores.spec import Log
from trove.rpc.messages import LogShown
from trove.storage.protocol import ObjectStore

CONTAINER = "database_logs"
SIGNED = 600
"""Seconds for which a guest may write."""

Store = typing.Callable[[], ObjectStore]


@dataclasses.dataclass(frozen=True, slots=True)
class Deeds:
    """What is to be done with a log; nothing: it is shown."""

    enable: bool = False
    disable: bool = False
    publish: bool = False
    discard: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A log, and where it is published."""

    log: Log
    found: LogShown
    base: str | None = None
    """What its objects' names begin with; None: nothing of it is published."""


def page(services: Services, running: Running, admin: bool) -> list[Shown]:
    """Those that the caller may see, in the datastore's order."""
    found = {each.name: each for each in running.guest.list_logs()}
    return [
        _shown(running, log, found[log.name])
        for log in _visible(services, running, admin)
        if log.name in found
    ]


def act(
    services: Services,
    context: Context,
    running: Running,
    name: str,
    wanted: Deeds,
    store: Store,
) -> Shown:
    """One log, after what was to be done with it."""
    log = _one(services, running, context.is_admin, name)
    if wanted.enable and wanted.disable:
        raise errors.Invalid("A log cannot be enabled and disabled at once.")
    if (wanted.enable or wanted.disable) and log.system:
        raise errors.Invalid(f"The log {name} is the system's: it is always on.")
    if wanted.enable or wanted.disable:
        running.change(
            "log",
            lambda again: running.guest.set_log(name, wanted.enable),
            log=name,
            on=wanted.enable,
        )
    if wanted.discard:
        with _opened(store) as there:
            running.change(
                "log",
                lambda again: _discard(running, name, there),
                log=name,
                discarded=True,
            )
    if wanted.publish:
        authorities = services.settings.store_authorities
        with _opened(store) as there:
            running.change(
                "log",
                lambda again: _publish(running, log, there, authorities),
                log=name,
                published=True,
            )
    found = {each.name: each for each in running.guest.list_logs()}
    if name not in found:
        raise errors.NotFound(what="Log", id=name)
    return _shown(running, log, found[name])


def _publish(running: Running, log: Log, there: ObjectStore, authorities: str) -> None:
    """To publish a log that its user has not switched on switches it on."""
    base = _base(running, log.name)
    key = there.ensure(CONTAINER)
    url, query = there.signed(CONTAINER, base, key, SIGNED)
    sealed = running.sealed(
        {
            "url": f"{url}/",
            "query": query,
            "metafile": f"{url}_metafile",
            "switch": not log.system,
            "authorities": authorities,
        }
    )
    running.guest.publish_log(log.name, sealed)


def _discard(running: Running, name: str, there: ObjectStore) -> None:
    """The guest forgets first: what it publishes meanwhile is not lost, but twice."""
    base = _base(running, name)
    running.guest.forget_log(name)
    there.delete(CONTAINER, (f"{base}/", f"{base}_metafile"))


def _visible(services: Services, running: Running, admin: bool) -> list[Log]:
    exposed = services.settings.exposed_logs
    return [log for log in running.datastore.logs if admin or log.name in exposed]


def _one(services: Services, running: Running, admin: bool, name: str) -> Log:
    for log in _visible(services, running, admin):
        if log.name == name:
            return log
    raise errors.NotFound(what="Log", id=name)


def _base(running: Running, name: str) -> str:
    """``INSTANCE/DATASTORE-LOG``, where clients look (contract, section 13)."""
    return f"{running.id}/{running.datastore.name}-{name}"


def _shown(running: Running, log: Log, found: LogShown) -> Shown:
    return Shown(log, found, _base(running, log.name) if found.published else None)


@contextlib.contextmanager
def _opened(store: Store) -> typing.Iterator[ObjectStore]:
    with contextlib.closing(store()) as there:
        yield there
