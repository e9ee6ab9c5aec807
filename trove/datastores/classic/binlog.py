# SPDX-License-Identifier: Apache-2.0
"""Where in a file of the binary log a transaction begins that is later than a moment.

Only the beginnings of events are read (MySQL's source documentation, "Binary Log"): an
event has 19 bytes before it, with a time, a type, and how long all of it is.
"""

import os
import struct
import typing

from trove.datastores.archives import Lost

MAGIC = b"\xfebin"
HEADER = struct.Struct("<IBIIIH")
"""Time in seconds, type, server, bytes of the event, where the next begins, flags."""
MYSQL, ANONYMOUS, TAGGED, MARIADB = 33, 34, 42, 162
BEGIN = (MYSQL, ANONYMOUS, TAGGED, MARIADB)
"""The types of what begins a transaction."""
COMMITTED = 42
"""Where MySQL says in it, in microseconds, when it was committed; in 7 bytes."""
MOMENT = (1 << 55) - 1


def first_since(path: str, until: float) -> int | None:
    """The place of the first transaction that was committed at that moment or later;
    None: there is none in that file.

    MariaDB says the second in which a commit was asked for; a commit is in the log
    before its client hears of it, and the log is in the order of commits.
    """
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        if file.read(len(MAGIC)) != MAGIC:
            raise Lost(why="a file of it does not begin as one")
        place = len(MAGIC)
        while place < end:
            file.seek(place)
            time, kind, length = _event(file, end - place)
            if kind in BEGIN and _moment(file, time, kind) >= until:
                return place
            place += length
    return None


def _event(file: typing.BinaryIO, left: int) -> tuple[int, int, int]:
    said = file.read(HEADER.size)
    if len(said) < HEADER.size:
        raise Lost(why="a file of it ends in the middle of an event")
    time, kind, _, length, _, _ = HEADER.unpack(said)
    if not HEADER.size <= length <= left:
        raise Lost(why="a file of it ends in the middle of an event")
    return time, kind, length


def _moment(file: typing.BinaryIO, time: int, kind: int) -> float:
    """By the clock, where that is said: what a session calls now is its own to set."""
    if kind not in (MYSQL, ANONYMOUS):
        return float(time)
    file.seek(COMMITTED, os.SEEK_CUR)
    return (int.from_bytes(file.read(7), "little") & MOMENT) / 1e6
