# SPDX-License-Identifier: Apache-2.0
"""How a user comes into a MySQL from outside; for whoever begins with one."""

from trove.datastores.classic import firststeps
from trove.datastores.spec import Entrance

CLIENT = (
    "mysql --ssl-ca={authority} --ssl-mode=VERIFY_IDENTITY -h {address} -u {user} "
    "-p {database}"
)


def enter(where: Entrance) -> tuple[str, str]:
    """What the server says it is, and the cipher of the connection."""
    return firststeps.enter("MySQL", where)
