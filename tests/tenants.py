# SPDX-License-Identifier: Apache-2.0
"""Databases and users of tenants, in memory: ``protocol.Accounts`` without an engine.

``tests/contract/datastore`` holds it and the engines to the same tests.
"""

import dataclasses

from trove import errors
from trove.datastores.protocol import Source
from trove.datastores.spec import Naming


@dataclasses.dataclass
class Row:
    """One account."""

    password: str = dataclasses.field(repr=False)
    databases: set = dataclasses.field(default_factory=set)


class Tenants:
    """All of one server."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self.names = set()
        self.rows = {}
        """(name, host) -> Row."""
        self.root = None

    # -- looking

    def databases(self, limit, after=None):
        return sorted(n for n in self.names if after is None or n > after)[:limit]

    def has_database(self, name):
        return name in self.names

    def users(self, limit, after=None):
        found = sorted(self.rows, key=lambda who: "@".join(who))
        found = [who for who in found if after is None or "@".join(who) > after]
        return [self.user(*who) for who in found[:limit]]

    def user(self, name, host="%"):
        from trove.datastores.protocol import Account

        row = self.rows.get((name, host))
        return row and Account(name, host, tuple(sorted(row.databases)))

    # -- making

    def create_databases(self, databases):
        for database in databases:
            self._naming.check_database(database.name)
        self.names |= {database.name for database in databases}

    def create_accounts(self, accounts):
        for account in accounts:
            self._naming.check_user(account.name)
            if account.password is not None:
                self._naming.check_password(account.password)
            who = (account.name, account.host)
            if account.password is None and who not in self.rows:
                raise errors.Invalid(why=f"User {account.name} needs a password.")
            row = self.rows.setdefault(who, Row(account.password))
            row.password = account.password or row.password
            row.databases |= set(account.databases)

    # -- changing

    def delete_database(self, name):
        if name not in self.names:
            raise errors.DatabaseNotFound(database=name)
        self.names.remove(name)
        for row in self.rows.values():
            row.databases.discard(name)

    def change_account(self, name, host, change):
        row = self._row(name, host)
        if change.host not in (None, "%") and not self._naming.hosts:
            raise errors.Invalid(why="A user of this datastore has no host.")
        if change.password is not None:
            self._naming.check_password(change.password)
            row.password = change.password
        new = (change.name or name, change.host or host)
        if new != (name, host):
            self._naming.check_user(new[0])
            if new in self.rows:
                raise errors.Invalid(why=f"User {new[0]}@{new[1]} already exists.")
            self.rows[new] = self.rows.pop((name, host))

    def delete_account(self, name, host="%"):
        self._row(name, host)
        del self.rows[name, host]

    def grant(self, name, host, databases):
        self._row(name, host).databases.update(databases)

    def revoke(self, name, host, database):
        row = self._row(name, host)
        if database not in row.databases:
            raise errors.DatabaseNotFound(database=database)
        row.databases.remove(database)

    def enable_root(self, password):
        self._naming.check_password(password)
        self.root = password

    def disable_root(self):
        self.root = None

    def _row(self, name, host):
        if (name, host) not in self.rows:
            raise errors.UserNotFound(user=f"{name}@{host}")
        return self.rows[name, host]

    # -- what a client would find

    def enters(self, name, password, database):
        """Whether a log-in from anywhere comes in there."""
        if name == "root":
            return self.root is not None and self.root == password
        row = self.rows.get((name, "%"))
        there = row is not None and row.password == password
        return there and database in row.databases & self.names


class Engine:
    """An engine that is nothing but its accounts."""

    def __init__(self, naming: Naming) -> None:
        self.accounts = Tenants(naming)
        self.sources: dict[str, Source] = {}
        self.switched: dict[str, bool] = {}

    def logs(self):
        return self.sources

    def set_log(self, name, on):
        self.switched[name] = on

    def reopen_log(self, name):
        pass

    def defaults(self, sizing):
        return {"max_connections": sizing.memory // 8, "port": 3306, "ssl": True}
