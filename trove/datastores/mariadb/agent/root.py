# SPDX-License-Identifier: Apache-2.0
"""MariaDB's root for a tenant who asks for it: root@%, by password.

The agent's own root@localhost is another account; it knows no password, and the engine
asks the kernel who comes. The privileges are named: those with which one leaves the
database (FILE), stops it, or writes when the disk is full are not among them.
"""

from trove.datastores.mariadb.agent import accounts
from trove.datastores.mariadb.agent.sql import Talk, literal, native_hash
from trove.datastores.mariadb.spec import NAMING

WHO = "'root'@'%'"

PRIVILEGES = (
    "ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, "
    "CREATE USER, CREATE VIEW, DELETE, DELETE HISTORY, DROP, EVENT, EXECUTE, INDEX, "
    "INSERT, LOCK TABLES, PROCESS, REFERENCES, RELOAD, BINLOG MONITOR, SELECT, "
    "SHOW DATABASES, SHOW VIEW, TRIGGER, UPDATE"
)


def enable(talk: Talk, password: str, certified: bool = False) -> None:
    """Has it be there, with this password; ``certified``: and with a certificate."""
    NAMING.check_password(password)
    proof = (
        f"IDENTIFIED VIA mysql_native_password USING {literal(native_hash(password))}"
    )
    if certified:
        proof += accounts.CERTIFIED
    within = accounts.WITHIN
    talk.rows(f"CREATE USER IF NOT EXISTS {WHO} {proof}", within)
    talk.rows(f"ALTER USER {WHO} {proof}", within)
    talk.rows(f"GRANT {PRIVILEGES} ON *.* TO {WHO} WITH GRANT OPTION", within)


def disable(talk: Talk) -> None:
    """Has it not be there, and who came by it be away."""
    talk.rows(f"DROP USER IF EXISTS {WHO}", accounts.WITHIN)
    statement = (
        "SELECT id FROM information_schema.processlist "
        "WHERE user = 'root' AND host NOT IN ('', 'localhost')"
    )
    for (number,) in talk.rows(statement, accounts.LOOK):
        talk.rows(f"KILL {int(number)}", accounts.WITHIN)
