# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants as MariaDB has them, and its root."""

from trove.datastores.classic.accounts import WITHIN, Accounts, Dialect
from trove.datastores.classic.root import WHO, Root
from trove.datastores.classic.sql import Talk, literal
from trove.datastores.mariadb.agent.sql import native_hash
from trove.datastores.mariadb.spec import NAMING

TLS = "COALESCE(JSON_VALUE(Priv, '$.ssl_type'), 0)"
"""What an account asks of its connections: 2 is REQUIRE X509."""

SESSIONS = "information_schema.processlist"

PRIVILEGES = (
    "ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, "
    "CREATE USER, CREATE VIEW, DELETE, DELETE HISTORY, DROP, EVENT, EXECUTE, INDEX, "
    "INSERT, LOCK TABLES, PROCESS, REFERENCES, RELOAD, BINLOG MONITOR, SELECT, "
    "SHOW DATABASES, SHOW VIEW, TRIGGER, UPDATE"
)


def _proof(password: str) -> str:
    return (
        f"IDENTIFIED VIA mysql_native_password USING {literal(native_hash(password))}"
    )


def _leave(talk: Talk, name: str) -> None:
    talk.rows(f"KILL USER {literal(name)}", WITHIN)


ACCOUNTS = Accounts(
    Dialect(
        naming=NAMING,
        collation="utf8mb4_nopad_bin",
        table="mysql.global_priv",
        people="COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 0",
        free=f"{TLS} IN (0, 1)",
        certified=f"{TLS} IN (2)",
        patterns=True,
        proof=_proof,
        leave=_leave,
    )
)

ROOT = Root(
    ACCOUNTS,
    (f"GRANT {PRIVILEGES} ON *.* TO {WHO} WITH GRANT OPTION",),
    SESSIONS,
)
