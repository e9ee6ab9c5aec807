# SPDX-License-Identifier: Apache-2.0
"""What unit tests of rows share: a database of one test, its clock, and rows."""

import itertools

import pytest
from cryptography import fernet

from trove.db import types
from trove.db.queries import datastores
from trove.db.session import Database
from trove.db.tables import Instance, Operation, Record
from trove.model.states import OperationState, Task


class Clock:
    """The database's clock, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(clock):
    """An empty database in memory, on the test's clock."""
    types.use_key(fernet.Fernet.generate_key())
    made = Database("sqlite://", clock=clock, pool_timeout=1)
    Record.metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def instance(database, clock):
    """``instance(...)`` writes an instance's row; answers its id."""
    numbers = itertools.count(1)

    def make(id: str | None = None, **columns) -> str:
        number = next(numbers)
        id = id or f"i-{number:03}"
        with database.transaction() as tx:
            if "version_id" not in columns:
                row = datastores.register_version(
                    tx, "mariadb", "10.11", "10.11.9", manager="mariadb", default=True
                )
                columns["version_id"] = row.id
            values = {
                "project": "demo",
                "name": f"db-{number}",
                "task": Task.NONE,
                "flavor_id": "1",
                "volume_size": 5,
                "ram": 1024,
                "was_active": True,
                "server_number": number,
                "created": clock(),
                "updated": clock(),
            }
            tx.add(Instance(id=id, **(values | columns)))
        return id

    return make


@pytest.fixture
def operation(database, clock):
    """``operation(object_id, ...)`` writes an operation's row; answers its id."""
    numbers = itertools.count(1)

    def make(object_id: str, **columns) -> str:
        id = f"op-{next(numbers):03}"
        state = columns.get("state", OperationState.RUNNING)
        over = state in (OperationState.DONE, OperationState.FAILED)
        values = {
            "project": "demo",
            "object_type": "instance",
            "object_id": object_id,
            "kind": "instance.restart",
            "state": OperationState.RUNNING,
            "lock_key": None if over else f"instance:{object_id}",
            "input": None if over else {"password": "canary-input"},
            "due": clock(),
            "deadline": clock() + 3600,
            "request_id": "req-1",
            "created": clock(),
            "updated": clock(),
        }
        with database.transaction() as tx:
            tx.add(Operation(id=id, **(values | columns)))
        return id

    return make
