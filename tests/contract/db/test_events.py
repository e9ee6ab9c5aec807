# SPDX-License-Identifier: Apache-2.0
"""An object's history, written by many at once."""

import concurrent.futures

import sqlalchemy as sa

from trove.db.tables import Event
from trove.workflow import journal

WRITERS, EACH = 8, 15


def written(database, object_id: str) -> list[tuple[int, str]]:
    with database.reading() as tx:
        rows = tx.scalars(
            sa.select(Event).where(Event.object_id == object_id).order_by(Event.seq)
        )
        return [(row.seq, row.kind) for row in rows]


def write(database, object_id: str, writer: int) -> None:
    for number in range(EACH):
        kind = f"test.{writer}.{number}"
        database.run(lambda tx, kind=kind: journal.event(tx, object_id, kind))


def all_at_once(database, objects) -> None:
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        for done in [
            pool.submit(write, database, object_id, writer)
            for writer, object_id in enumerate(objects)
        ]:
            done.result(120)


def test_many_writers_of_one_object_leave_no_gap_and_lose_nothing(database):
    """INV-19, with the tries that a worker has."""
    database.run(lambda tx: journal.event(tx, "i-1", "test.first"))
    all_at_once(database, ["i-1"] * WRITERS)
    events = written(database, "i-1")
    assert [seq for seq, _kind in events] == list(range(1, WRITERS * EACH + 2))
    wanted = {f"test.{w}.{n}" for w in range(WRITERS) for n in range(EACH)}
    assert {kind for _seq, kind in events} == wanted | {"test.first"}


def test_many_writers_of_the_first_event(database):
    """INV-19: there is nothing yet that a writer could hold."""
    for round in range(10):
        object_id = f"i-{round}"
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            work = [
                pool.submit(
                    database.run,
                    lambda tx, w=w, id=object_id: journal.event(tx, id, f"test.{w}"),
                )
                for w in range(4)
            ]
            for done in work:
                done.result(120)
        assert [seq for seq, _kind in written(database, object_id)] == [1, 2, 3, 4]


def test_a_writer_of_several_events_is_not_interleaved(database):
    """One transaction's events follow each other."""
    database.run(lambda tx: journal.event(tx, "i-1", "test.first"))

    def pair(number: int) -> None:
        def work(tx):
            journal.event(tx, "i-1", f"test.{number}.a")
            journal.event(tx, "i-1", f"test.{number}.b")

        database.run(work)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(pair, number) for number in range(30)]:
            done.result(120)
    kinds = [kind for _seq, kind in written(database, "i-1")][1:]
    assert len(kinds) == 60
    for first, second in zip(kinds[::2], kinds[1::2], strict=True):
        assert (first[:-1], first[-1], second[-1]) == (second[:-1], "a", "b")
