# SPDX-License-Identifier: Apache-2.0
"""A conversation with MariaDB, and its own hash of a password."""

import hashlib

from trove.datastores.classic import sql


class Talk(sql.Talk):
    """As every agent's, and bound by nothing that MariaDB has to bind a session."""

    unbound = (
        "SET SESSION max_statement_time = 0, wait_timeout = 3600, "
        "lock_wait_timeout = 5, innodb_lock_wait_timeout = 5, "
        "idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0, "
        "idle_write_transaction_timeout = 0, tx_isolation = 'REPEATABLE-READ', "
        # what the agent does is nobody's to read, and not a tenant's work
        "sql_log_off = ON, slow_query_log = OFF"
    )
    bounds = "SET SESSION max_statement_time = {0:.3f}"


def native_hash(password: str) -> str:
    """What the server keeps of a password, made here so that it never sees the text."""
    # The engine's own format; every client can log in with it.
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    outer = hashlib.sha1(inner, usedforsecurity=False)
    return "*" + outer.hexdigest().upper()
