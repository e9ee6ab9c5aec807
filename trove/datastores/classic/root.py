# SPDX-License-Identifier: Apache-2.0
"""A root for a tenant who asks for it: root@%, by password.

The agent's own root@localhost is another account; it knows no password, and the engine
asks the kernel who comes. The privileges are named, by each engine: those with which
one leaves the database (FILE), stops it, or writes when the disk is full are not among
them.
"""

import typing

import pymysql

from trove.datastores.classic import accounts
from trove.datastores.classic.sql import NO_SUCH_SESSION, Talk, code

WHO = "'root'@'%'"


class Root:
    """``granted``: the statements that give it what it may do."""

    def __init__(
        self, own: accounts.Accounts, granted: typing.Sequence[str], sessions: str
    ) -> None:
        self._accounts = own
        self._granted = granted
        self._sessions = sessions

    def enable(self, talk: Talk, password: str, certified: bool = False) -> None:
        """Has it be there, with this password; ``certified``: and a certificate."""
        proof = self._accounts.proof(password)
        if certified:
            proof += accounts.CERTIFIED
        for statement in (
            f"CREATE USER IF NOT EXISTS {WHO} {proof}",
            f"ALTER USER {WHO} {proof}",
            *self._granted,
        ):
            talk.rows(statement, accounts.WITHIN)

    def disable(self, talk: Talk) -> None:
        """Has it not be there, and who came by it be away."""
        talk.rows(f"DROP USER IF EXISTS {WHO}", accounts.WITHIN)
        end_sessions(
            talk, self._sessions, "user = 'root' AND host NOT IN ('', 'localhost')"
        )


def end_sessions(talk: Talk, table: str, condition: str) -> None:
    """Sends away whom the condition finds; one that left by itself is away."""
    statement = f"SELECT id FROM {table} WHERE {condition}"  # noqa: S608 - quoted
    for (number,) in talk.rows(statement, accounts.LOOK):
        try:
            talk.rows(f"KILL {int(number)}", accounts.WITHIN)
        except pymysql.MySQLError as failed:
            if code(failed) != NO_SUCH_SESSION:
                raise
