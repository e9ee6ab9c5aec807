# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants in MariaDB."""

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
from trove.datastores.protocol import Account, Database

WITHIN = 30.0
"""Seconds for one statement."""


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


def create_accounts(talk: Talk, accounts: typing.Sequence[Account]) -> None:
    """Has them be there with the password and the grants of the order.

    What an account was granted before it keeps. No account of a tenant has a privilege
    outside its databases, or may pass one on.
    """
    for account in accounts:
        NAMING.check_user(account.name)
        for name in account.databases:
            NAMING.check_database(name)
        who = f"{literal(account.name)}@{literal(account.host)}"
        if account.password is not None:
            NAMING.check_password(account.password)
            proof = (
                "IDENTIFIED VIA mysql_native_password "
                f"USING {literal(native_hash(account.password))}"
            )
            talk.rows(f"CREATE USER IF NOT EXISTS {who} {proof}", WITHIN)
            talk.rows(f"ALTER USER {who} {proof}", WITHIN)
        elif not _exists(talk, account):
            raise errors.Invalid(why=f"User {account.name} needs a password.")
        for name in account.databases:
            talk.rows(f"GRANT ALL PRIVILEGES ON {pattern(name)}.* TO {who}", WITHIN)


def _exists(talk: Talk, account: Account) -> bool:
    user, host = literal(account.name), literal(account.host)
    statement = f"SELECT 1 FROM mysql.global_priv WHERE (User, Host) = ({user}, {host})"  # noqa: S608 - quoted
    return bool(talk.rows(statement, WITHIN))
