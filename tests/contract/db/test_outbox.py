# SPDX-License-Identifier: Apache-2.0
"""Events are claimed by one of those who look at once, and again when he lets go."""

import concurrent.futures

from trove.db.queries import outbox
from trove.workflow import journal

EVENTS, TELLERS = 60, 4


def test_of_many_who_look_each_event_is_claimed_by_one(database):
    for number in range(EVENTS):
        database.run(lambda tx, n=number: journal.event(tx, f"i-{n % 7}", f"test.{n}"))

    def look(_):
        found = []
        while more := database.run(lambda tx: outbox.claim(tx, 5, 3600)):
            found += [one.kind for one in more]
            database.run(lambda tx, more=more: outbox.told(tx, more))
        return found

    with concurrent.futures.ThreadPoolExecutor(TELLERS) as pool:
        seen = [kind for found in pool.map(look, range(TELLERS)) for kind in found]
    assert sorted(seen) == sorted(f"test.{number}" for number in range(EVENTS))


def test_what_is_let_go_is_anybodys_again(database):
    database.run(lambda tx: journal.event(tx, "i", "test.one", {"a": 1}, "req-1"))
    (first,) = database.run(lambda tx: outbox.claim(tx, 5, 3600))
    assert (first.kind, first.payload, first.request_id) == (
        "test.one",
        {"a": 1},
        "req-1",
    )
    assert first.instance is None
    assert database.run(lambda tx: outbox.claim(tx, 5, 3600)) == []
    database.run(lambda tx: outbox.let_go(tx, [first]))
    (again,) = database.run(lambda tx: outbox.claim(tx, 5, 3600))
    assert (again.object_id, again.seq) == (first.object_id, first.seq)
