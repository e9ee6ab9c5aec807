# SPDX-License-Identifier: Apache-2.0
"""How such a server is looked at, by its socket."""

import abc

import pymysql

from trove.datastores.classic.sql import Talk, crowded
from trove.datastores.protocol import Health
from trove.datastores.pulse import Left

ANSWER_TIMEOUT = 1.0
# The probe is nobody's data: it must not travel to replicas or fill the binary log.
UNLOGGED = "SET SESSION sql_log_bin = 0"


class Probe(abc.ABC):
    """The half of ``pulse.Probe`` that is the same for each; ``kind``: its ``Talk``."""

    failures = (pymysql.MySQLError, OSError)
    kind: type[Talk]

    def __init__(self, path: str) -> None:
        self._path = path

    def connect(self) -> Talk:
        """A new connection, if it takes one in time."""
        return self.kind(self._path, ANSWER_TIMEOUT)

    def crowded(self, failed: Exception) -> bool:
        """Whether all connections are in use, also the administrator's."""
        return crowded(failed)

    @abc.abstractmethod
    def look(self, talk: Talk, left: Left) -> Health:
        """Who it is."""

    @abc.abstractmethod
    def write(self, talk: Talk, found: Health, left: Left) -> None:
        """Writes a row that is nobody's data."""
