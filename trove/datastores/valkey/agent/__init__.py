# SPDX-License-Identifier: Apache-2.0
"""The guest half of Valkey."""

from trove.datastores.protocol import Engine, Host
from trove.datastores.valkey.agent.engine import Valkey
from trove.datastores.valkey.spec import DATASTORE


def engine(host: Host, port: int = DATASTORE.port) -> Engine:
    """The engine on this machine."""
    return Valkey(host, port)
