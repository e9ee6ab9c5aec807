# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/archives.py: which order counts, and what is written."""

import pytest

from trove.guestagent.archives import REMEMBERED, Progress, Shelf
from trove.rpc.messages import ArchiveOrder, PartShown, SegmentShown


@pytest.fixture
def shelf(places):
    return Shelf(places)


def test_the_newest_order_counts(shelf):
    assert shelf.order() is None
    assert shelf.take(ArchiveOrder("a", 60, 0, "one"))
    assert shelf.take(ArchiveOrder("a", 60, 2, "two"))
    assert not shelf.take(ArchiveOrder("a", 60, 1, "late"))
    assert shelf.order() == ArchiveOrder("a", 60, 2, "two")


def test_the_same_with_other_requests_is_taken(shelf):
    shelf.take(ArchiveOrder("a", 60, 2, "two"))
    assert shelf.take(ArchiveOrder("a", 30, 2, "three"))
    assert shelf.order().sealed == "three"


def test_another_archive_ends_the_one_before(shelf):
    shelf.take(ArchiveOrder("a", 60, 9))
    assert shelf.take(ArchiveOrder("b", 60, 0))
    assert not shelf.take(ArchiveOrder("a", 60, 10))
    assert shelf.order().archive == "b"


def test_one_that_is_over_does_not_begin_again(shelf):
    shelf.take(ArchiveOrder("a", 60))
    assert shelf.end("a") and not shelf.end("a")
    assert shelf.order() is None
    assert not shelf.take(ArchiveOrder("a", 60))
    assert not shelf.end("never heard of")
    assert shelf.take(ArchiveOrder("b", 60))


def test_only_so_many_are_remembered(shelf):
    for number in range(REMEMBERED + 5):
        shelf.end(f"a{number}")
    assert shelf.over() == [f"a{number}" for number in range(5, REMEMBERED + 5)]


def test_what_was_written_is_read(shelf, places):
    part = PartShown(3, "a" * 64, "b" * 32)
    segment = SegmentShown(0, 0, (part,), 4, 6, 1.5, 2.5)
    progress = Progress("a", 1, 3, 6, 2.5, (segment,), want=3, waiting=9)
    shelf.save(progress)
    assert Shelf(places).progress() == progress
    said = progress.report()
    assert (said.archive, said.segments, said.want) == ("a", (segment,), 3)
    assert (said.broken, said.waiting) == (None, 9)
    shelf.forget()
    assert shelf.progress() is None
