# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/classic/archive.py: where the log of a backup goes on."""

import contextlib
import dataclasses
import os

import pytest

from trove.datastores.classic import archive, wanting
from trove.datastores.mysql.agent.places import places


@pytest.mark.parametrize(
    "mark",
    [
        "binlog.000004:1234",
        "filename 'binlog.000004', position '1234', GTID of the last change '0-7-2'",
        "filename 'binlog.000004', position '1234'",
    ],
)
def test_where_a_log_goes_on(mark):
    assert archive.begins(mark) == (4, 1234)
    words = archive.marked(mark)
    assert words["place"] == "4" and float(words["at"]) > 1.7e9


def test_a_backup_without_a_log_has_no_place():
    assert archive.begins("") is None
    assert set(archive.marked("")) == {"at"}


def test_a_number_grows_longer():
    assert archive.number("binlog.1000000") == 1_000_000


class Files:
    """A log of five files, none of them young; the last one is written."""

    def __init__(self, folder):
        self.purged = []
        (folder / "binlog").mkdir()
        for number in range(1, 6):
            path = folder / f"binlog/binlog.{number:06}"
            path.touch()
            os.utime(path, (1, 1))

    @contextlib.contextmanager
    def talk(self):
        yield self

    def rows(self, statement, within):
        if statement.startswith("PURGE"):
            self.purged.append(statement)
            return []
        return [(f"binlog.{number:06}", 10, "No") for number in range(1, 6)]


@pytest.mark.parametrize(("wanted", "to"), [(None, 4), (2, 2), (9, 4)])
def test_what_was_counted_goes_but_for_what_an_increment_wants(
    host, tmp_path, wanted, to
):
    here = dataclasses.replace(places(host), volume=str(tmp_path))
    files = Files(tmp_path)
    if wanted is not None:
        wanting.want(host, here, wanted, increment=True)
    server = archive.Server(host, here, None, None, files.talk, None)
    archive.Archive(server).release(3)
    assert files.purged == [f"PURGE BINARY LOGS TO 'binlog.{to:06}'"]
