# SPDX-License-Identifier: Apache-2.0
"""Reports: in whatever order they come, the last one stays."""

import itertools

import sqlalchemy as sa

from trove.db.queries import reports
from trove.db.tables import Instance
from trove.rpc.messages import Report


def report(boot: int, seq: int, service: str = "healthy", **fields) -> Report:
    return Report(boot=boot, seq=seq, service=service, **fields)


def test_the_first_report_is_news(database):
    with database.transaction() as tx:
        outcome = reports.record(tx, "i-1", report(1, 1, "new"))
        assert outcome and outcome.changed
        assert reports.last(tx, "i-1").service == "new"


def test_the_same_state_is_no_news(database, clock):
    with database.transaction() as tx:
        reports.record(tx, "i-1", report(1, 1))
        changed_at = clock.now
        clock.now += 10
        outcome = reports.record(tx, "i-1", report(1, 2, disk_used=5))
        assert outcome and not outcome.changed
        row = reports.last(tx, "i-1")
        assert (row.received_at, row.changed_at) == (clock.now, changed_at)
        assert row.disk_used == 5


def test_another_state_is(database, clock):
    with database.transaction() as tx:
        reports.record(tx, "i-1", report(1, 1))
        clock.now += 10
        outcome = reports.record(tx, "i-1", report(1, 2, "crashed", why="signal 9"))
        assert outcome and outcome.changed
        row = reports.last(tx, "i-1")
        assert (row.changed_at, row.why) == (clock.now, "signal 9")


def test_an_older_or_repeated_report_is_dropped(database):
    with database.transaction() as tx:
        reports.record(tx, "i-1", report(2, 5))
        for older in (report(2, 5, "new"), report(2, 4, "new"), report(1, 99, "new")):
            assert not reports.record(tx, "i-1", older)
        assert reports.last(tx, "i-1").service == "healthy"


def test_a_restarted_guest_is_newer_whatever_its_sequence(database):
    with database.transaction() as tx:
        reports.record(tx, "i-1", report(1, 1000))
        assert reports.record(tx, "i-1", report(2, 0, "starting")).changed


def test_every_order_ends_the_same(database):
    said = [
        report(1, 1, "new"),
        report(1, 2, "starting"),
        report(2, 1, "starting"),
        report(2, 2, "healthy"),
    ]
    for number, order in enumerate(itertools.permutations(said)):
        with database.transaction() as tx:
            for one in order:
                reports.record(tx, f"i-{number}", one)
            row = reports.last(tx, f"i-{number}")
            assert (row.boot, row.seq, row.service) == (2, 2, "healthy")


def test_who_says_nothing_is_silent(database, clock):
    with database.transaction() as tx:
        reports.record(tx, "i-1", report(1, 1))
        clock.now += 50
        reports.record(tx, "i-2", report(1, 1))
        clock.now += 50
        assert reports.silent(tx, after=90, limit=10) == ["i-1"]
        assert reports.silent(tx, after=10, limit=10) == ["i-1", "i-2"]
        reports.forget(tx, "i-1")
        assert reports.silent(tx, after=10, limit=10) == ["i-2"]


def test_what_a_deleted_ones_guest_says_is_too_late(database, instance, clock):
    id = instance()
    with database.transaction() as tx:
        assert reports.record(tx, id, report(1, 1))
        reports.forget(tx, id)
        tx.get(Instance, id).deleted_at = clock()
        tx.flush()
        assert not reports.record(tx, id, report(1, 2))
        assert reports.last(tx, id) is None


def written(database, *said) -> list[str]:
    with database.transaction() as tx:
        return sorted(reports.record_all(tx, list(said)))


def there(database, *ids: str) -> list[tuple[int, int, str]]:
    with database.reading() as tx:
        rows = [reports.last(tx, id) for id in ids]
    return [(row.boot, row.seq, row.service) for row in rows]


def test_many_together_say_which_are_news(database):
    both = [("i-1", report(1, 1)), ("i-2", report(1, 1))]
    assert written(database, *both) == ["i-1", "i-2"]
    mixed = [("i-2", report(1, 2, "crashed")), ("i-1", report(1, 2))]
    assert written(database, *mixed, ("i-3", report(1, 1))) == ["i-2", "i-3"]
    assert there(database, "i-1", "i-2") == [(1, 2, "healthy"), (1, 2, "crashed")]


def test_together_too_an_older_one_loses(database):
    written(database, ("i-1", report(2, 5)), ("i-2", report(2, 5)))
    late = [("i-1", report(2, 4, "new")), ("i-2", report(1, 99, "new"))]
    assert written(database, *late) == []
    assert there(database, "i-1", "i-2") == [(2, 5, "healthy")] * 2


def test_two_of_one_guest_together_leave_the_last(database):
    written(database, ("i-1", report(1, 1, "new")))
    for first, second in ((2, 3), (5, 4)):
        written(
            database,
            ("i-1", report(1, first, "healthy")),
            ("i-1", report(1, second, "new")),
        )
    assert there(database, "i-1") == [(1, 5, "healthy")]


def test_a_hundred_cost_two_statements(database):
    said = [(f"i-{n:03d}", report(1, 1)) for n in range(100)]
    written(database, *said)
    seen: list[str] = []
    sa.event.listen(
        database.engine,
        "before_cursor_execute",
        lambda connection, cursor, sql, *rest: seen.append(sql.split()[0]),
    )
    written(database, *((id, report(1, 2)) for id, _ in said))
    assert seen == ["BEGIN", "SELECT", "UPDATE"]


def test_among_many_a_deleted_one_stays_away(database, instance, clock):
    id = instance()
    with database.transaction() as tx:
        tx.get(Instance, id).deleted_at = clock()
    assert written(database, (id, report(1, 1)), ("i-1", report(1, 1))) == ["i-1"]
    with database.reading() as tx:
        assert reports.last(tx, id) is None
