# SPDX-License-Identifier: Apache-2.0
"""What lists and claims cost: statements that do not grow, indexes that are used."""

import contextlib
import re

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from trove.actions import turns
from trove.db.queries import datastores, instances, reports, schedules
from trove.db.session import Database, epoch_now
from trove.db.tables import Instance, Operation
from trove.model.states import LIVE, Task
from trove.rpc.messages import Report

MANY = 3000


@contextlib.contextmanager
def statements(database: Database):
    """The SQL that runs meanwhile."""
    seen: list[str] = []

    def note(connection, cursor, statement, *rest) -> None:
        seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(database.engine, "before_cursor_execute", note)
    seen[:] = [sql for sql in seen if not sql.startswith("BEGIN")]


def write(database: Database, count: int, replicas: bool = False) -> None:
    """Instances of two projects, each with a report; a few with an operation."""
    rows, work = [], []
    for n in range(count):
        id = f"{n:08d}-0000"
        rows.append(
            {
                "id": id,
                "project": "demo" if n % 3 == 0 else f"p{n % 50}",
                "name": f"db{n}",
                "task": Task.NONE,
                "version_id": "v",
                "flavor_id": "1",
                "source_id": f"{n - 1:08d}-0000" if replicas and n % 2 else None,
                "restart_required": False,
                "was_active": True,
                "ram": 1,
                "server_number": n,
                "created": 1.0,
                "updated": float(n),
                "deleted_at": 5.0 if n % 10 == 9 else None,
            }
        )
        due = n % 10 == 0
        work.append(
            {
                "id": f"op-{n}",
                "project": "demo",
                "object_type": "instance",
                "object_id": id,
                "kind": "instance.restart",
                "version": 1,
                "state": "running" if due else "done",
                "lock_key": f"instance:{id}" if due else None,
                "cancel": False,
                "pivot_passed": False,
                "fence": 0,
                "attempts": 0,
                "due": float(n),
                "deadline": 9e9,
                "created": 1.0,
                "updated": 1.0,
            }
        )
    with database.transaction() as tx:
        tx.execute(sa.insert(Instance.__table__), rows)
        tx.execute(sa.insert(Operation.__table__), work)
    with database.transaction() as tx:
        for row in rows[:60]:
            reports.record(tx, row["id"], Report(boot=1, seq=1, service="healthy"))


@pytest.mark.parametrize("count", [1, 60])
def test_a_list_costs_two_statements_however_long(database, count):
    write(database, count, replicas=True)
    with statements(database) as seen, database.reading() as tx:
        page = instances.page(tx, limit=100)
        assert len(page) >= min(count, 50)
        # nothing is loaded later, when a view looks
        for row in page:
            assert (row.instance.name, row.report.service, row.age is None) and row
    assert len(seen) == 2, seen


def test_one_instance_costs_the_same(database):
    write(database, 2)
    with statements(database) as seen, database.reading() as tx:
        instances.seen(tx, "00000000-0000", "demo")
    assert len(seen) == 2, seen


def test_the_usual_report_costs_one_statement(database):
    write(database, 1)
    with statements(database) as seen, database.transaction() as tx:
        reports.record(tx, "00000000-0000", Report(boot=1, seq=2, service="healthy"))
    assert len(seen) == 1, seen


def test_many_usual_reports_cost_two_statements(database):
    write(database, 60)
    said = [
        (f"{n:08d}-0000", Report(boot=1, seq=2, service="healthy"))
        for n in range(60)
        if n % 10 != 9  # deleted
    ]
    with statements(database) as seen, database.transaction() as tx:
        assert reports.record_all(tx, said) == []
    assert len(set(seen)) == 2, seen
    with database.reading() as tx:
        assert {reports.last(tx, id).seq for id, _ in said} == {2}


def test_every_datastore_costs_two_statements(database):
    with database.transaction() as tx:
        for n in range(10):
            datastores.register_version(tx, f"d{n}", "1", "1", manager="x")
    with statements(database) as seen, database.reading() as tx:
        assert len(datastores.all(tx)) == 10
    assert len(seen) == 2, seen


