# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants in PostgreSQL: to look at, to make, to grant.

Lists are in the order of bytes, which in UTF-8 is that of code points, so that a marker
means the same to the engine and to everybody else. An account has no host here.
"""

import collections
import contextlib
import typing

from psycopg.sql import SQL, Composed, Identifier, Literal

from trove import errors
from trove.datastores.postgresql.agent.sql import Talk, fill
from trove.datastores.postgresql.spec import NAMING
from trove.datastores.protocol import Account, Database

WITHIN = 60.0
"""Seconds for one statement; a new database is a copy of some files."""

LOOK = 10.0
"""Seconds for one that only looks."""

ROOT = "root"
"""The user that a tenant may ask for (``root.py``); it may enter every database."""

HEIR = "trove_admin"
"""Owns what a deleted user made, where nobody else may have it; nobody comes by it."""

Open = typing.Callable[[str], contextlib.AbstractContextManager[Talk]]
"""Opens a conversation in a database of that name."""

SHARERS = """\
SELECT r.rolname FROM pg_database d, aclexplode(d.datacl) a, pg_roles r
WHERE d.datname = current_database() AND r.oid = a.grantee
AND a.privilege_type = 'CREATE' AND NOT r.rolsuper"""
"""The users who may make things in this database."""

NAMES_POINTS = SQL("FUNCTION pg_catalog.pg_create_restore_point(text)")
"""It writes a name into the log, to which data can be restored, and nothing else."""

KINDS = ("TABLES", "SEQUENCES", "ROUTINES", "TYPES", "SCHEMAS")


def create_databases(open_: Open, databases: typing.Sequence[Database]) -> None:
    """Has them be there, closed to everybody who was not granted them."""
    if not databases:
        return
    with open_("postgres") as talk:
        for database in databases:
            NAMING.check_database(database.name)
            name = Identifier(database.name)
            if not exists(talk, "pg_database", "datname", database.name):
                talk.rows(_create(database), WITHIN)
            # By default everyone may enter every database.
            talk.rows(fill("REVOKE ALL ON DATABASE {n} FROM PUBLIC", n=name), WITHIN)
        rooted = exists(talk, "pg_roles", "rolname", ROOT)
    if rooted:
        for database in databases:
            with open_(database.name) as talk:
                grant(talk, ROOT, database.name)


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
                grant(talk, account.name, database)


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
    there = exists(talk, "pg_roles", "rolname", account.name)
    if account.password is not None:
        NAMING.check_password(account.password)
        verifier = talk.verifier(account.name, account.password)
        verb = SQL("ALTER" if there else "CREATE")
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
    elif not there:
        raise errors.Invalid(why=f"User {account.name} needs a password.")


def grant(talk: Talk, name: str, database: str) -> None:
    """In a conversation in that database: all of a tenant's rights in it."""
    user = Identifier(name)
    for what in (
        fill("CONNECT, CREATE, TEMPORARY ON DATABASE {d}", d=Identifier(database)),
        SQL("ALL ON SCHEMA public"),
        SQL("ALL ON ALL TABLES IN SCHEMA public"),
        SQL("ALL ON ALL SEQUENCES IN SCHEMA public"),
        SQL("ALL ON ALL ROUTINES IN SCHEMA public"),
        fill("EXECUTE ON {f}", f=NAMES_POINTS),
    ):
        talk.rows(fill("GRANT {what} TO {user}", what=what, user=user), WITHIN)
    for other in sharers(talk, name):
        _share(talk, user, Identifier(other))
        _share(talk, Identifier(other), user)
    if name != ROOT and exists(talk, "pg_roles", "rolname", HEIR):
        # what a deleted user left, and nobody was there to have
        statement = "REASSIGN OWNED BY {heir} TO {user}"
        talk.rows(fill(statement, heir=Identifier(HEIR), user=user), WITHIN)


def sharers(talk: Talk, name: str) -> list[str]:
    """The others who may make things in the conversation's database."""
    return sorted(str(o) for (o,) in talk.rows(SHARERS, WITHIN) if o != name)


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


# -- looking ------------------------------------------------------------------------


def databases(talk: Talk, limit: int, after: str | None) -> list[str]:
    """A page of names."""
    statement = fill(
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND {tenants}{after} "
        'ORDER BY datname::text COLLATE "C" LIMIT {limit}',
        tenants=_tenants("datname", NAMING.reserved_databases),
        after=_after(SQL("datname::text"), after),
        limit=Literal(limit),
    )
    return [str(name) for (name,) in talk.rows(statement, LOOK)]


def has_database(talk: Talk, name: str) -> bool:
    """Whether it is there, and a tenant's."""
    legal = _passes(NAMING.check_database, name)
    return legal and exists(talk, "pg_database", "datname", name)


def users(talk: Talk, limit: int, after: str | None) -> list[Account]:
    """A page of accounts, and in a second statement what all of them were granted."""
    statement = fill(
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND {tenants}"
        "{after} AND NOT starts_with(rolname::text, 'pg_') "
        "ORDER BY rolname::text || '@%' COLLATE \"C\" LIMIT {limit}",
        tenants=_tenants("rolname", NAMING.reserved_users),
        after=_after(SQL("rolname::text || '@%'"), after),
        limit=Literal(limit),
    )
    found = [str(name) for (name,) in talk.rows(statement, LOOK)]
    granted = _granted(talk, found)
    return [Account(name, "%", tuple(granted[name])) for name in found]


def user(talk: Talk, name: str) -> Account | None:
    """One account, if it is there and a tenant's."""
    if not is_user(talk, name):
        return None
    return Account(name, "%", tuple(_granted(talk, [name])[name]))


def is_user(talk: Talk, name: str) -> bool:
    """Whether there is a tenant's account of that name."""
    legal = _passes(NAMING.check_user, name)
    return legal and exists(talk, "pg_roles", "rolname", name)


def _granted(talk: Talk, names: typing.Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = collections.defaultdict(list)
    if names:
        statement = fill(
            "SELECT DISTINCT r.rolname, d.datname FROM pg_database d, "
            "aclexplode(d.datacl) a, pg_roles r WHERE r.oid = a.grantee "
            "AND a.privilege_type = 'CONNECT' AND r.rolname IN ({names}) "
            "AND {tenants}",
            names=SQL(", ").join(Literal(name) for name in names),
            tenants=_tenants("datname", NAMING.reserved_databases),
        )
        for name, database in talk.rows(statement, LOOK):
            found[str(name)].append(str(database))
    for granted in found.values():
        granted.sort()
    return found


def _tenants(column: str, reserved: typing.Iterable[str]) -> Composed:
    """A condition: the name is none of the service's."""
    return fill(
        "lower({column}::text) NOT IN ({names})",
        column=Identifier(column),
        names=SQL(", ").join(Literal(name) for name in sorted(reserved)),
    )


def _after(column: SQL, marker: str | None) -> Composed:
    if marker is None:
        return Composed([])
    return fill(' AND ({c}) COLLATE "C" > {m}', c=column, m=Literal(marker))


def _passes(check: typing.Callable[[str], None], name: str) -> bool:
    try:
        check(name)
    except errors.Invalid:
        return False
    return True


def exists(
    talk: Talk,
    table: typing.LiteralString,
    column: typing.LiteralString,
    name: str,
) -> bool:
    """Whether a catalogue has a row of that name."""
    statement = fill(
        "SELECT 1 FROM {table} WHERE {column} = {name}",
        table=Identifier(table),
        column=Identifier(column),
        name=Literal(name),
    )
    return bool(talk.rows(statement, WITHIN))
