# SPDX-License-Identifier: Apache-2.0
"""Which keys are those of projects' backups, on each database."""

import functools
import uuid

from tests.contract.db.test_backups import at_once
from trove.db.keybook import KeyBook
from trove.db.session import Database
from trove.storage.managed import Entry


def test_a_projects_newest_key_is_the_highest_number(database: Database) -> None:
    book = KeyBook(database)
    assert book.newest("p") is None and book.projects() == []
    for number in (1, 2, 10, 3):
        assert book.keep("p", number, f"id {number}") == f"id {number}"
    book.keep("P", 1, "another's")
    assert book.newest("p") == Entry(10, "id 10")
    assert book.newest("P") == Entry(1, "another's")
    assert book.newest("q") is None
    assert book.projects() == ["P", "p"]


def test_what_was_written_down_stays(database: Database) -> None:
    book = KeyBook(database)
    assert book.keep("p", 1, "first") == "first"
    assert book.keep("p", 1, "second") == "first"
    assert book.newest("p") == Entry(1, "first")


def test_of_many_at_once_one_has_written_it_down(database: Database) -> None:
    """And each hears which one."""
    book = KeyBook(database)
    for number in (1, 2):
        keep = functools.partial(book.keep, "p", number)
        heard = at_once(4, lambda _, keep=keep: keep(str(uuid.uuid4())))
        assert book.newest("p") == Entry(number, heard[0])
        assert heard == heard[:1] * 4
