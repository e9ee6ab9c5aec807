# SPDX-License-Identifier: Apache-2.0
"""The guest half of PostgreSQL."""

from trove.datastores.postgresql.agent.engine import PostgreSQL
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Engine, Host


def engine(host: Host, port: int = DATASTORE.port) -> Engine:
    """The engine on this machine."""
    return PostgreSQL(host, port)
