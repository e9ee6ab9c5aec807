# SPDX-License-Identifier: Apache-2.0
"""The keys of projects' backups in a key manager: a secret of each project's own.

The manager makes it when the project has its first backup, under a name that says whose
it is and the how manieth; the control database has its id. So a process that died
between the two is followed by one that finds the secret, and of two that begin at once
one's is taken and the other's deleted (ADR 36).
"""

import collections
import logging
import threading
import time
import typing
import uuid

from trove import errors
from trove.storage.frames import KEY
from trove.storage.keys import Derived, NotOpened

LOG = logging.getLogger(__name__)

KEPT = 300.0
"""Seconds that a secret is used that was fetched once: one that was deleted, or may be
read no more, opens something for no longer."""
MOST = 1000
"""How many of them are in memory, at the most; never on a disk."""


class Manager(typing.Protocol):
    """What a key manager does for us. One that does not answer is
    ``errors.Unavailable``; one that will not, ``errors.Forbidden``."""

    def check(self) -> None:
        """That there is one to ask; for who wants to hear of it before it is needed."""
        ...

    def named(self, name: str) -> list[str]:
        """The ids of the secrets of that name, the oldest first."""
        ...

    def make(self, name: str) -> str:
        """A new secret of 256 bits; its id. It may be made though this fails."""
        ...

    def secret(self, id: str) -> bytes:
        """Its bytes; ``errors.NotFound`` where there is none."""
        ...

    def delete(self, id: str) -> None:
        """One that is gone is none to complain of."""
        ...


class Entry(typing.NamedTuple):
    """A project's how manieth key, and its id in the manager."""

    number: int
    id: str


class Book(typing.Protocol):
    """What the control database has of it."""

    def newest(self, project: str) -> Entry | None:
        """Of a project; None: it has none yet."""
        ...

    def keep(self, project: str, number: int, id: str) -> str:
        """Writes an entry down unless there is one; the id that it has in the end."""
        ...


class ManagedKeys(Derived):
    """A deployment's; ``older`` opens what was wrapped before there was a manager."""

    def __init__(
        self,
        manager: Manager,
        book: Book,
        deployment: str,
        older: Derived | None = None,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager, self._book = manager, book
        self._deployment, self._older, self._clock = deployment, older, clock
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[str, tuple[float, bytes]] = (
            collections.OrderedDict()
        )

    def __repr__(self) -> str:
        return f"ManagedKeys({self._deployment})"

    def secret(self, project: str, ring: str) -> tuple[str, bytes]:
        """The manager's, or the keyring's, as its id says."""
        if ring and not is_managed(ring):
            if self._older is None:
                raise NotOpened(why=f"there is no keyring, which would have {ring}")
            return self._older.secret(project, ring)
        id = ring or self._newest(project)
        return id, self._at_hand(id) or self._fetched(id)

    def check(self) -> None:
        """That there is a manager to ask."""
        self._manager.check()

    def rotate(self, project: str) -> str:
        """A new secret for what comes; its id. The others still open what is theirs."""
        newest = self._book.newest(project)
        return self._made(project, newest.number + 1 if newest else 1)

    def _newest(self, project: str) -> str:
        newest = self._book.newest(project)
        return newest.id if newest else self._made(project, 1)

    def _made(self, project: str, number: int) -> str:
        """Found, else made; in the end it is what the book has."""
        name = f"trove {self._deployment} backups of {project}, key {number}"
        there, ours = self._manager.named(name), ""
        if not there:
            ours = self._manager.make(name)
        id = self._book.keep(project, number, ours or there[0])
        if ours not in ("", id):
            # ours alone: what another made it may be about to write down
            self._without(ours)
        return id

    def _without(self, id: str) -> None:
        """It wraps nothing: nothing is lost if it stays, and nobody waits for that."""
        try:
            self._manager.delete(id)
        except errors.TroveError as error:
            LOG.warning("the key %s, which is nobody's, stays: %s", id, error)

    def _at_hand(self, id: str) -> bytes | None:
        with self._lock:
            until, secret = self._kept.get(id, (0.0, b""))
            return secret if self._clock() < until else None

    def _fetched(self, id: str) -> bytes:
        try:
            secret = self._manager.secret(id)
        except errors.NotFound:
            raise NotOpened(why=f"the key manager has no key {id}") from None
        except errors.Forbidden:
            why = f"the key manager does not let this service read the key {id}"
            raise NotOpened(why=why) from None
        if len(secret) != KEY:
            raise NotOpened(why=f"{id} of the key manager is no key of ours")
        with self._lock:
            self._kept.pop(id, None)
            self._kept[id] = (self._clock() + KEPT, secret)
            # the oldest first, for all are kept for the same time
            while len(self._kept) > MOST or self._first_is_over():
                self._kept.popitem(last=False)
        return secret

    def _first_is_over(self) -> bool:
        until, _ = next(iter(self._kept.values()))
        return self._clock() >= until


def is_managed(ring: str) -> bool:
    """Whether an id is one of a key manager's: no key of a keyring is called so."""
    try:
        return str(uuid.UUID(ring)) == ring
    except ValueError:
        return False
