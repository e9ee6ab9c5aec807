# SPDX-License-Identifier: Apache-2.0
"""A conversation with MySQL."""

from trove.datastores.classic import sql


class Talk(sql.Talk):
    """As every agent's, and bound by nothing that MySQL has to bind a session."""

    unbound = (
        "SET SESSION max_execution_time = 0, wait_timeout = 3600, "
        "lock_wait_timeout = 5, innodb_lock_wait_timeout = 5, sql_big_selects = ON, "
        "transaction_isolation = 'REPEATABLE-READ', "
        # what the agent does is nobody's to read, and not a tenant's work; a session
        # has no switch for the log of slow statements, but says what is one
        "sql_log_off = ON, long_query_time = 31536000, "
        "min_examined_row_limit = 4294967295"
    )
    bounds = "SET SESSION max_execution_time = {1}"
