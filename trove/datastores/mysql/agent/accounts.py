# SPDX-License-Identifier: Apache-2.0
"""The databases and users of tenants as MySQL has them, and its root.

The server makes the hash of a password itself: no library makes its kind, SHA-crypt
with twenty bytes of salt. It writes such a statement down without the password, in
every log that it has, and with the hash in the one that replicas read.
"""

from trove.datastores.classic.accounts import Accounts, Dialect
from trove.datastores.classic.root import WHO, Root, end_sessions
from trove.datastores.classic.sql import Talk, literal
from trove.datastores.mysql.spec import NAMING

SESSIONS = "information_schema.processlist"
"""Its other table of them is empty where the performance schema is off."""

PRIVILEGES = (
    "ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, "
    "CREATE USER, CREATE VIEW, DELETE, DROP, EVENT, EXECUTE, INDEX, INSERT, "
    "LOCK TABLES, PROCESS, REFERENCES, REPLICATION CLIENT, SELECT, SHOW DATABASES, "
    "SHOW VIEW, TRIGGER, UPDATE, "
    # instead of RELOAD, with which one also throws the binary log away
    "FLUSH_OPTIMIZER_COSTS, FLUSH_STATUS, FLUSH_TABLES, FLUSH_USER_RESOURCES, "
    "SHOW_ROUTINE"
)
WRITES = (
    "ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, "
    "CREATE VIEW, DELETE, DROP, EVENT, INDEX, INSERT, LOCK TABLES, REFERENCES, "
    "TRIGGER, UPDATE"
)
"""Who can write to the system's own tables can give himself everything."""


def _proof(password: str) -> str:
    return f"IDENTIFIED WITH caching_sha2_password BY {literal(password)}"


def _leave(talk: Talk, name: str) -> None:
    end_sessions(talk, SESSIONS, f"user = {literal(name)}")


ACCOUNTS = Accounts(
    Dialect(
        naming=NAMING,
        collation="utf8mb4_0900_bin",
        table="mysql.user",
        # what CREATE ROLE makes, and a user never is
        people=(
            "NOT (account_locked = 'Y' AND password_expired = 'Y' "
            "AND authentication_string = '')"
        ),
        free="ssl_type IN ('', 'ANY')",
        certified="ssl_type = 'X509'",
        # With partial_revokes a grant means the very name; nothing in it is a pattern.
        patterns=False,
        proof=_proof,
        leave=_leave,
    )
)

ROOT = Root(
    ACCOUNTS,
    (
        # Nobody comes while it may do more than it is to.
        f"ALTER USER {WHO} ACCOUNT LOCK",
        f"GRANT {PRIVILEGES} ON *.* TO {WHO} WITH GRANT OPTION",
        *(f"REVOKE {WRITES} ON {name}.* FROM {WHO}" for name in ("mysql", "sys")),
        f"REVOKE {WRITES}, EXECUTE, SELECT, SHOW VIEW ON trove_internal.* FROM {WHO}",
        f"ALTER USER {WHO} ACCOUNT UNLOCK",
    ),
    SESSIONS,
)
