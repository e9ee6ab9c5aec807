# SPDX-License-Identifier: Apache-2.0
"""The guest half of MariaDB."""

from trove.datastores.mariadb.agent.engine import MariaDB
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Engine, Host


def engine(host: Host, port: int = DATASTORE.port) -> Engine:
    """The engine on this machine."""
    return MariaDB(host, port)
