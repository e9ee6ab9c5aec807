# SPDX-License-Identifier: Apache-2.0
"""What is done to the databases and users of tenants in MariaDB."""

import contextlib
import typing

from trove.datastores.mariadb.agent import accounts, root
from trove.datastores.mariadb.agent.sql import Talk, talk
from trove.datastores.protocol import Account, Change, Database


class Tenants:
    """``protocol.Accounts`` of the server behind one socket."""

    def __init__(self, socket: str, certified: typing.Callable[[], bool]) -> None:
        self._socket = socket
        self._certified = certified
        """Whether each account is to ask for a client's certificate."""

    def databases(self, limit: int, after: str | None = None) -> list[str]:
        with self._open() as talk:
            return accounts.databases(talk, limit, after)

    def has_database(self, name: str) -> bool:
        with self._open() as talk:
            return accounts.has_database(talk, name)

    def users(self, limit: int, after: str | None = None) -> list[Account]:
        with self._open() as talk:
            return accounts.users(talk, limit, after)

    def user(self, name: str, host: str = "%") -> Account | None:
        with self._open() as talk:
            return accounts.user(talk, name, host)

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        with self._open() as talk:
            accounts.create_databases(talk, databases)

    def create_accounts(self, wanted: typing.Sequence[Account]) -> None:
        with self._open() as talk:
            accounts.create_accounts(talk, wanted, self._certified())

    def delete_database(self, name: str) -> None:
        with self._open() as talk:
            accounts.delete_database(talk, name)

    def change_account(self, name: str, host: str, change: Change) -> None:
        with self._open() as talk:
            accounts.change_account(talk, name, host, change)

    def delete_account(self, name: str, host: str = "%") -> None:
        with self._open() as talk:
            accounts.delete_account(talk, name, host)

    def grant(self, name: str, host: str, databases: typing.Sequence[str]) -> None:
        with self._open() as talk:
            accounts.grant(talk, name, host, databases)

    def revoke(self, name: str, host: str, database: str) -> None:
        with self._open() as talk:
            accounts.revoke(talk, name, host, database)

    def enable_root(self, password: str) -> None:
        with self._open() as talk:
            root.enable(talk, password, self._certified())

    def disable_root(self) -> None:
        with self._open() as talk:
            root.disable(talk)

    def _open(self) -> contextlib.AbstractContextManager[Talk]:
        return talk(self._socket)
