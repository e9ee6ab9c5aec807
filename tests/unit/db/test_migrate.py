# SPDX-License-Identifier: Apache-2.0
"""Migrations on SQLite; the three databases are in tests/contract/db."""

import pytest

from trove.db import migrate
from trove.db.session import Database


@pytest.fixture
def empty(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/db", timeout=0)
    yield made
    made.close()


def test_a_database_is_brought_to_the_newest_revision(empty):
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()


def test_and_back_to_nothing(empty):
    migrate.upgrade(empty)
    migrate.downgrade(empty, "base")
    assert migrate.current(empty) is None


def test_migrations_never_see_the_tables_of_today():
    for path in (migrate.location() / "versions").glob("*.py"):
        assert "trove" not in path.read_text(encoding="utf-8")
