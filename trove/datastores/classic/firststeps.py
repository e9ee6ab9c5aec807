# SPDX-License-Identifier: Apache-2.0
"""How a user comes into such a server from outside; for whoever begins with one."""

import pymysql

from trove import errors
from trove.datastores.spec import Entrance


def enter(title: str, where: Entrance) -> tuple[str, str]:
    """What the server says it is, after its title, and the cipher of the connection."""
    connection = pymysql.connect(
        host=where.address,
        port=where.port,
        user=where.user,
        password=where.password.encode(),  # as text, PyMySQL knows latin-1 only
        database=where.database,
        connect_timeout=20,
        ssl={"ca": where.authority, "check_hostname": True},
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        version = cursor.fetchone()
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        cipher = cursor.fetchone()
    if version is None or cipher is None:
        raise errors.Internal(why=f"{title} did not answer")
    return f"{title} {version[0]}", str(cipher[1])
