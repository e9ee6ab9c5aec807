# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's root for a tenant who asks for it: no superuser, but all that is theirs.

A superuser runs programs on the machine and writes its files. This one reads and
writes every table, makes databases and looks at everything; it makes users only where
the engine keeps it from making itself more than it is (16 and later).
"""

from psycopg.sql import SQL, Identifier, Literal

from trove.datastores.postgresql.agent import accounts, departures
from trove.datastores.postgresql.agent.accounts import LOOK, ROOT, WITHIN, Open
from trove.datastores.postgresql.agent.sql import Talk, fill
from trove.datastores.postgresql.spec import NAMING

MAKES_USERS = 160000
"""Before it, CREATEROLE is nearly a superuser: it takes any other role for itself."""

MEMBER = (
    "pg_monitor",
    "pg_signal_backend",
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_checkpoint",
)

ALL = 100000
"""More databases than a server here can have."""


def enable(open_: Open, password: str) -> None:
    """Has it be there, with this password, in every database there is."""
    NAMING.check_password(password)
    with open_("postgres") as talk:
        _role(talk, password)
        talk.rows(fill("GRANT CONNECT ON DATABASE postgres TO {r}", r=WHO), WITHIN)
        names = accounts.databases(talk, ALL, None)
    for name in names:
        with open_(name) as talk:
            accounts.grant(talk, ROOT, name)


def disable(open_: Open) -> None:
    """Has it not be there; what it made is there."""
    departures.remove(open_, ROOT)


WHO = Identifier(ROOT)


def _role(talk: Talk, password: str) -> None:
    there = accounts.exists(talk, "pg_roles", "rolname", ROOT)
    ((version,),) = talk.rows("SHOW server_version_num", LOOK)
    users = int(version) >= MAKES_USERS
    statement = fill(
        "{verb} ROLE {who} LOGIN PASSWORD {verifier} NOSUPERUSER CREATEDB {users} "
        "NOREPLICATION NOBYPASSRLS",
        verb=SQL("ALTER" if there else "CREATE"),
        who=WHO,
        verifier=Literal(talk.verifier(ROOT, password)),
        users=SQL("CREATEROLE" if users else "NOCREATEROLE"),
    )
    talk.rows(statement, WITHIN)
    for role in MEMBER:
        if accounts.exists(talk, "pg_roles", "rolname", role):
            talk.rows(
                fill("GRANT {role} TO {who}", role=Identifier(role), who=WHO), WITHIN
            )
