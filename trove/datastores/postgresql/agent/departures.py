# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: what is taken away, and changed: grants, users, databases.

A user who goes takes nothing with him: what he made in a database goes to another user
of it. Where there is none it waits for the next who is granted the database.
"""

from psycopg.sql import SQL, Identifier, Literal

from trove import errors
from trove.datastores.postgresql.agent import accounts
from trove.datastores.postgresql.agent.accounts import HEIR, LOOK, WITHIN, Open
from trove.datastores.postgresql.agent.sql import Talk, fill
from trove.datastores.postgresql.spec import NAMING
from trove.datastores.protocol import Change

TIED = """\
SELECT DISTINCT d.datname FROM pg_shdepend s
JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass
AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = {user})"""
"""The databases in which something is a role's, or was granted to it."""

OWNING = """\
SELECT 1 FROM pg_shdepend s WHERE s.deptype = 'o'
AND s.classid <> 'pg_default_acl'::regclass
AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
AND s.refclassid = 'pg_authid'::regclass
AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = {user}) LIMIT 1"""


def delete_database(talk: Talk, name: str) -> None:
    """Whoever is in it is sent away."""
    NAMING.check_database(name)
    if not accounts.has_database(talk, name):
        raise errors.DatabaseNotFound(database=name)
    talk.rows(fill("DROP DATABASE {n} WITH (FORCE)", n=Identifier(name)), WITHIN)


def change_account(talk: Talk, name: str, change: Change) -> None:
    """The password first: should the rest fail, the account is as it was called."""
    _must_be(talk, name)
    if change.host not in (None, "%"):
        raise errors.Invalid(why="A user of this datastore has no host.")
    if change.name is not None:
        NAMING.check_user(change.name)
    user = Identifier(name)
    if change.password is not None:
        NAMING.check_password(change.password)
        verifier = talk.verifier(name, change.password)
        statement = fill(
            "ALTER ROLE {user} PASSWORD {verifier}",
            user=user,
            verifier=Literal(verifier),
        )
        talk.rows(statement, WITHIN)
    if change.name not in (None, name):
        new = str(change.name)
        if accounts.exists(talk, "pg_roles", "rolname", new):
            raise errors.Invalid(why=f"User {new}@% already exists.")
        rename = "ALTER ROLE {user} RENAME TO {new}"
        talk.rows(fill(rename, user=user, new=Identifier(new)), WITHIN)


def revoke(open_: Open, name: str, database: str) -> None:
    """He cannot enter it, and is sent away; what he made in it stays his."""
    NAMING.check_database(database)
    with open_("postgres") as talk:
        _must_be(talk, name)
        found = accounts.user(talk, name)
        if found is None or database not in found.databases:
            raise errors.DatabaseNotFound(database=database)
    user = Identifier(name)
    with open_(database) as talk:
        for what in (
            SQL("ALL TABLES IN SCHEMA public"),
            SQL("ALL SEQUENCES IN SCHEMA public"),
            SQL("ALL ROUTINES IN SCHEMA public"),
            SQL("SCHEMA public"),
            accounts.NAMES_POINTS,
            # last: by this one is known that there is something to revoke
            fill("DATABASE {d}", d=Identifier(database)),
        ):
            statement = "REVOKE ALL ON {what} FROM {user}"
            talk.rows(fill(statement, what=what, user=user), WITHIN)
        end_sessions(talk, name, database)


def delete_account(open_: Open, name: str) -> None:
    """A tenant's."""
    with open_("postgres") as talk:
        _must_be(talk, name)
    remove(open_, name)


def remove(open_: Open, name: str) -> None:
    """A role and its ties, and nothing else. Twice is once."""
    user = Identifier(name)
    with open_("postgres") as talk:
        if not accounts.exists(talk, "pg_roles", "rolname", name):
            return
        talk.rows(fill("ALTER ROLE {user} NOLOGIN", user=user), WITHIN)
        end_sessions(talk, name)
        _keep_databases(talk, name)
        if not accounts.exists(talk, "pg_roles", "rolname", HEIR):
            statement = fill("CREATE ROLE {heir} NOLOGIN", heir=Identifier(HEIR))
            talk.rows(statement, WITHIN)
        tied = talk.rows(fill(TIED, user=Literal(name)), LOOK)
    for (database,) in tied:
        if database != "postgres":
            with open_(str(database)) as talk:
                _untie(talk, name)
    with open_("postgres") as talk:
        _untie(talk, name)
        talk.rows(fill("DROP ROLE {user}", user=user), WITHIN)


def end_sessions(talk: Talk, name: str, database: str | None = None) -> None:
    """Sends a user away, from one database or from all."""
    statement = fill(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {user}",
        user=Literal(name),
    )
    if database is not None:
        statement += fill(" AND datname = {database}", database=Literal(database))
    talk.rows(statement, LOOK)


def _keep_databases(talk: Talk, name: str) -> None:
    """Whole databases that he owns are the service's, as if it had made them."""
    owned = fill(
        "SELECT datname FROM pg_database WHERE datdba = "
        "(SELECT oid FROM pg_roles WHERE rolname = {user})",
        user=Literal(name),
    )
    for (database,) in talk.rows(owned, LOOK):
        statement = "ALTER DATABASE {d} OWNER TO postgres"
        talk.rows(fill(statement, d=Identifier(str(database))), WITHIN)


def _untie(talk: Talk, name: str) -> None:
    """In one database: what is his goes to another, what was granted to him goes."""
    others = [o for o in accounts.sharers(talk, name) if o != accounts.ROOT]
    heir = Identifier(others[0] if others else HEIR)
    user = Identifier(name)
    talk.rows(fill("REASSIGN OWNED BY {u} TO {heir}", u=user, heir=heir), WITHIN)
    if talk.rows(fill(OWNING, user=Literal(name)), LOOK):
        # the next statement would drop it
        raise errors.EngineFailed(why=f"something of {name} has no other owner yet")
    talk.rows(fill("DROP OWNED BY {u}", u=user), WITHIN)


def _must_be(talk: Talk, name: str) -> None:
    if not accounts.is_user(talk, name):
        raise errors.UserNotFound(user=f"{name}@%")