def plan(tx: orm.Session, statement: sa.Select) -> str:
    """How the database would carry the statement out."""
    name = tx.get_bind().dialect.name
    sql = statement.compile(tx.get_bind(), compile_kwargs={"literal_binds": True})
    ask = "EXPLAIN QUERY PLAN" if name == "sqlite" else "EXPLAIN"
    if name == "mysql":
        ask = "EXPLAIN FORMAT=JSON"
    rows = tx.connection().exec_driver_sql(f"{ask} {str(sql).replace('%', '%%')}")
    return "\n".join(" ".join(str(cell) for cell in row) for row in rows)


@pytest.fixture
def large(database):
    """A database in which an index is worth its while, and known to be."""
    write(database, MANY)
    name = database.engine.dialect.name
    tables = ("instances", "operations", "guest_reports")
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    if name != "sqlite":
        with engine.connect() as connection:
            for table in tables:
                verb = "ANALYZE" if name == "postgresql" else "ANALYZE TABLE"
                connection.exec_driver_sql(f"{verb} {table}")
    return database


def by_lock(how: str) -> bool:
    """SQLite has its own name for the index of a unique constraint."""
    return "uq_operations_lock" in how or "sqlite_autoindex_operations_3" in how


SORTS = re.compile(r"filesort|TEMP B-TREE FOR ORDER|(?<!Incremental )Sort  \(")
"""What the three say when they must order all rows before the first is known."""


@pytest.mark.parametrize("marker", [None, "00001500-0000"])
def test_a_page_is_read_from_its_index_in_order(large, marker):
    with large.reading() as tx:
        how = plan(tx, instances.page_ids("demo", 21, marker))
    assert "ix_instances_project_deleted_id" in how, how
    assert not SORTS.search(how), how


def test_the_rest_of_a_page_is_found_by_keys(large):
    with large.reading() as tx:
        how = plan(tx, instances.everything(instances.page_ids("demo", 21)))
    assert "ix_instances_project_deleted_id" in how, how
    assert by_lock(how), how


def test_everybodys_page_is_found_by_the_key(large):
    with large.reading() as tx:
        how = plan(tx, instances.page_ids(None, 21, "00001500-0000"))
    # SQLite prefers another of them, and sorts what it found by it
    keys = ("pk_instances", "PRIMARY", "SEARCH instances USING INDEX")
    assert any(key in how for key in keys), how


def test_an_administrators_list_is_found_by_its_index(large):
    with large.reading() as tx:
        how = plan(tx, instances.managed_ids(None, False, 21))
    assert "ix_instances_deleted_updated" in how, how
    assert not SORTS.search(how), how


def test_what_is_due_is_found_by_an_index(large):
    statement = (
        sa.select(Operation.id)
        .where(
            Operation.state.in_([str(state) for state in LIVE]),
            Operation.due <= epoch_now(),
            Operation.lock_key.is_not(None),
            sa.or_(
                Operation.lease_until.is_(None), Operation.lease_until < epoch_now()
            ),
        )
        .order_by(Operation.due)
        .limit(100)
    )
    with large.reading() as tx:
        how = plan(tx, statement)
    # those that hold a lock are as few as those that are due
    assert "ix_operations_state_due" in how or by_lock(how), how


@pytest.mark.parametrize("count", [1, 60])
def test_a_look_at_what_is_kept_costs_the_same_for_a_page(database, count):
    write(database, count)
    with database.transaction() as tx:
        for n in range(count):
            about = {"project": "demo", "minute": 0, "full_every": 1, "keep_days": 1}
            id = f"{n:08d}-0000"
            schedules.put(tx, id, enabled=True, next_due=1.0, **about)
    with statements(database) as seen, database.reading() as tx:
        wanted = turns.wanting(tx, schedules.page(tx, 100))
    # of those that are deleted nothing is there any more: their policies go
    assert wanted == [f"{n:08d}-0000" for n in range(count) if n % 10 == 9]
    assert len(seen) == 5, seen
