# SPDX-License-Identifier: Apache-2.0
"""A service of the release before goes on under a migration, and after it (T26).

Of each migration: what the tables were before it is all that the old service knows. It
inserts, reads, changes and deletes rows of every one of them, without an error, before,
during and after the upgrade. Migrations that only add pass; the others are found out.
"""

import contextlib
import itertools
import shutil
import threading

import pytest
import sqlalchemy as sa
from alembic import command, config
from alembic.script import ScriptDirectory

from trove.db import dialects, migrate

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = {head!r}


def upgrade():
    {upgrade}


def downgrade():
    pass
"""

ADDS = """
    op.add_column("instances", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("operations", sa.Column("weight", sa.Integer(), server_default="1"))
    op.create_index("ix_instances_name", "instances", ["name"])
    op.create_table("notes", sa.Column("id", sa.String(36), primary_key=True))
"""

TAKES = {
    "a column": """
    with op.batch_alter_table("instances") as batch:
        batch.drop_column("hostname")
""",
    "a name": """
    with op.batch_alter_table("instances") as batch:
        batch.alter_column(
            "hostname", new_column_name="host", existing_type=sa.String(255)
        )
""",
    "a table": """
    op.drop_table("service_processes")
""",
    "the right to say nothing": """
    with op.batch_alter_table("instances") as batch:
        batch.add_column(sa.Column("x", sa.Integer(), server_default="0"))
    with op.batch_alter_table("instances") as batch:
        batch.alter_column(
            "x", server_default=None, nullable=False, existing_type=sa.Integer()
        )
""",
    "the right to be empty": """
    with op.batch_alter_table("instances") as batch:
        batch.alter_column("fault", nullable=False, existing_type=sa.Text())
""",
}


def pairs():
    """Each revision and the one before it, as they are in the tree."""
    settings = config.Config()
    settings.set_main_option("script_location", str(migrate.location()))
    for script in ScriptDirectory.from_config(settings).walk_revisions():
        if script.down_revision is not None:
            yield script.down_revision, script.revision


@pytest.fixture
def to(bare, tmp_path):
    """Migrates the database; ``next`` is one more migration than there is."""
    place = tmp_path / "alembic"
    shutil.copytree(migrate.location(), place)

    def go(revision, text=""):
        if text:
            about = NEXT.format(head=migrate.head(), upgrade=text.strip())
            (place / "versions" / "9999_next.py").write_text(about)
        settings = config.Config()
        settings.set_main_option("script_location", str(place).replace("%", "%%"))
        with bare.engine.connect() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, revision)

    return go


class OldService:
    """What a process of the release before does all day, in a thread."""

    def __init__(self, database):
        self._database = database
        self._known = sa.MetaData()
        self._known.reflect(database.engine)
        self._over = threading.Event()
        self._numbers = itertools.count(1)
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self.faults = []

    def work(self):
        """A row of every table: made, read, changed, and taken away."""
        number = next(self._numbers)
        for table in self._known.sorted_tables:
            if table.name != "alembic_version":
                self._database.run(lambda tx, t=table: self._row(tx, t, number))

    def _row(self, tx, table, number):
        row = {
            column.name: value(column, number)
            for column in table.columns
            if column.primary_key or not column.nullable
        }
        mine = sa.and_(*(column == row[column.name] for column in table.primary_key))
        tx.execute(sa.insert(table).values(row))
        found = tx.execute(sa.select(table).where(mine)).mappings().one()
        assert set(found) == set(table.columns.keys())
        tx.execute(sa.update(table).where(mine).values(dict(found)))
        tx.execute(sa.delete(table).where(mine))

    def _run(self):
        while not self._over.is_set():
            try:
                self.work()
                self.rounds += 1
            except Exception as fault:  # noqa: BLE001 - told to the test
                self.faults.append(fault)
                return

    @contextlib.contextmanager
    def busy(self):
        """Works while the block lasts."""
        self._thread.start()
        try:
            yield
            seen = self.rounds
            while self._thread.is_alive() and self.rounds < seen + 2:
                self._over.wait(0.01)
        finally:
            self._over.set()
            self._thread.join()


def value(column, number):
    """Something that fits."""
    kind = column.type
    if isinstance(kind, sa.JSON):
        return {"n": number}
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.Integer | sa.Numeric):
        return number % 2 if getattr(kind, "display_width", None) == 1 else number
    return f"{number}"


def test_the_next_migration_may_add(bare, to):
    """What a migration of ours looks like: the old service does not notice."""
    to("head")
    old = OldService(bare)
    with old.busy():
        to("head", ADDS)
    assert old.faults == []
    assert old.rounds > 2


@pytest.mark.parametrize("what", TAKES)
def test_a_migration_that_takes_something_is_found(bare, to, what):
    """The test above can fail: these would stop a service that is not yet upgraded."""
    to("head")
    old = OldService(bare)
    old.work()
    to("head", TAKES[what])
    with pytest.raises((*dialects.Failed, sa.exc.NoSuchTableError)) as found:
        old.work()
    assert not dialects.lost(found.value)


def test_each_migration_there_is_only_adds(bare, to):
    """T26: from the first to the newest, one after the other, under the old service."""
    for before, after in reversed([*pairs()]):
        to(before)
        old = OldService(bare)
        with old.busy():
            to(after)
        assert old.faults == [], (before, after)
    to("head")
    assert migrate.current(bare) == migrate.head()
