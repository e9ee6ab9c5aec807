# SPDX-License-Identifier: Apache-2.0
"""A journal on SQLite, with a clock that only moves when told."""

import dataclasses
import typing

import pytest
from cryptography import fernet

from trove.db import types
from trove.db.session import Database
from trove.db.tables import Record
from trove.workflow import journal
from trove.workflow.claims import Claim, Claims

types.use_key(fernet.Fernet.generate_key())


@dataclasses.dataclass
class Desk:
    """The database, its clock, and workers with names."""

    moment: float = 1000.0

    def __post_init__(self) -> None:
        self.database = Database("sqlite://", clock=self.now, sleep=lambda s: None)
        Record.metadata.create_all(self.database.engine)

    def now(self) -> float:
        return self.moment

    def claims(self, owner: str = "a", lease: float = 30.0) -> Claims:
        return Claims(self.database, owner, lease=lease, clock=self.now)

    def accept(self, object_id: str = "i", **more: typing.Any) -> str:
        given = {
            "kind": "test",
            "project": "p",
            "object_type": "instance",
            "input": {"password": "canary-7f3"},
            "deadline": 600.0,
            "request_id": "req-1",
        } | more
        return self.database.run(
            lambda tx: journal.open(tx, object_id=object_id, **given)
        )

    def take(self, operation: str, owner: str = "a") -> Claim:
        claim = self.claims(owner).take(operation)
        assert claim is not None
        return claim


@pytest.fixture
def desk() -> Desk:
    return Desk()
