# SPDX-License-Identifier: Apache-2.0
"""The guest half of the toy."""

from toykv.agent.engine import Toy
from toykv.spec import DATASTORE
from trove.datastores.protocol import Engine, Host


def engine(host: Host, port: int = DATASTORE.port) -> Engine:
    """The engine on this machine."""
    return Toy(host, port)
