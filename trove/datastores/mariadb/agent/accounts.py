# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants in MariaDB.

Lists are compared as bare code points, blanks at the end included, so that a marker
means the same to the engine and to everybody else.
"""

import collections
import re
import typing

from trove import errors
from trove.datastores.mariadb.agent.sql import (
    Talk,
    identifier,
    literal,
    native_hash,
    pattern,
)
from trove.datastores.mariadb.spec import NAMING
from trove.datastores.protocol import Account, Change, Database

WITHIN = 30.0
"""Seconds for one statement."""

LOOK = 10.0
"""Seconds for one that only looks."""

CERTIFIED = " REQUIRE X509"
"""At the end of an account's statement: besides its password, a certificate that the
server's CA signed."""

PLAIN = "CONVERT({} USING utf8mb4) COLLATE utf8mb4_nopad_bin"
WHO = PLAIN.format("CONCAT(User, '@', Host)")
DATABASE = PLAIN.format("SCHEMA_NAME")


def create_databases(talk: Talk, databases: typing.Sequence[Database]) -> None:
    """Has them be there; one that is there keeps its character set."""
    for database in databases:
        NAMING.check_database(database.name)
        statement = f"CREATE DATABASE IF NOT EXISTS {identifier(database.name)}"
        if database.character_set:
            statement += f" CHARACTER SET {literal(database.character_set)}"
        if database.collate:
            statement += f" COLLATE {literal(database.collate)}"
        talk.rows(statement, WITHIN)


def create_accounts(
    talk: Talk, accounts: typing.Sequence[Account], certified: bool = False
) -> None:
    """Has them be there with the password and the grants of the order.

    What an account was granted before it keeps. No account of a tenant has a privilege
    outside its databases, or may pass one on. ``certified``: none without a certificate
    of the client's.
    """
    for account in accounts:
        NAMING.check_user(account.name)
        for name in account.databases:
            NAMING.check_database(name)
        who = _who(account.name, account.host)
        if account.password is not None:
            proof = _proof(account.password) + (CERTIFIED if certified else "")
            talk.rows(f"CREATE USER IF NOT EXISTS {who} {proof}", WITHIN)
            talk.rows(f"ALTER USER {who} {proof}", WITHIN)
        elif not _exists(talk, account.name, account.host):
            raise errors.Invalid(why=f"User {account.name} needs a password.")
        _grant(talk, who, account.databases)


# -- looking ------------------------------------------------------------------------


def databases(talk: Talk, limit: int, after: str | None) -> list[str]:
    """A page of names."""
    statement = (
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA "  # noqa: S608 - quoted
        f"WHERE {_tenants(DATABASE, NAMING.reserved_databases)}"
        f"{_after(DATABASE, after)} ORDER BY {DATABASE} LIMIT {int(limit)}"
    )
    return [str(name) for (name,) in talk.rows(statement, LOOK)]


def has_database(talk: Talk, name: str) -> bool:
    """Whether it is there, and a tenant's."""
    if not _is_database(name):
        return False
    statement = (
        "SELECT 1 FROM information_schema.SCHEMATA "  # noqa: S608 - quoted
        f"WHERE SCHEMA_NAME = {literal(name)} AND {DATABASE} = {literal(name)}"
    )
    return bool(talk.rows(statement, LOOK))


def users(talk: Talk, limit: int, after: str | None) -> list[Account]:
    """A page of accounts, and in a second statement what all of them were granted."""
    statement = (
        "SELECT User, Host FROM mysql.global_priv "  # noqa: S608 - quoted
        f"WHERE {_tenants(PLAIN.format('User'), NAMING.reserved_users)} "
        "AND COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 0"
        f"{_after(WHO, after)} ORDER BY {WHO} LIMIT {int(limit)}"
    )
    found = [(str(user), str(host)) for user, host in talk.rows(statement, LOOK)]
    granted = _granted(talk, found)
    return [Account(*who, databases=tuple(granted[who])) for who in found]


def user(talk: Talk, name: str, host: str) -> Account | None:
    """One account, if it is there and a tenant's."""
    if not _is_user(name) or not _exists(talk, name, host):
        return None
    return Account(name, host, tuple(_granted(talk, [(name, host)])[name, host]))


