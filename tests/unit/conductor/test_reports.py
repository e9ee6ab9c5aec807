# SPDX-License-Identifier: Apache-2.0
"""Reports: changes at once, the rest together, the newest wins."""

import threading

import pytest
import sqlalchemy as sa

from trove.conductor.reports import Reports
from trove.db.session import DatabaseUnavailable
from trove.db.tables import GuestReport
from trove.rpc.messages import Report


def stored(office):
    with office.database.reading() as tx:
        return {
            row.instance_id: (row.seq, row.service)
            for row in tx.scalars(sa.select(GuestReport))
        }


def test_a_change_is_written_at_once(office):
    office.reports.add("i", Report(1, 1, "new"))
    office.reports.add("i", Report(1, 2, "healthy"))
    assert stored(office) == {"i": (2, "healthy")}


def test_what_says_nothing_new_waits_for_the_flush(office):
    for seq in range(1, 5):
        office.reports.add("i", Report(1, seq, "healthy"))
    assert stored(office) == {"i": (1, "healthy")}
    office.reports.flush()
    assert stored(office) == {"i": (4, "healthy")}


def test_an_older_report_does_not_replace_one_that_waits(office):
    for seq in (1, 5, 3):
        office.reports.add("i", Report(1, seq, "healthy"))
    office.reports.flush()
    assert stored(office) == {"i": (5, "healthy")}


def test_many_guests_share_few_transactions(office):
    for n in range(50):
        office.reports.add(f"i{n}", Report(1, 1, "healthy"))
        office.reports.add(f"i{n}", Report(1, 2, "healthy"))
    commits = []
    sa.event.listen(office.database.engine, "commit", lambda c: commits.append(1))
    office.reports.flush()
    assert len(commits) == 1
    assert len(stored(office)) == 50


def test_stop_writes_what_waits(office):
    office.reports.start()
    office.reports.add("i", Report(1, 1, "healthy"))
    office.reports.add("i", Report(1, 2, "healthy"))
    assert office.reports.stop(5)
    assert stored(office) == {"i": (2, "healthy")}


def test_what_is_kept_of_guests_that_are_gone_is_bounded(office):
    """And who lives loses nothing by it: its next report is written at once."""
    reports = Reports(office.database, office.rung.append, room=10)
    for n in range(100):
        reports.add(f"i{n}", Report(1, 1, "healthy"))
        assert len(reports._service) <= 10
    reports.add("i0", Report(1, 2, "healthy"))
    assert stored(office)["i0"] == (2, "healthy")


def test_news_that_come_while_others_are_written_share_the_next_transaction(office):
    begun, go_on = threading.Event(), threading.Event()
    write, batches = office.reports._write, []

    def slow(entries):
        batches.append(len(entries))
        begun.set()
        assert go_on.wait(10)
        write(entries)

    office.reports._write = slow

    def add(n):
        office.reports.add(f"i{n}", Report(1, 1, "healthy"))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(20)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(office.reports._news) < 19:
        threads[1].join(0.01)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert batches == [1, 19]
    assert len(stored(office)) == 20


def test_news_that_cannot_be_written_come_with_the_next_flush(office):
    write, refused = office.reports._write, []

    def fails_once(entries):
        if not refused:
            refused.append(entries)
            raise DatabaseUnavailable
        write(entries)

    office.reports._write = fails_once
    with pytest.raises(DatabaseUnavailable):
        office.reports.add("i", Report(1, 1, "healthy"))
    office.reports.flush()
    assert stored(office) == {"i": (1, "healthy")}
