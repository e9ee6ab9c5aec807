# SPDX-License-Identifier: Apache-2.0
"""The guest half of MySQL."""

from trove.datastores.mysql.agent.engine import MySQL
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import Engine, Host


def engine(host: Host, port: int = DATASTORE.port) -> Engine:
    """The engine on this machine."""
    return MySQL(host, port)
