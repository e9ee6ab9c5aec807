# SPDX-License-Identifier: Apache-2.0
"""What is done to the databases and users of tenants in PostgreSQL."""

import contextlib
import typing

from trove import errors
from trove.datastores.postgresql.agent import accounts, departures, root
from trove.datastores.postgresql.agent.accounts import Open
from trove.datastores.postgresql.agent.sql import Talk
from trove.datastores.protocol import Account, Change, Database


class Tenants:
    """``protocol.Accounts`` of the server behind one socket. No account has a host."""

    def __init__(self, open_: Open) -> None:
        self._connect = open_

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
        if host != "%":
            return None
        with self._open() as talk:
            return accounts.user(talk, name)

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        accounts.create_databases(self._open, databases)

    def create_accounts(self, wanted: typing.Sequence[Account]) -> None:
        accounts.create_accounts(self._open, wanted)

    def delete_database(self, name: str) -> None:
        with self._open() as talk:
            departures.delete_database(talk, name)

    def change_account(self, name: str, host: str, change: Change) -> None:
        _without_host(name, host)
        with self._open() as talk:
            departures.change_account(talk, name, change)

    def delete_account(self, name: str, host: str = "%") -> None:
        _without_host(name, host)
        departures.delete_account(self._open, name)

    def grant(self, name: str, host: str, databases: typing.Sequence[str]) -> None:
        _without_host(name, host)
        with self._open() as talk:
            if not accounts.is_user(talk, name):
                raise errors.UserNotFound(user=f"{name}@%")
        accounts.create_accounts(self._open, [Account(name, "%", tuple(databases))])

    def revoke(self, name: str, host: str, database: str) -> None:
        _without_host(name, host)
        departures.revoke(self._open, name, database)

    def enable_root(self, password: str) -> None:
        root.enable(self._open, password)

    def disable_root(self) -> None:
        root.disable(self._open)

    @contextlib.contextmanager
    def _open(self, database: str = "postgres") -> typing.Iterator[Talk]:
        """A full disk makes the server read-only for tenants, not for what frees it."""
        with self._connect(database) as talk:
            talk.rows("SET default_transaction_read_only = off", accounts.LOOK)
            yield talk


def _without_host(name: str, host: str) -> None:
    if host != "%":
        raise errors.UserNotFound(user=f"{name}@{host}")
