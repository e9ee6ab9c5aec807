# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/rows.py: what is kept of hashes, and when they differ."""

import collections
import json

import pytest

from trove import errors
from trove.datastores import rows
from trove.datastores.rows import (
    CHANGED,
    LATE,
    MANY,
    MOST,
    UNREAD,
    Bound,
    Different,
    Hashes,
    Limits,
    Table,
)

GOODS = Table(("shop", "goods"), 3, "f00")
OTHERS = Table(("shop", "public", "others"), 0, "0 0")
HOSTILE = Table(("shop", 'a"b`c\n\\;--ü☃\x1b[0m'), 1, "1")


def test_what_is_written_is_read_again():
    for each in (
        Hashes(),
        Hashes((GOODS, OTHERS, HOSTILE), {CHANGED: 3}),
        Hashes(none="its log is gone"),
    ):
        assert rows.read(rows.write(each)) == each


def test_more_than_is_kept_is_counted():
    many = tuple(Table(("shop", str(n)), n, "f") for n in range(MOST + 7))
    kept = Hashes(many).bounded()
    assert (len(kept.tables), kept.left_out) == (MOST, {MANY: 7})
    long = tuple(Table(("shop", f"{n:0254}"), n, "f") for n in range(3000))
    kept = Hashes(long, {CHANGED: 1}).bounded()
    assert len(rows.write(kept)) < rows.LARGEST + 1000
    assert kept.left_out == {CHANGED: 1, MANY: 3000 - len(kept.tables)}
    assert rows.read(rows.write(kept)) == kept


def said(tables=(), none=None):
    return json.dumps({"tables": tables, "about": {"left_out": {}, "none": none}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"tables": []}',
        said(tables={}),
        said(tables=[1]),
        said(tables=[[["a"], 1, "f"]]),
        said(tables=[[["a", 1], 1, "f"]]),
        said(tables=[[["a", "b"], -1, "f"]]),
        said(tables=[[["a", "b"], True, "f"]]),
        said(tables=[[["a", "b"], 1, "f" * 300]]),
        said(tables=[[["a", "\ud800"], 1, "f"]]),
        said(tables=[[["a", "b" * 300], 1, "f"]]),
        said(none=7),
        said(none="\ud800"),
        "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_what_is_none_is_refused(text):
    with pytest.raises(errors.Invalid):
        rows.read(text)


def test_what_a_guest_counts_otherwise_is_not_counted():
    about = {"left_out": {CHANGED: 2, LATE: -1, MANY: "7", "mine": 5}, "none": None}
    found = rows.read(json.dumps({"tables": [], "about": about}))
    assert found.left_out == {CHANGED: 2}


def test_what_users_are_told_has_no_name():
    assert Hashes((GOODS,), {CHANGED: 3}).said() == {"tables": 1, CHANGED: 3}
    assert Hashes(none="why").said() == {"none": "why"}


# -- compared -------------------------------------------------------------------------


def test_equal_is_the_same_number_of_rows_and_the_same_hash():
    before = Hashes((GOODS, OTHERS))
    assert rows.compared(before, before) == {"tables": 2, "equal": 2}
    for other in (Table(GOODS.where, 4, "f00"), Table(GOODS.where, 3, "f01")):
        with pytest.raises(Different, match=r"rows of shop\.goods are not") as found:
            rows.compared(before, Hashes((other, OTHERS)))
        assert "others" not in found.value.message


def test_a_table_that_is_not_there_is_a_difference_and_one_unread_is_none():
    before = Hashes((GOODS, OTHERS))
    with pytest.raises(Different, match=r"shop\.public\.others"):
        rows.compared(before, Hashes((GOODS,)))
    unread = Hashes((GOODS,), {UNREAD: 1}, unread=frozenset({OTHERS.where}))
    assert rows.compared(before, unread) == {"tables": 2, "equal": 1, UNREAD: 1}


def test_a_sentence_is_one_line_and_names_a_few():
    many = [Table(("shop", f"t{n}"), 1, "f") for n in range(9)]
    with pytest.raises(Different, match=r"shop.t0, shop.t1, shop.t2 and 6 more are"):
        rows.compared(Hashes(tuple(many)), Hashes())
    with pytest.raises(Different) as found:
        rows.compared(Hashes((HOSTILE,)), Hashes())
    assert found.value.message.isprintable()
    assert len(rows.shown(("x", "y" * 9999))) < 300


# -- taken ----------------------------------------------------------------------------


def test_whatever_fails_is_why_there_are_none():
    def fails(error):
        def take():
            raise error

        return take

    assert rows.tried(lambda: Hashes((GOODS,))) == Hashes((GOODS,))
    assert rows.tried(fails(errors.EngineFailed(why="gone"))).none == (
        "The database engine failed: gone"
    )
    failed = errors.CommandFailed(program="pg_waldump", code="1", why="no such file")
    assert "pg_waldump" in str(rows.tried(fails(failed)).none)
    assert rows.tried(fails(ValueError("a row"))).none == "the agent met a ValueError"
    with pytest.raises(errors.Internal):
        rows.tried(fails(errors.Internal(why="the job has taken too long")))


class Clock:
    """Time passes when somebody rests, and when a table is read."""

    def __init__(self):
        self.now = 100.0
        self.rests = []

    def __call__(self):
        return self.now

    def rest(self, seconds):
        self.rests.append(seconds)
        self.now += seconds


def taken(bound, tables, take):
    return rows.taken_of(tables, collections.Counter(), bound, take)


def test_each_table_is_taken_and_what_cannot_be_is_counted():
    def take(where, within):
        if where[1] == "sick":
            raise errors.EngineFailed(why="it is locked")
        return Table(where, 1, "f")

    tables = [(("shop", name), 0) for name in ("a", "sick", "b")]
    found = taken(Bound(Limits(60)), tables, take)
    assert [table.where[1] for table in found.tables] == ["a", "b"]
    assert (found.left_out, found.unread) == ({UNREAD: 1}, {("shop", "sick")})


def test_what_is_not_read_in_time_is_left_out():
    clock = Clock()

    def take(where, within):
        clock.now += 40
        return Table(where, int(within), "f")

    bound = Bound(Limits(60), clock, clock.rest)
    found = taken(bound, [(("s", str(n)), 0) for n in range(4)], take)
    assert [table.rows for table in found.tables] == [60, 20]
    assert found.left_out == {LATE: 2}


def test_so_many_bytes_are_read_in_a_second():
    clock = Clock()
    bound = Bound(Limits(600, 10), clock, clock.rest)
    taken(bound, [(("s", "t"), 100)] * 3, lambda where, within: GOODS)
    assert clock.rests == [10.0, 10.0, 10.0]
    bound.read(10**9)
    assert clock.rests[-1] == 570.0, "no longer than there is time"
    unbound = Bound(Limits(600), clock, clock.rest)
    unbound.read(10**9)
    assert len(clock.rests) == 4


def test_what_nobody_wants_any_more_is_not_gone_on_with():
    read = []

    def wanted():
        if len(read) == 2:
            raise errors.Conflict("it was given up")

    def take(where, within):
        read.append(where)
        return Table(where, 1, "f")

    bound = Bound(Limits(60, None, wanted))
    tables = [(("s", str(n)), 0) for n in range(9)]
    assert rows.tried(lambda: taken(bound, tables, take)).none == "it was given up"
    assert len(read) == 2
