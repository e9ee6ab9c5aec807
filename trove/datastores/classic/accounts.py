# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants.

Lists are compared as bare code points, blanks at the end included, so that a marker
means the same to the engine and to everybody else.
"""

import collections
import dataclasses
import typing

from trove import errors
from trove.datastores.classic.names import loader
from trove.datastores.classic.sql import (
    Talk,
    escaped,
    identifier,
    literal,
    unescaped,
)
from trove.datastores.protocol import Account, Change, Database
from trove.datastores.spec import Naming

WITHIN = 30.0
"""Seconds for one statement."""

LOOK = 10.0
"""Seconds for one that only looks."""

CERTIFIED = " REQUIRE X509"
"""At the end of an account's statement: besides its password, a certificate that the
server's CA signed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine says it. What is text here is SQL over the rows of ``table``."""

    naming: Naming
    collation: str
    """Of utf8mb4: by code points, with blanks at the end."""
    table: str
    """Where the accounts are, a row each: ``User``, ``Host``, and the engine's own."""
    people: str
    """Whether a row is a user, and no role."""
    free: str
    """Whether its user need not show a certificate."""
    certified: str
    """Whether any certificate of the CA's will do."""
    patterns: bool
    """Whether a grant holds the name of its database as a pattern."""
    proof: typing.Callable[[str], str]
    """What follows an account's name to give it a password."""
    leave: typing.Callable[[Talk, str], None]
    """Sends everybody away who came by this name."""


