# SPDX-License-Identifier: Apache-2.0
"""Migrations: up, down and up again, with rows, on each database."""

import subprocess
import sys
import typing

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from trove.db import migrate
from trove.db.session import Database
from trove.db.tables import Record

MIGRATE = """
import sys
from trove.db import migrate, session
migrate.upgrade(session.Database(sys.argv[1], timeout=0))
"""


def differences(database: Database) -> list[typing.Any]:
    options = {"compare_type": True, "compare_server_default": True}
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, Record.metadata)


def fill(database: Database) -> None:
    """A row in every table, with every column filled."""
    samples: dict[type, typing.Any] = {
        sa.Integer: 7,
        sa.BigInteger: 2**40,
        sa.Double: 1795389863.547285,
        sa.Boolean: True,
        sa.JSON: {"name": "ünï"},
    }
    with database.transaction() as tx:
        for table in Record.metadata.sorted_tables:
            values = {}
            for column in table.columns:
                kind = next((k for k in samples if isinstance(column.type, k)), None)
                values[column.name] = samples.get(kind, "✓ text")
            tx.execute(table.insert().values(values))


def test_the_tables_are_as_declared(bare):
    migrate.upgrade(bare)
    assert migrate.current(bare) == migrate.head()
    assert differences(bare) == []


def test_up_down_and_up_again_with_rows(bare):
    migrate.upgrade(bare)
    fill(bare)
    migrate.downgrade(bare, "base")
    assert migrate.current(bare) is None
    assert set(sa.inspect(bare.engine).get_table_names()) <= {"alembic_version"}
    migrate.upgrade(bare)
    fill(bare)
    migrate.upgrade(bare)
    with bare.reading() as tx:
        for table in Record.metadata.sorted_tables:
            row = tx.execute(sa.select(table)).one()
            assert None not in row
    assert differences(bare) == []


def test_processes_that_start_together_migrate_once(bare):
    url = bare.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", MIGRATE, url]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert migrate.current(bare) == migrate.head()


def test_a_revision_of_a_later_release_is_told_from_ours():
    assert migrate.known(migrate.head())
    assert not migrate.known("9999")


def test_an_unknown_revision_is_an_error(bare):
    migrate.upgrade(bare)
    with pytest.raises(Exception, match="9999"):
        migrate.downgrade(bare, "9999")
