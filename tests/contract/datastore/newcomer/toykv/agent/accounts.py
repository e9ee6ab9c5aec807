# SPDX-License-Identifier: Apache-2.0
"""What is done to the users of tenants in the toy; it has no databases."""

import contextlib
import typing

from toykv.spec import DATASTORE, NAMING
from toykv.wire import Talk
from trove import errors
from trove.datastores.protocol import Account, Change, Database

ROOT = "root"
WITHIN = 6.0

Open = typing.Callable[[], contextlib.AbstractContextManager[Talk]]


class Accounts:
    """``protocol.Accounts``. No account has a host."""

    def __init__(self, open_: Open) -> None:
        self._open = open_

    def users(self, limit: int, after: str | None = None) -> list[Account]:
        keys = sorted(f"{name}@%" for name in self._names())
        page = [key for key in keys if after is None or key > after]
        return [Account(key.removesuffix("@%")) for key in page[:limit]]

    def user(self, name: str, host: str = "%") -> Account | None:
        return Account(name) if host == "%" and name in self._names() else None

    def create_accounts(self, accounts: typing.Sequence[Account]) -> None:
        words: list[str] = []
        for account in accounts:
            NAMING.check_user(account.name)
            if account.databases:
                raise _no_databases()
            if account.password is not None:
                NAMING.check_password(account.password)
                words += [account.name, account.password]
            elif account.name not in self._names():
                raise errors.Invalid(why=f"User {account.name} needs a password.")
        self._say("PUT", *words)

    def change_account(self, name: str, host: str, change: Change) -> None:
        self._find(name, host)
        if change.host not in (None, "%"):
            raise errors.Invalid(why=f"The user {name} can have no host.")
        new = name if change.name is None else change.name
        NAMING.check_user(new)
        if new != name and new in self._names():
            raise errors.Invalid(why=f"There is a user {new} already.")
        if change.password is not None:
            NAMING.check_password(change.password)
        self._say("RENAME", name, new, change.password or "")

    def delete_account(self, name: str, host: str = "%") -> None:
        self._find(name, host)
        self._say("DROP", name)

    def enable_root(self, password: str) -> None:
        NAMING.check_password(password)
        self._say("PUT", ROOT, password)

    def disable_root(self) -> None:
        self._say("DROP", ROOT)

    def create_databases(self, databases: typing.Sequence[Database]) -> None:
        if databases:
            raise _no_databases()

    def databases(self, limit: int, after: str | None = None) -> list[str]:
        raise _no_databases()

    def has_database(self, name: str) -> bool:
        raise _no_databases()

    def delete_database(self, name: str) -> None:
        raise _no_databases()

    def grant(self, name: str, host: str, databases: typing.Sequence[str]) -> None:
        raise _no_databases()

    def revoke(self, name: str, host: str, database: str) -> None:
        raise _no_databases()

    def _say(self, *words: str) -> typing.Any:
        with self._open() as talk:
            return talk.ask(*words, within=WITHIN)

    def _names(self) -> set[str]:
        return {name for name in self._say("USERS") if name != ROOT}

    def _find(self, name: str, host: str) -> None:
        if self.user(name, host) is None:
            raise errors.UserNotFound(user=f"{name}@{host}")


def _no_databases() -> errors.NotSupported:
    return errors.NotSupported(datastore=DATASTORE.name, what="databases")
