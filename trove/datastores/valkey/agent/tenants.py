# SPDX-License-Identifier: Apache-2.0
"""What is done to the users of tenants in Valkey; it has no databases with names."""

import contextlib
import typing

from trove import errors
from trove.datastores.protocol import Account, Change, Database
from trove.datastores.valkey.agent import accounts
from trove.datastores.valkey.agent.wire import Talk
from trove.datastores.valkey.spec import DATASTORE

Open = typing.Callable[[], contextlib.AbstractContextManager[Talk]]


class Tenants:
    """``protocol.Accounts`` of the server behind one socket. No account has a host."""

    def __init__(self, open_: Open) -> None:
        self._open = open_

    def databases(self, limit: int, after: str | None = None) -> list[str]:
        raise _no_databases()

    def has_database(self, name: str) -> bool:
        raise _no_databases()

    def users(self, limit: int, after: str | None = None) -> list[Account]:
        with self._open() as talk:
            return accounts.users(talk, limit, after)

    def user(self, name: str, host: str = "%") -> Account | None:
        if host != "%":
            return None
        with self._open() as talk:
            return accounts.user(talk, name)

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        if databases:
            raise _no_databases()

    def create_accounts(self, wanted: typing.Sequence[Account]) -> None:
        if wanted:
            with self._open() as talk:
                accounts.create_accounts(talk, wanted)

    def delete_database(self, name: str) -> None:
        raise _no_databases()

    def change_account(self, name: str, host: str, change: Change) -> None:
        _without_host(name, host)
        with self._open() as talk:
            accounts.change_account(talk, name, change)

    def delete_account(self, name: str, host: str = "%") -> None:
        _without_host(name, host)
        with self._open() as talk:
            accounts.delete_account(talk, name)

    def grant(self, name: str, host: str, databases: typing.Sequence[str]) -> None:
        raise _no_databases()

    def revoke(self, name: str, host: str, database: str) -> None:
        raise _no_databases()

    def enable_root(self, password: str) -> None:
        with self._open() as talk:
            accounts.enable_root(talk, password)

    def disable_root(self) -> None:
        with self._open() as talk:
            accounts.disable_root(talk)


def _no_databases() -> errors.NotSupported:
    return errors.NotSupported(datastore=DATASTORE.name, what="databases")


def _without_host(name: str, host: str) -> None:
    if host != "%":
        raise errors.UserNotFound(user=f"{name}@{host}")
