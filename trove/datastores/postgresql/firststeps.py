# SPDX-License-Identifier: Apache-2.0
"""How a user comes into a PostgreSQL from outside; for whoever begins with one."""

import psycopg

from trove import errors
from trove.datastores.spec import Entrance

CLIENT = (
    'psql "host={address} user={user} dbname={database} sslmode=verify-full '
    'sslrootcert={authority}"'
)


def enter(where: Entrance) -> tuple[str, str]:
    """What the server says it is, and the cipher of the connection."""
    with psycopg.connect(
        host=where.address,
        port=where.port,
        user=where.user,
        password=where.password,
        dbname=where.database,
        connect_timeout=20,
        sslmode="verify-full",
        sslrootcert=where.authority,
    ) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), cipher FROM pg_stat_ssl "
            "WHERE pid = pg_backend_pid()"
        ).fetchone()
    if row is None:
        raise errors.Internal(why="PostgreSQL did not answer")
    return f"PostgreSQL {row[0]}", str(row[1])
