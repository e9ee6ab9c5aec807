# SPDX-License-Identifier: Apache-2.0
"""A database and a cloud for the keepers of house."""

import pytest

from trove.cloud.memory import MemoryCloud
from trove.db.session import Database
from trove.db.tables import Record


class House:
    """A clock, a database, a cloud, and the broker's users."""

    def __init__(self):
        self.moment = 1000.0
        self.database = Database("sqlite://", clock=lambda: self.moment)
        Record.metadata.create_all(self.database.engine)
        self.cloud = MemoryCloud(deployment="here", clock=lambda: self.moment)
        self.users = Users()

    def add(self, *rows):
        with self.database.transaction() as tx:
            tx.add_all(rows)


class Users:
    def __init__(self):
        self.there = set()

    def guests(self):
        return sorted(self.there)

    def remove_guest(self, instance):
        self.there.discard(instance)


@pytest.fixture
def house():
    return House()
