# SPDX-License-Identifier: Apache-2.0
"""The intent ledger: adopt, wait, make, and make absent."""

import pytest

from trove import errors
from trove.db.tables import CloudThing
from trove.workflow.flow import Wait
from trove.workflow.ledger import Ledger, MayHaveLanded

KEY = "i.volume"


class Shelf:
    """Things outside, and what each call does."""

    def __init__(self):
        self.there, self.made, self.fault = [], 0, None

    def find(self):
        return list(self.there)

    def make(self):
        self.made += 1
        if self.fault:
            fault, self.fault = self.fault, None
            raise fault
        self.there.append(f"v{self.made}")
        return self.there[-1]

    def delete(self, id):
        if id in self.there:
            self.there.remove(id)


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def ledger(desk):
    return Ledger(desk.take(desk.accept()), grace=20, call_timeout=5)


def ensure(ledger, shelf):
    return ledger.ensure(KEY, "volume", find=shelf.find, make=shelf.make)


def absent(ledger, shelf, **more):
    there = shelf.there
    return ledger.absent(
        KEY, find=shelf.find, delete=shelf.delete, there=lambda i: i in there, **more
    )


def test_what_is_not_there_is_made_once(ledger, shelf):
    assert ensure(ledger, shelf) == ensure(ledger, shelf) == "v1"
    assert shelf.made == 1
    assert ledger.row(KEY).state == "created"


def test_what_is_there_already_is_adopted(ledger, shelf):
    shelf.there.append("v0")
    assert ensure(ledger, shelf) == "v0"
    assert shelf.made == 0


def test_after_a_lost_reply_it_looks_before_it_makes_again(ledger, shelf, desk):
    shelf.fault = MayHaveLanded("504")
    assert isinstance(ensure(ledger, shelf), Wait)
    assert isinstance(ensure(ledger, shelf), Wait)  # within the grace: no second post
    assert shelf.made == 1
    shelf.there.append("landed")
    assert ensure(ledger, shelf) == "landed"


def test_after_the_grace_it_is_made_again(ledger, shelf, desk):
    shelf.fault = MayHaveLanded("504")
    ensure(ledger, shelf)
    desk.moment += 21
    assert ensure(ledger, shelf) == "v2"


def test_a_definite_no_leaves_nothing_to_wait_for(ledger, shelf):
    shelf.fault = errors.Upstream(why="400")
    with pytest.raises(errors.Upstream):
        ensure(ledger, shelf)
    assert ensure(ledger, shelf) == "v2"


def test_the_intent_is_written_before_the_deed(ledger, shelf, desk):
    seen = []

    def make():
        with desk.database.reading() as tx:
            row = tx.get_one(CloudThing, KEY)
        seen.append((row.state, row.posted_at))
        return "v"

    ledger.ensure(KEY, "volume", find=shelf.find, make=make)
    assert seen == [("intent", 1000.0)]


def test_absent_deletes_every_thing_of_the_key(ledger, shelf):
    ensure(ledger, shelf)
    shelf.there.append("twin")
    assert absent(ledger, shelf) is None
    assert shelf.there == []
    assert ledger.row(KEY).state == "gone"


def test_absent_looks_again_although_the_ledger_says_gone(ledger, shelf):
    """Rule 7: a zombie's call may land later."""
    ensure(ledger, shelf)
    absent(ledger, shelf)
    shelf.there.append("zombie")
    assert absent(ledger, shelf) is None
    assert shelf.there == []


def test_absent_waits_for_a_request_that_may_still_land(ledger, shelf, desk):
    shelf.fault = MayHaveLanded("504")
    ensure(ledger, shelf)
    assert isinstance(absent(ledger, shelf), Wait)
    shelf.there.append("landed")
    assert isinstance(absent(ledger, shelf), Wait)
    desk.moment += 21
    assert absent(ledger, shelf) is None
    assert shelf.there == []


def test_a_retained_thing_is_marked_and_left(ledger, shelf):
    ensure(ledger, shelf)
    marked = []
    assert absent(ledger, shelf, retain=marked.append) is None
    assert (shelf.there, marked) == (["v1"], ["v1"])
    assert ledger.row(KEY).state == "retained"


def test_what_is_not_there_any_more_is_not_retained(ledger, shelf):
    """Not even a second time: its mark would be asked for in vain, for ever."""
    ensure(ledger, shelf)
    shelf.there.clear()
    marked = []
    for _ in range(2):
        assert absent(ledger, shelf, retain=marked.append) is None
        assert ledger.row(KEY).state == "gone"
    assert marked == []


def test_of_twins_the_one_that_was_used_is_the_one_retained(ledger, shelf):
    ensure(ledger, shelf)
    shelf.there.insert(0, "twin")
    marked = []
    assert absent(ledger, shelf, retain=marked.append) is None
    assert sorted(marked) == ["twin", "v1"]
    row = ledger.row(KEY)
    assert (row.state, row.external_id) == ("retained", "v1")


def test_what_was_never_intended_is_absent(ledger, shelf):
    shelf.there.append("a stranger's")
    assert absent(ledger, shelf) is None
    assert shelf.there == ["a stranger's"]


def test_that_it_was_made_is_written_with_the_next_write(ledger, shelf, desk):
    """A crash before it leaves the intent: the next look finds what was made."""
    ensure(ledger, shelf)
    with desk.database.reading() as tx:
        assert tx.get_one(CloudThing, KEY).state == "intent"
    ledger._claim.write()
    with desk.database.reading() as tx:
        row = tx.get_one(CloudThing, KEY)
    assert (row.state, row.external_id, row.posted_at) == ("created", "v1", None)


def test_after_a_crash_what_was_made_is_found(ledger, shelf, desk):
    ensure(ledger, shelf)
    desk.moment += 31
    claim = desk.take(ledger._claim.id, "b")
    assert ensure(Ledger(claim, grace=20, call_timeout=5), shelf) == "v1"
    assert shelf.made == 1


def test_what_is_made_in_parts_may_be_there_after_a_definite_no(ledger, shelf, desk):
    """INV-2: a group whose rules were refused is not seen yet, nor made twice."""

    def make():
        shelf.made += 1
        raise errors.Upstream(why="503")

    def look():
        return ledger.ensure(KEY, "group", find=shelf.find, make=make, in_parts=True)

    with pytest.raises(errors.Upstream):
        look()
    assert isinstance(look(), Wait)
    shelf.there.append("landed")
    assert look() == "landed"
    assert shelf.made == 1
