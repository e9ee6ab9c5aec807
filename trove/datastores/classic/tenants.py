# SPDX-License-Identifier: Apache-2.0
"""What is done to databases and users, each deed in a conversation of its own."""

import contextlib
import typing

from trove.datastores.classic.accounts import Accounts
from trove.datastores.classic.root import Root
from trove.datastores.classic.sql import Talk
from trove.datastores.protocol import Account, Change, Database

Open = typing.Callable[[], contextlib.AbstractContextManager[Talk]]


class Tenants:
    """``protocol.Accounts`` of one server.

    ``talk`` opens a conversation; ``certified``: whether each account is to ask for a
    client's certificate.
    """

    def __init__(
        self,
        talk: Open,
        accounts: Accounts,
        root: Root,
        certified: typing.Callable[[], bool],
    ) -> None:
        self._open = talk
        self._accounts = accounts
        self._root = root
        self._certified = certified

    def databases(self, limit: int, after: str | None = None) -> list[str]:
        with self._open() as talk:
            return self._accounts.databases(talk, limit, after)

    def has_database(self, name: str) -> bool:
        with self._open() as talk:
            return self._accounts.has_database(talk, name)

    def users(self, limit: int, after: str | None = None) -> list[Account]:
        with self._open() as talk:
            return self._accounts.users(talk, limit, after)

    def user(self, name: str, host: str = "%") -> Account | None:
        with self._open() as talk:
            return self._accounts.user(talk, name, host)

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        with self._open() as talk:
            self._accounts.create_databases(talk, databases)

    def create_accounts(self, wanted: typing.Sequence[Account]) -> None:
        with self._open() as talk:
            self._accounts.create_accounts(talk, wanted, self._certified())

    def delete_database(self, name: str) -> None:
        with self._open() as talk:
            self._accounts.delete_database(talk, name)

    def change_account(self, name: str, host: str, change: Change) -> None:
        with self._open() as talk:
            self._accounts.change_account(talk, name, host, change)

    def delete_account(self, name: str, host: str = "%") -> None:
        with self._open() as talk:
            self._accounts.delete_account(talk, name, host)

    def grant(self, name: str, host: str, databases: typing.Sequence[str]) -> None:
        with self._open() as talk:
            self._accounts.grant(talk, name, host, databases)

    def revoke(self, name: str, host: str, database: str) -> None:
        with self._open() as talk:
            self._accounts.revoke(talk, name, host, database)

    def enable_root(self, password: str) -> None:
        with self._open() as talk:
            self._root.enable(talk, password, self._certified())

    def disable_root(self) -> None:
        with self._open() as talk:
            self._root.disable(talk)
