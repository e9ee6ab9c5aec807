# SPDX-License-Identifier: Apache-2.0
"""How a user comes into a MariaDB from outside; for whoever begins with one."""

from trove.datastores.classic import firststeps
from trove.datastores.spec import Entrance

CLIENT = (
    "mariadb --ssl-ca={authority} --ssl-verify-server-cert -h {address} -u {user} "
    "-p {database}"
)


def enter(where: Entrance) -> tuple[str, str]:
    """What the server says it is, and the cipher of the connection."""
    return firststeps.enter("MariaDB", where)
