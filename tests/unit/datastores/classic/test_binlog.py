# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/classic/binlog.py: where a later transaction begins, and
what is no log any more."""

import zlib

import pytest

from trove.datastores.archives import Lost
from trove.datastores.classic import binlog

FORMAT, QUERY = 15, 2


def event(kind, time, body=b"x" * 20):
    header = binlog.HEADER.pack(time, kind, 1, binlog.HEADER.size + len(body), 0, 0)
    return header + body


def committed(micros, time, original=False):
    """MySQL's own, whose time is of a session that says another."""
    moment = micros | (original << 55)
    return event(binlog.MYSQL, time, b"x" * 42 + moment.to_bytes(7, "little") + b"x")


@pytest.fixture
def written(tmp_path):
    def write(*events):
        path = tmp_path / "binlog.000001"
        path.write_bytes(binlog.MAGIC + b"".join(events))
        return str(path)

    return write


def test_the_first_transaction_of_that_second_or_later(written):
    events = [event(FORMAT, 500), event(binlog.MARIADB, 100), event(QUERY, 200)]
    path = written(*events, event(binlog.MARIADB, 101), event(binlog.MARIADB, 100))
    assert binlog.first_since(path, 101.0) == 4 + sum(map(len, events))
    assert binlog.first_since(path, 100.0) == 4 + len(events[0])
    assert binlog.first_since(path, 102.0) is None


def test_a_session_that_calls_it_another_time_moves_nothing(written):
    events = [committed(100_000_000, 9999), committed(101_500_000, 0, original=True)]
    path = written(*events)
    assert binlog.first_since(path, 101.5) == 4 + len(events[0])
    assert binlog.first_since(path, 101.6) is None


@pytest.mark.parametrize("cut", [1, 25])
def test_a_file_that_was_cut_short_is_no_log(written, cut, tmp_path):
    path = written(event(FORMAT, 1), event(binlog.MARIADB, 1))
    data = (tmp_path / "binlog.000001").read_bytes()
    (tmp_path / "binlog.000001").write_bytes(data[:-cut])
    with pytest.raises(Lost, match="middle of an event"):
        binlog.first_since(path, 5.0)


def test_a_length_that_leads_nowhere_is_no_log(written):
    bad = binlog.HEADER.pack(1, FORMAT, 1, 0, 0, 0)
    with pytest.raises(Lost, match="middle of an event"):
        binlog.first_since(written(bad), 5.0)


def test_what_does_not_begin_as_one_is_no_log(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"PK\x03\x04" * 10)
    with pytest.raises(Lost, match="does not begin"):
        binlog.first_since(str(path), 5.0)


def summed(kind, time, body, in_use=False):
    """With its checksum, which is as if nobody wrote to the file."""
    length = binlog.HEADER.size + len(body) + 4
    closed = binlog.HEADER.pack(time, kind, 1, length, 0, 0) + body
    said = binlog.HEADER.pack(time, kind, 1, length, 0, int(in_use)) + body
    return said + zlib.crc32(closed).to_bytes(4, "little")


def first(time=1, in_use=False, how=1):
    return summed(FORMAT, time, b"4" * 30 + bytes([how]), in_use)


def test_a_whole_file_is_one_also_while_it_is_written(written):
    row = summed(QUERY, 1, b"row" * binlog.PIECE)  # larger than what is read at once
    binlog.checked(written(first(), row))
    binlog.checked(written(first(in_use=True), row))
    rows = summed(QUERY, 1, b"x" * 1000) * (3 * binlog.PIECE // 1000)
    binlog.checked(written(first(), rows, row, rows))


def test_no_event_is_left_out_where_one_piece_ends(written, tmp_path):
    rows = summed(QUERY, 1, b"x" * 1000) * (3 * binlog.PIECE // 1000)
    path = written(first(), rows)
    whole = (tmp_path / "binlog.000001").read_bytes()
    for number in range(binlog.PIECE - 2000, binlog.PIECE + 2000, 400):
        data = bytearray(whole)
        data[number] ^= 1
        (tmp_path / "binlog.000001").write_bytes(data)
        with pytest.raises(Lost):
            binlog.checked(path)


@pytest.mark.parametrize("number", [30, 60, 80, 99])
def test_a_bit_that_was_turned_is_found_wherever_it_is(written, tmp_path, number):
    path = tmp_path / "binlog.000001"
    written(first(), summed(QUERY, 1, b"x" * 60))
    data = bytearray(path.read_bytes())
    data[number] ^= 1
    path.write_bytes(data)
    with pytest.raises(Lost, match="binlog.000001 is not as it was written"):
        binlog.checked(str(path))


def test_what_cannot_be_checked_is_no_log(written):
    with pytest.raises(Lost, match="no checksums"):
        binlog.checked(written(first(how=0)))
    with pytest.raises(Lost, match="no checksums"):
        binlog.checked(written(summed(QUERY, 1, b"x" * 31)))
    with pytest.raises(Lost, match="nothing in it"):
        binlog.checked(written())


def test_a_file_is_known_by_its_beginning(written):
    def known(*events):
        return binlog.identity(written(*events))

    before, row = summed(35, 1, b"names"), summed(QUERY, 1, b"x" * 20)
    one = known(first(), before)
    assert one == known(first(in_use=True), before, row), "it was written to"
    assert one != known(first(time=2), before, row), "it was begun anew"
    assert one != known(first(), summed(35, 1, b"other"), row), "after another one"
