# SPDX-License-Identifier: Apache-2.0
"""What a user is told of, and changes of, databases and users, while he waits.

No job of the ledger: the answer is known at once, or there is none. Instead of a job's
id a change carries a ticket that was given a moment before, in this process and for
one change, so that a message which was kept, or comes late, changes nothing.
"""

import collections
import contextlib
import secrets
import threading
import time
import typing

from trove import errors
from trove.datastores.protocol import (
    Account,
    Accounts,
    Change,
    Database,
    Engine,
    Sizing,
)
from trove.rpc import codec, sealing
from trove.rpc.messages import DatabaseOrder, Sealed, UserShown

GOOD = 20.0
"""Seconds for which a ticket is good. A time of this process, stopped or not."""

GIVEN = 64
"""The most tickets that are good at once, and the most changes that are remembered."""

PATIENCE = 20.0
"""Seconds to wait for the change before this one."""

ROOM = codec.FROM_GUEST - 4096
"""What a page may weigh, so that the answer is not refused for its size."""

Secrets = dict[str, typing.Any]


class Tickets:
    """Which changes may come, and which were made."""

    def __init__(self, clock: typing.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._good: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._made: collections.OrderedDict[str, None] = collections.OrderedDict()

    def give(self) -> str:
        """A new one; the oldest of too many is good no more."""
        ticket = secrets.token_urlsafe(16)
        with self._lock:
            self._good[ticket] = self._clock() + GOOD
            while len(self._good) > GIVEN:
                self._good.popitem(last=False)
        return ticket

    def take(self, ticket: str) -> None:
        """It is used up; ``errors.Forbidden`` if it is not good."""
        with self._lock:
            until = self._good.pop(ticket, None)
            if until is None or until < self._clock():
                raise errors.Forbidden(what="change this without a good ticket")

    def note(self, ticket: str) -> None:
        """Its change was made."""
        with self._lock:
            self._made[ticket] = None
            while len(self._made) > GIVEN:
                self._made.popitem(last=False)

    def made(self, ticket: str) -> bool:
        """Whether its change was made."""
        with self._lock:
            return ticket in self._made


class Desk:
    """Answers for one guest. ``unseal`` opens what was sealed for it."""

    def __init__(
        self,
        engine: typing.Callable[[], Engine],
        unseal: typing.Callable[[str], Secrets],
        ready: typing.Callable[[], bool],
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._unseal, self._ready = engine, unseal, ready
        self._one = threading.Lock()
        self.tickets = Tickets(clock)

    def engine(self) -> Engine:
        """The engine of a guest that was prepared."""
        if not self._ready():
            raise errors.Conflict("the guest has not been prepared yet")
        return self._make()

    @property
    def _engine(self) -> Accounts:
        return self.engine().accounts

    @contextlib.contextmanager
    def _changing(self, ticket: str) -> typing.Iterator[Accounts]:
        """One change at a time: what was looked at before it is true while it is made.

        What the database refuses is told; what we have no sentence for is not, as its
        words may hold a secret (a driver repeats the statement).
        """
        self.tickets.take(ticket)
        if not self._one.acquire(timeout=PATIENCE):
            raise errors.Unavailable(what="The guest")
        try:
            yield self._engine
        finally:
            self._one.release()
        self.tickets.note(ticket)

    # -- looking

    def defaults(self, memory: int, vcpus: int) -> dict[str, typing.Any]:
        """What the engine is configured with where no group says otherwise."""
        return self._make().defaults(Sizing(memory=memory, vcpus=vcpus))

    def databases(self, limit: int, after: str | None) -> tuple[str, ...]:
        """A page, as long as a message may be."""
        return tuple(_fitting(self._engine.databases(limit, after)))

    def has_database(self, name: str) -> bool:
        return self._engine.has_database(name)

    def users(self, limit: int, after: str | None) -> tuple[UserShown, ...]:
        """A page, as long as a message may be."""
        found = self._engine.users(limit, after)
        return tuple(_fitting([_shown(account) for account in found]))

    def user(self, name: str, host: str) -> UserShown | None:
        found = self._engine.user(name, host)
        return None if found is None else _shown(found)

    # -- databases

    def create_databases(
        self,
        ticket: str,
        databases: typing.Sequence[DatabaseOrder],
        again: bool = False,
    ) -> None:
        """All are looked for before the first is made; ``again``: those that are there
        were made by the call before, or may as well have been."""
        with self._changing(ticket) as engine:
            for one in databases:
                if engine.has_database(one.name) and not again:
                    raise errors.Invalid(f"Database {one.name} already exists.")
            engine.create_databases(
                [
                    Database(one.name, one.character_set, one.collate)
                    for one in databases
                ]
            )

    def delete_database(self, ticket: str, name: str) -> None:
        with self._changing(ticket) as engine:
            engine.delete_database(name)

    # -- users

    def create_users(self, ticket: str, sealed: Sealed, again: bool = False) -> None:
        """All are looked for, and what they are granted, before the first is made.

        ``again``: those that are there have this password and these grants from now on.
        """
        with _understood():
            users = [_account(user) for user in self._users(sealed)]
        with self._changing(ticket) as engine:
            for user in users:
                if not again and engine.user(user.name, user.host) is not None:
                    raise errors.Invalid(
                        f"User with name {user.name}@{user.host} already exists."
                    )
                for database in user.databases:
                    if not engine.has_database(database):
                        raise errors.Invalid(
                            f"Database {database} cannot be found on the instance."
                        )
            engine.create_accounts(users)

    def change_users(self, ticket: str, sealed: Sealed, again: bool = False) -> None:
        """All are looked for before the first is changed; ``again``: some may have
        their new names."""
        with _understood():
            changes = [
                (user["name"], user["host"], Change(**user["new"]))
                for user in self._users(sealed)
            ]
        with self._changing(ticket) as engine:
            if again:
                changes = [_renamed(engine, *change) for change in changes]
            for name, host, new in changes:
                _must_be(engine, name, host)
                _must_be_free(engine, name, host, new)
            for change in changes:
                engine.change_account(*change)

    def delete_user(self, ticket: str, name: str, host: str) -> None:
        with self._changing(ticket) as engine:
            engine.delete_account(name, host)

    def grant(
        self, ticket: str, name: str, host: str, databases: typing.Sequence[str]
    ) -> None:
        with self._changing(ticket) as engine:
            _must_be(engine, name, host)
            for database in databases:
                if not engine.has_database(database):
                    raise errors.DatabaseNotFound(database=database)
            engine.grant(name, host, databases)

    def revoke(self, ticket: str, name: str, host: str, database: str) -> None:
        with self._changing(ticket) as engine:
            engine.revoke(name, host, database)

    # -- root

    def enable_root(self, ticket: str, sealed: Sealed) -> None:
        with _understood():
            password = str(self._unseal(sealed.text)["password"])
        with self._changing(ticket) as engine:
            engine.enable_root(password)

    def disable_root(self, ticket: str) -> None:
        with self._changing(ticket) as engine:
            engine.disable_root()

    def _users(self, sealed: Sealed) -> list[dict[str, typing.Any]]:
        users: list[dict[str, typing.Any]] = self._unseal(sealed.text)["users"]
        return users


def unsealer(private_key: typing.Callable[[], str]) -> typing.Callable[[str], Secrets]:
    """Opens with the guest's key, in this process's memory only."""

    def unseal(text: str) -> Secrets:
        return sealing.unseal(private_key(), text)

    return unseal


def _account(user: dict[str, typing.Any]) -> Account:
    return Account(
        user["name"], user["host"], tuple(user["databases"]), user["password"]
    )


def _shown(account: Account) -> UserShown:
    return UserShown(account.name, account.host, tuple(account.databases))


def _must_be(engine: Accounts, name: str, host: str) -> None:
    if engine.user(name, host) is None:
        raise errors.UserNotFound(user=f"{name}@{host}")


def _must_be_free(engine: Accounts, name: str, host: str, new: Change) -> None:
    """A new identity is nobody's."""
    wanted = (new.name or name, new.host or host)
    if wanted != (name, host) and engine.user(*wanted) is not None:
        raise errors.Invalid(f"User with name {wanted[0]}@{wanted[1]} already exists.")


def _renamed(
    engine: Accounts, name: str, host: str, new: Change
) -> tuple[str, str, Change]:
    """The change, of one that has its new name already: what is left of it."""
    wanted = (new.name or name, new.host or host)
    if engine.user(name, host) is None and engine.user(*wanted) is not None:
        return (*wanted, Change(password=new.password))
    return name, host, new


@contextlib.contextmanager
def _understood() -> typing.Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError):
        raise errors.Invalid(why="the sealed part is not what was asked for") from None


def _fitting(page: list[typing.Any]) -> list[typing.Any]:
    """As much of a page as a message may hold, and one at the least."""
    while len(page) > 1:
        try:
            codec.weigh(codec.encode(page), ROOM)
        except errors.Invalid:
            page = page[: len(page) // 2]
        else:
            break
    return page