class Accounts:
    """What is done to them, in a conversation each."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._naming = dialect.naming
        self._who = self._plain("CONCAT(User, '@', Host)")
        self._schema = self._plain("SCHEMA_NAME")

    def create_databases(
        self, talk: Talk, databases: typing.Sequence[Database]
    ) -> None:
        """Has them be there; one that is there keeps its character set."""
        for database in databases:
            self._naming.check_database(database.name)
            statement = f"CREATE DATABASE IF NOT EXISTS {identifier(database.name)}"
            if database.character_set:
                statement += f" CHARACTER SET {literal(database.character_set)}"
            if database.collate:
                statement += f" COLLATE {literal(database.collate)}"
            talk.rows(statement, WITHIN)

    def create_accounts(
        self, talk: Talk, accounts: typing.Sequence[Account], certified: bool = False
    ) -> None:
        """Has them be there with the password and the grants of the order.

        What an account was granted before it keeps. No account of a tenant has a
        privilege outside its databases, or may pass one on. ``certified``: none without
        a certificate of the client's.
        """
        for account in accounts:
            self._naming.check_user(account.name)
            for name in account.databases:
                self._naming.check_database(name)
            who = quoted(account.name, account.host)
            if account.password is not None:
                proof = self.proof(account.password) + (CERTIFIED if certified else "")
                talk.rows(f"CREATE USER IF NOT EXISTS {who} {proof}", WITHIN)
                talk.rows(f"ALTER USER {who} {proof}", WITHIN)
            elif not self._exists(talk, account.name, account.host):
                raise errors.Invalid(why=f"User {account.name} needs a password.")
            self._grant(talk, who, account.databases)

    def proof(self, password: str) -> str:
        """What gives an account this password."""
        self._naming.check_password(password)
        return self._dialect.proof(password)

    # -- looking --------------------------------------------------------------------

    def databases(self, talk: Talk, limit: int, after: str | None) -> list[str]:
        """A page of names."""
        schema = self._schema
        statement = (
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA "  # noqa: S608 - quoted
            f"WHERE {_tenants(schema, self._naming.reserved_databases)}"
            f"{_after(schema, after)} ORDER BY {schema} LIMIT {int(limit)}"
        )
        return [str(name) for (name,) in talk.rows(statement, LOOK)]

    def has_database(self, talk: Talk, name: str) -> bool:
        """Whether it is there, and a tenant's."""
        if not _passes(self._naming.check_database, name):
            return False
        statement = (
            "SELECT 1 FROM information_schema.SCHEMATA "  # noqa: S608 - quoted
            f"WHERE SCHEMA_NAME = {literal(name)} AND {self._schema} = {literal(name)}"
        )
        return bool(talk.rows(statement, LOOK))

    def users(self, talk: Talk, limit: int, after: str | None) -> list[Account]:
        """A page of accounts, and in a second statement what all were granted."""
        statement = (
            f"SELECT User, Host FROM {self._dialect.table} "  # noqa: S608 - quoted
            f"WHERE {_tenants(self._plain('User'), self._naming.reserved_users)} "
            f"{self._no_prefix('User')}AND {self._dialect.people}"
            f"{_after(self._who, after)} ORDER BY {self._who} LIMIT {int(limit)}"
        )
        found = [(str(user), str(host)) for user, host in talk.rows(statement, LOOK)]
        granted = self._granted(talk, found)
        return [Account(*who, databases=tuple(granted[who])) for who in found]

    def user(self, talk: Talk, name: str, host: str) -> Account | None:
        """One account, if it is there and a tenant's."""
        if not self._is_tenants(talk, name, host):
            return None
        granted = self._granted(talk, [(name, host)])
        return Account(name, host, tuple(granted[name, host]))

    def _granted(
        self, talk: Talk, accounts: typing.Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        if accounts:
            them = ", ".join(f"({literal(u)}, {literal(h)})" for u, h in accounts)
            statement = (
                "SELECT User, Host, Db FROM mysql.db "  # noqa: S608 - quoted
                f"WHERE (User, Host) IN ({them})"
            )
            for name, host, database in talk.rows(statement, LOOK):
                found[str(name), str(host)].append(self._read(str(database)))
        for names in found.values():
            names.sort()
        return found

    # -- changing -------------------------------------------------------------------

    def delete_database(self, talk: Talk, name: str) -> None:
        """The grants on it go, too: the engine would keep them for a new one. So does
        the account that a dump was loaded into it by.

        Grants that were left behind when this ended too soon are found again.
        """
        self._naming.check_database(name)
        there, holders = self.has_database(talk, name), self._holders(talk, name)
        if not there and not holders:
            raise errors.DatabaseNotFound(database=name)
        if there:
            talk.rows(f"DROP DATABASE {identifier(name)}", WITHIN)
        talk.rows(f"DROP USER IF EXISTS {quoted(loader(name), 'localhost')}", WITHIN)
        for holder in holders:
            if holder != (loader(name), "localhost"):
                self._revoke(talk, quoted(*holder), name)

    def change_account(self, talk: Talk, name: str, host: str, change: Change) -> None:
        """The password first: should the rest fail, the account is as it was called."""
        self._must_be(talk, name, host)
        if change.name is not None:
            self._naming.check_user(change.name)
        if change.password is not None:
            proof = self.proof(change.password)
            talk.rows(f"ALTER USER {quoted(name, host)} {proof}", WITHIN)
        old = (name, host)
        new = (change.name or name, change.host or host)
        if new != old:
            if self._exists(talk, *new):
                raise errors.Invalid(why=f"User {new[0]}@{new[1]} already exists.")
            talk.rows(f"RENAME USER {quoted(*old)} TO {quoted(*new)}", WITHIN)

    def delete_account(self, talk: Talk, name: str, host: str) -> None:
        """Its sessions end with it; those of another account of the name may, too."""
        self._must_be(talk, name, host)
        talk.rows(f"DROP USER {quoted(name, host)}", WITHIN)
        self._dialect.leave(talk, name)

    def grant(
        self, talk: Talk, name: str, host: str, names: typing.Sequence[str]
    ) -> None:
        """Beside what it has."""
        self._must_be(talk, name, host)
        for database in names:
            self._naming.check_database(database)
        self._grant(talk, quoted(name, host), names)

    def revoke(self, talk: Talk, name: str, host: str, database: str) -> None:
        """What it has of this database. Who uses it at the moment is asked again."""
        self._must_be(talk, name, host)
        self._naming.check_database(database)
        if (name, host) not in self._holders(talk, database):
            raise errors.DatabaseNotFound(database=database)
        self._revoke(talk, quoted(name, host), database)

    def demand(self, talk: Talk, certified: bool) -> None:
        """Every account that comes over the network shows a certificate, or none need.

        One that asks for certain certificates (REQUIRE SUBJECT, ISSUER) asks for more.
        """
        wanted = "X509" if certified else "NONE"
        others = self._dialect.free if certified else self._dialect.certified
        # root@localhost is the agent's, by the socket: no certificate is ever shown
        ours = self._naming.reserved_users - {"root"}
        statement = (
            f"SELECT User, Host FROM {self._dialect.table} "  # noqa: S608 - quoted
            f"WHERE {_tenants(self._plain('User'), ours)} "
            "AND NOT (User = 'root' AND Host = 'localhost') "
            f"AND {self._dialect.people} AND {others}"
        )
        for user, host in talk.rows(statement, LOOK):
            who = quoted(str(user), str(host))
            talk.rows(f"ALTER USER {who} REQUIRE {wanted}", WITHIN)

    def _grant(self, talk: Talk, who: str, names: typing.Iterable[str]) -> None:
        for name in names:
            talk.rows(
                f"GRANT ALL PRIVILEGES ON {self.written(name)}.* TO {who}", WITHIN
            )

    def _revoke(self, talk: Talk, who: str, name: str) -> None:
        statement = f"REVOKE ALL PRIVILEGES ON {self.written(name)}.* FROM {who}"
        talk.rows(statement, WITHIN)

    def _holders(self, talk: Talk, database: str) -> list[tuple[str, str]]:
        """The accounts with a grant on exactly this database."""
        kept = escaped(database) if self._dialect.patterns else database
        statement = f"SELECT User, Host FROM mysql.db WHERE Db = {literal(kept)}"  # noqa: S608 - quoted
        return [(str(user), str(host)) for user, host in talk.rows(statement, LOOK)]

    def _must_be(self, talk: Talk, name: str, host: str) -> None:
        if not self._is_tenants(talk, name, host):
            raise errors.UserNotFound(user=f"{name}@{host}")

    def _is_tenants(self, talk: Talk, name: str, host: str) -> bool:
        legal = _passes(self._naming.check_user, name)
        return legal and self._exists(talk, name, host)

    def _exists(self, talk: Talk, name: str, host: str) -> bool:
        statement = (
            f"SELECT 1 FROM {self._dialect.table} "  # noqa: S608 - quoted
            f"WHERE (User, Host) = ({literal(name)}, {literal(host)})"
        )
        return bool(talk.rows(statement, LOOK))

    # -- words ----------------------------------------------------------------------

    def _plain(self, column: str) -> str:
        return f"CONVERT({column} USING utf8mb4) COLLATE {self._dialect.collation}"

    def _no_prefix(self, column: str) -> str:
        """A condition: the name does not begin as one of the service's."""
        begun = self._naming.reserved_user_prefixes
        return "".join(
            f"AND LOWER({self._plain(column)}) NOT LIKE {literal(escaped(each) + '%')} "
            for each in begun
        )

    def written(self, database: str) -> str:
        """A database's name in a grant."""
        return identifier(escaped(database) if self._dialect.patterns else database)

    def _read(self, kept: str) -> str:
        """The database that a grant means."""
        return unescaped(kept) if self._dialect.patterns else kept


def quoted(name: str, host: str) -> str:
    """An account's name in a statement."""
    return f"{literal(name)}@{literal(host)}"


def _tenants(column: str, reserved: typing.Iterable[str]) -> str:
    """A condition: the name is none of the service's."""
    names = ", ".join(literal(name) for name in sorted(reserved))
    return f"LOWER({column}) NOT IN ({names})"


def _after(column: str, marker: str | None) -> str:
    return "" if marker is None else f" AND {column} > {literal(marker)}"


def _passes(check: typing.Callable[[str], None], name: str) -> bool:
    try:
        check(name)
    except errors.Invalid:
        return False
    return True
