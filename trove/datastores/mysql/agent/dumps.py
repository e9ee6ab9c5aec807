# SPDX-License-Identifier: Apache-2.0
"""Databases of MySQL in SQL, by mysqldump."""

from trove.datastores.classic import dumps
from trove.datastores.classic.places import Places
from trove.datastores.mysql.agent.accounts import ACCOUNTS
from trove.datastores.mysql.agent.sql import Talk
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import Host

DIALECT = dumps.Dialect(
    program="mysqldump",
    # whose history it is matters to replicas, and would be refused elsewhere
    words=("--set-gtid-purged=OFF",),
    talk=Talk,
    accounts=ACCOUNTS,
    rights="SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES",
    beyond=f"GRANT SHOW_ROUTINE ON *.* TO {dumps.WHO}",
    client=("mysql",),
    user=DATASTORE.user,
)


def tool(host: Host, places: Places) -> dumps.Tool:
    """How its databases are said."""
    return dumps.Tool(host, places, DIALECT)
