# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants in PostgreSQL."""

import contextlib
import typing

from psycopg.sql import SQL, Composed, Identifier, Literal

from trove import errors
from trove.datastores.postgresql.agent.sql import Talk, fill
from trove.datastores.postgresql.spec import NAMING
from trove.datastores.protocol import Account, Database

WITHIN = 60.0
"""Seconds for one statement; a new database is a copy of some files."""

Open = typing.Callable[[str], contextlib.AbstractContextManager[Talk]]
"""Opens a conversation in a database of that name."""

SHARERS = """\
SELECT r.rolname FROM pg_database d, aclexplode(d.datacl) a, pg_roles r
WHERE d.datname = current_database() AND r.oid = a.grantee
AND a.privilege_type = 'CREATE' AND NOT r.rolsuper"""
"""The users who may make things in this database."""

KINDS = ("TABLES", "SEQUENCES", "ROUTINES", "TYPES", "SCHEMAS")


def create_databases(open_: Open, databases: typing.Sequence[Database]) -> None:
    """Has them be there, closed to everybody who was not granted them."""
    if not databases:
        return
    with open_("postgres") as talk:
        for database in databases:
            NAMING.check_database(database.name)
            name = Identifier(database.name)
            if not _exists(talk, "pg_database", "datname", database.name):
                talk.rows(_create(database), WITHIN)
            # By default everyone may enter every database.
            talk.rows(fill("REVOKE ALL ON DATABASE {n} FROM PUBLIC", n=name), WITHIN)


def create_accounts(open_: Open, accounts: typing.Sequence[Account]) -> None:
    """Has them be there with the password and the grants of the order.

    What an account was granted before it keeps. The users of a database share it: each
    may use what the others make in it, then and later.
    """
    if not accounts:
        return
    with open_("postgres") as talk:
        for account in accounts:
            _create_account(talk, account)
    for account in accounts:
        for database in account.databases:
            with open_(database) as talk:
                _grant(talk, account.name, database)


def _create(database: Database) -> Composed:
    statement = fill(
        "CREATE DATABASE {name} TEMPLATE template0", name=Identifier(database.name)
    )
    encoding, collate = database.character_set, database.collate
    if encoding:
        statement += fill(" ENCODING {encoding}", encoding=Literal(encoding))
    if collate or (encoding and encoding.lower().replace("-", "") != "utf8"):
        # ICU, our default, has neither the other encodings nor the system's collations.
        statement += fill(
            " LOCALE_PROVIDER libc LOCALE {locale}", locale=Literal(collate or "C")
        )
    return statement


def _create_account(talk: Talk, account: Account) -> None:
    NAMING.check_user(account.name)
    for name in account.databases:
        NAMING.check_database(name)
    user = Identifier(account.name)
    exists = _exists(talk, "pg_roles", "rolname", account.name)
    if account.password is not None:
        NAMING.check_password(account.password)
        verifier = talk.verifier(account.name, account.password)
        verb = SQL("ALTER" if exists else "CREATE")
        talk.rows(
            fill(
                "{verb} ROLE {user} LOGIN PASSWORD {verifier} NOSUPERUSER NOCREATEDB "
                "NOCREATEROLE NOREPLICATION NOBYPASSRLS",
                verb=verb,
                user=user,
                verifier=Literal(verifier),
            ),
            WITHIN,
        )
    elif not exists:
        raise errors.Invalid(why=f"User {account.name} needs a password.")


def _grant(talk: Talk, name: str, database: str) -> None:
    user = Identifier(name)
    for what in (
        fill("CONNECT, CREATE, TEMPORARY ON DATABASE {d}", d=Identifier(database)),
        SQL("ALL ON SCHEMA public"),
        SQL("ALL ON ALL TABLES IN SCHEMA public"),
        SQL("ALL ON ALL SEQUENCES IN SCHEMA public"),
        SQL("ALL ON ALL ROUTINES IN SCHEMA public"),
    ):
        talk.rows(fill("GRANT {what} TO {user}", what=what, user=user), WITHIN)
    for (other,) in talk.rows(SHARERS, WITHIN):
        if other != name:
            _share(talk, user, Identifier(other))
            _share(talk, Identifier(other), user)


def _share(talk: Talk, maker: Identifier, other: Identifier) -> None:
    for kind in KINDS:
        talk.rows(
            fill(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {maker} GRANT ALL ON {kind} "
                "TO {other}",
                maker=maker,
                kind=SQL(kind),
                other=other,
            ),
            WITHIN,
        )


def _exists(
    talk: Talk,
    table: typing.LiteralString,
    column: typing.LiteralString,
    name: str,
) -> bool:
    statement = fill(
        "SELECT 1 FROM {table} WHERE {column} = {name}",
        table=Identifier(table),
        column=Identifier(column),
        name=Literal(name),
    )
    return bool(talk.rows(statement, WITHIN))