def _granted(
    talk: Talk, accounts: typing.Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    if accounts:
        them = ", ".join(f"({literal(u)}, {literal(h)})" for u, h in accounts)
        statement = (
            f"SELECT User, Host, Db FROM mysql.db WHERE (User, Host) IN ({them}) "  # noqa: S608 - quoted
        )
        for name, host, database in talk.rows(statement, LOOK):
            found[str(name), str(host)].append(_unescaped(str(database)))
    for names in found.values():
        names.sort()
    return found


# -- changing -----------------------------------------------------------------------


def delete_database(talk: Talk, name: str) -> None:
    """The grants on it go, too: the engine would keep them for a new one of the name.

    Grants that were left behind when this ended too soon are found again.
    """
    NAMING.check_database(name)
    there, holders = has_database(talk, name), _holders(talk, name)
    if not there and not holders:
        raise errors.DatabaseNotFound(database=name)
    if there:
        talk.rows(f"DROP DATABASE {identifier(name)}", WITHIN)
    for holder in holders:
        talk.rows(
            f"REVOKE ALL PRIVILEGES ON {pattern(name)}.* FROM {_who(*holder)}", WITHIN
        )


def change_account(talk: Talk, name: str, host: str, change: Change) -> None:
    """The password first: should the rest fail, the account is as it was called."""
    _must_be(talk, name, host)
    if change.name is not None:
        NAMING.check_user(change.name)
    if change.password is not None:
        proof = _proof(change.password)
        talk.rows(f"ALTER USER {_who(name, host)} {proof}", WITHIN)
    old = (name, host)
    new = (change.name or name, change.host or host)
    if new != old:
        if _exists(talk, *new):
            raise errors.Invalid(why=f"User {new[0]}@{new[1]} already exists.")
        talk.rows(f"RENAME USER {_who(*old)} TO {_who(*new)}", WITHIN)


def delete_account(talk: Talk, name: str, host: str) -> None:
    """Its sessions end with it; those of another account of the name may, too."""
    _must_be(talk, name, host)
    talk.rows(f"DROP USER {_who(name, host)}", WITHIN)
    end_sessions(talk, name)


def grant(talk: Talk, name: str, host: str, names: typing.Sequence[str]) -> None:
    """Beside what it has."""
    _must_be(talk, name, host)
    for database in names:
        NAMING.check_database(database)
    _grant(talk, _who(name, host), names)


def revoke(talk: Talk, name: str, host: str, database: str) -> None:
    """What it has of this database. Who uses it at the moment is asked again."""
    _must_be(talk, name, host)
    NAMING.check_database(database)
    if (name, host) not in _holders(talk, database):
        raise errors.DatabaseNotFound(database=database)
    talk.rows(
        f"REVOKE ALL PRIVILEGES ON {pattern(database)}.* FROM {_who(name, host)}",
        WITHIN,
    )


def demand(talk: Talk, certified: bool) -> None:
    """Every account that comes over the network shows a certificate, or none need.

    One that asks for certain certificates (REQUIRE SUBJECT, ISSUER) asks for more.
    """
    wanted = "X509" if certified else "NONE"
    kinds = "0, 1" if certified else "2"
    # root@localhost is the agent's, by the socket: no certificate is ever shown there
    ours = NAMING.reserved_users - {"root"}
    statement = (
        "SELECT User, Host FROM mysql.global_priv "  # noqa: S608 - quoted
        f"WHERE {_tenants(PLAIN.format('User'), ours)} "
        "AND NOT (User = 'root' AND Host = 'localhost') "
        "AND COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 0 "
        f"AND COALESCE(JSON_VALUE(Priv, '$.ssl_type'), 0) IN ({kinds})"
    )
    for user, host in talk.rows(statement, LOOK):
        who = _who(str(user), str(host))
        talk.rows(f"ALTER USER {who} REQUIRE {wanted}", WITHIN)


def end_sessions(talk: Talk, name: str) -> None:
    """Sends everybody away who came by this name."""
    talk.rows(f"KILL USER {literal(name)}", WITHIN)


def _grant(talk: Talk, who: str, names: typing.Iterable[str]) -> None:
    for name in names:
        talk.rows(f"GRANT ALL PRIVILEGES ON {pattern(name)}.* TO {who}", WITHIN)


def _holders(talk: Talk, database: str) -> list[tuple[str, str]]:
    """The accounts with a grant on exactly this database."""
    escaped = re.sub(r"([\\_%])", r"\\\1", database)
    statement = f"SELECT User, Host FROM mysql.db WHERE Db = {literal(escaped)}"  # noqa: S608 - quoted
    return [(str(user), str(host)) for user, host in talk.rows(statement, LOOK)]


def _must_be(talk: Talk, name: str, host: str) -> None:
    if not _is_user(name) or not _exists(talk, name, host):
        raise errors.UserNotFound(user=f"{name}@{host}")


def _exists(talk: Talk, name: str, host: str) -> bool:
    statement = (
        "SELECT 1 FROM mysql.global_priv "  # noqa: S608 - quoted
        f"WHERE (User, Host) = ({literal(name)}, {literal(host)})"
    )
    return bool(talk.rows(statement, LOOK))


# -- words --------------------------------------------------------------------------


def _who(name: str, host: str) -> str:
    return f"{literal(name)}@{literal(host)}"


def _proof(password: str) -> str:
    NAMING.check_password(password)
    return (
        f"IDENTIFIED VIA mysql_native_password USING {literal(native_hash(password))}"
    )


def _tenants(column: str, reserved: typing.Iterable[str]) -> str:
    """A condition: the name is none of the service's."""
    names = ", ".join(literal(name) for name in sorted(reserved))
    return f"LOWER({column}) NOT IN ({names})"


def _after(column: str, marker: str | None) -> str:
    return "" if marker is None else f" AND {column} > {literal(marker)}"


def _unescaped(text: str) -> str:
    """The database that a grant's pattern means."""
    return re.sub(r"\\([\\_%])", r"\1", text)


def _is_user(name: str) -> bool:
    return _passes(NAMING.check_user, name)


def _is_database(name: str) -> bool:
    return _passes(NAMING.check_database, name)


def _passes(check: typing.Callable[[str], None], name: str) -> bool:
    try:
        check(name)
    except errors.Invalid:
        return False
    return True
