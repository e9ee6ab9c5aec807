# SPDX-License-Identifier: Apache-2.0
"""Databases of MariaDB in SQL, by mariadb-dump."""

from trove.datastores.classic import dumps
from trove.datastores.classic.places import Places
from trove.datastores.mariadb.agent.accounts import ACCOUNTS
from trove.datastores.mariadb.agent.sql import Talk
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Host

DIALECT = dumps.Dialect(
    program="mariadb-dump",
    words=(),
    talk=Talk,
    accounts=ACCOUNTS,
    rights="SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES",
    # the right to a database's routines alone is of 11.3
    beyond=f"GRANT SELECT ON mysql.proc TO {dumps.WHO}",
    client=("mariadb", "--sandbox"),
    user=DATASTORE.user,
)


def tool(host: Host, places: Places) -> dumps.Tool:
    """How its databases are said."""
    return dumps.Tool(host, places, DIALECT)
