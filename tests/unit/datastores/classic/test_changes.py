# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/classic/changes.py: which tables a log says were written
to, and when it does not say."""

import struct
import typing
import zlib

import pytest

from trove.datastores.archives import LogFile
from trove.datastores.classic import binlog, changes
from trove.datastores.classic.changes import Place, Unclear
from trove.datastores.rows import Bound, Limits

FORMAT, QUERY, XID, NAMED, WRITE = 15, 2, 16, 19, 23
MYSQL_GTID, MARIADB_GTID, PAYLOAD, XA = 33, 162, 40, 38


def event(kind, body):
    length = binlog.HEADER.size + len(body) + 4
    said = binlog.HEADER.pack(1, kind, 1, length, 0, 0) + body
    return said + zlib.crc32(said).to_bytes(4, "little")


def named(schema, table):
    names = b"".join(
        bytes([len(text.encode())]) + text.encode() + b"\0" for text in (schema, table)
    )
    return event(NAMED, bytes(8) + names + b"\x02\x03\x0f")


def query(text, schema=b"shop", status=b"xyz"):
    fixed = struct.pack("<IIBHH", 1, 0, len(schema), 0, len(status))
    return event(QUERY, fixed + status + schema + b"\0" + text)


BEGIN = event(FORMAT, bytes(60) + b"\x01")


class Places(typing.NamedTuple):
    binlogs: str


class Talk:
    """A server whose log is what is in a directory."""

    def __init__(self, path):
        self._path = path

    def rows(self, statement, within):
        assert statement == "SHOW BINARY LOGS"
        files = sorted(self._path.iterdir())
        return [(file.name, file.stat().st_size) for file in files]


@pytest.fixture
def log(tmp_path):
    """Files of events; which tables were changed from a place to another one."""

    def between(*files, begin=None, end=None, seconds=60):
        for number, events in enumerate(files, 1):
            path = tmp_path / f"binlog.{number:06}"
            path.write_bytes(binlog.MAGIC + BEGIN + b"".join(events))
        first = begin or Place(1, len(binlog.MAGIC) + len(BEGIN))
        talk = Talk(tmp_path)
        return changes.between(
            *(Places(str(tmp_path)), talk, first, end or changes.here(talk)),
            Bound(Limits(seconds)),
        )

    return between


ROWS = (event(WRITE, b"rows"), event(XID, bytes(8)))


def test_tables_whose_rows_were_written_are_named(log):
    some = [
        *(event(MARIADB_GTID, bytes(19)), query(b"BEGIN"), named("shop", "goods")),
        *(event(160, b"INSERT"), *ROWS, event(MYSQL_GTID, bytes(42))),
        *(named('s"h`op', "größe\n--"), *ROWS, query(b"SAVEPOINT a"), query(b"COMMIT")),
    ]
    assert log(some) == {("shop", "goods"), ('s"h`op', "größe\n--")}


def test_only_what_is_between_the_places(log):
    one = [named("shop", "first"), *ROWS]
    second = [named("shop", "second"), *ROWS]
    begin = Place(1, 4 + len(BEGIN) + sum(map(len, one)))
    assert log([*one, *second], begin=begin) == {("shop", "second")}
    assert log(one, second, [named("a", "b")], begin=begin) == {
        ("shop", "second"),
        ("a", "b"),
    }
    assert log(one, second, [named("a", "b")], end=Place(2, 4)) == {("shop", "first")}
    assert log(one, begin=begin, end=begin) == set()


@pytest.mark.parametrize(
    ("some", "says"),
    [
        ([query(b"ALTER TABLE goods ADD x INT")], "more in it than rows"),
        ([query(b"UPDATE goods SET n = 1")], "more in it than rows"),
        ([query(b"XA COMMIT 'x'")], "more in it than rows"),
        ([query(b"begin; DROP TABLE goods")], "more in it than rows"),
        ([event(QUERY, b"short")], "more in it than rows"),
        ([event(PAYLOAD, b"pressed")], "type 40"),
        ([event(XA, b"x")], "type 38"),
        ([event(200, b"of a later release")], "type 200"),
        ([event(NAMED, bytes(8) + b"\xff")], "without a name"),
        ([event(NAMED, bytes(8) + b"\x04shop!")], "without a name"),
        ([event(NAMED, bytes(8) + b"\x01\xff\0\x01a\0")], "without a name"),
        ([event(WRITE, b"rows")[:-1] + b"?"], "no event .* begins there"),
    ],
)
def test_what_is_not_known_may_be_a_change_of_any(log, some, says):
    with pytest.raises(Unclear, match=says):
        log(some)


def test_a_place_that_is_none_is_no_beginning(log):
    with pytest.raises(Unclear, match=r"no event|middle of an event"):
        log([named("shop", "goods")], begin=Place(1, 9))


def test_a_log_that_was_begun_anew_or_lost_a_file_says_nothing(log, tmp_path):
    with pytest.raises(Unclear, match="begun anew"):
        log([], begin=Place(2, 4))
    with pytest.raises(Unclear, match="ends before"):
        log([], end=Place(1, 9999))
    with pytest.raises(Unclear, match="is gone"):
        log([], end=Place(3, 4))


def test_a_file_that_cannot_be_read_says_nothing(tmp_path):
    class Elsewhere(Talk):
        def rows(self, statement, within):
            return [("binlog.000001", 99)]

    with pytest.raises(Unclear, match="cannot be read"):
        changes.between(
            *(Places(str(tmp_path)), Elsewhere(tmp_path), Place(1, 4), Place(1, 9)),
            Bound(Limits(60)),
        )


def test_where_the_log_is(tmp_path):
    (tmp_path / "binlog.000007").write_bytes(bytes(11))
    assert changes.here(Talk(tmp_path)) == Place(7, 11)
    assert LogFile(7, "binlog.000007", 11).place == 7


def test_more_of_it_than_can_be_read_says_nothing(log):
    with pytest.raises(Unclear, match="in time"):
        log([named("shop", "goods")], seconds=0)
