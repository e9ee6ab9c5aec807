# SPDX-License-Identifier: Apache-2.0
"""What a file of the binary log says: where a transaction begins that is later than a
moment, whether it is whole, and which file it is.

An event has 19 bytes before it, with a time, a type, and how long all of it is, and
four behind it, its checksum (MySQL's source documentation, "Binary Log").
"""

import hashlib
import os
import struct
import typing
import zlib

from trove.datastores.archives import Lost

MAGIC = b"\xfebin"
HEADER = struct.Struct("<IBIIIH")
"""Time in seconds, type, server, bytes of the event, where the next begins, flags."""
MYSQL, ANONYMOUS, TAGGED, MARIADB = 33, 34, 42, 162
BEGIN = (MYSQL, ANONYMOUS, TAGGED, MARIADB)
"""The types of what begins a transaction."""
FORMAT = 15
"""The type of a file's first event, which says how the others are."""
FLAGS, IN_USE = 17, 1
"""Where an event has its flags, and the one of a file that is written: its checksum is
as if it were not there."""
CRC32 = 1
"""How checksums are made, in the fifth byte before the end of the first event."""
CHECKSUM = 4
HEAD = 64 * 1024
"""Bytes of an event that are looked at."""
PIECE = 1024 * 1024
"""Bytes that are read at once: an event may be as large as its transaction."""
MIDDLE = "a file of it ends in the middle of an event"
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
        for place, time, kind, _ in _events(file):
            if kind in BEGIN and _moment(file, time, kind) >= until:
                return place
    return None


def checked(path: str) -> None:
    """Raises ``Lost`` unless each event of the file is what its checksum says, and the
    last one ends with it. It does not say whether there was another one behind."""
    with open(path, "rb") as file:
        end = _opened(file)
        if end == len(MAGIC):
            raise Lost(why="a file of it has nothing in it")
        _, kind, length = _event(file, end - len(MAGIC))
        _must_be_summed(file, len(MAGIC), kind, length)
        if not _right(file, end):
            why = f"an event of {os.path.basename(path)} is not as it was written"
            raise Lost(why=why)


def between(
    path: str, begin: int, end: int | None
) -> typing.Iterator[tuple[int, bytes]]:
    """The type, and the beginning, of each event from a place to another one, or to
    what there is by now. ``Lost`` unless each is what its checksum says."""
    with open(path, "rb") as file:
        size = _opened(file)
        end = size if end is None else end
        if end > size:
            raise Lost(why=f"{os.path.basename(path)} ends before what was committed")
        _, kind, length = _event(file, size - len(MAGIC))
        _must_be_summed(file, len(MAGIC), kind, length)
        place = begin
        while place < end:
            file.seek(place)
            _, kind, length = _event(file, end - place)
            if _sum(file, place, kind, length - CHECKSUM) != _said(file):
                raise Lost(why=f"no event of {os.path.basename(path)} begins there")
            file.seek(place + HEADER.size)
            yield kind, file.read(min(length - HEADER.size - CHECKSUM, HEAD))
            place += length


def _right(file: typing.BinaryIO, end: int) -> bool:
    """Whether all are. There are a million in a file: they are read many at once."""
    held, at, place = memoryview(b""), 0, len(MAGIC)
    while place < end:
        here = place - at
        if len(held) - here < HEADER.size:
            held, at, here = _read(file, place), place, 0
        length, kind = _header(held, here, end - place)
        if here + length > len(held):
            held, at, here = _read(file, place), place, 0
        if kind == FORMAT or length > len(held):
            right = _sum(file, place, kind, length - CHECKSUM) == _said(file)
        else:
            last = here + length - CHECKSUM
            said = int.from_bytes(held[last : here + length], "little")
            right = zlib.crc32(held[here:last]) == said
        if not right:
            return False
        place += length
    return True


def _read(file: typing.BinaryIO, place: int) -> memoryview:
    file.seek(place)
    return memoryview(file.read(PIECE))


def _header(held: memoryview, here: int, left: int) -> tuple[int, int]:
    """How long the event is that begins there, and its type."""
    if len(held) - here < HEADER.size:
        raise Lost(why=MIDDLE)
    _, kind, _, length, _, _ = HEADER.unpack_from(held, here)
    if not HEADER.size <= length <= left:
        raise Lost(why=MIDDLE)
    return length, kind


def identity(path: str) -> str:
    """What no other file has, whatever its name: in its first two events are when it
    was begun, by whom, and all that was committed before."""
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        for number, (place, _, kind, length) in enumerate(_events(file)):
            if number == 2:
                break
            for piece in _pieces(file, place, kind, length):
                whole.update(piece)
    return whole.hexdigest()


def _must_be_summed(file: typing.BinaryIO, place: int, kind: int, length: int) -> None:
    file.seek(place + length - CHECKSUM - 1)
    if kind != FORMAT or file.read(1) != bytes([CRC32]):
        raise Lost(why="a file of it has no checksums")


def _sum(file: typing.BinaryIO, place: int, kind: int, length: int) -> int:
    found = 0
    for piece in _pieces(file, place, kind, length):
        found = zlib.crc32(piece, found)
    return found


def _said(file: typing.BinaryIO) -> int:
    return int.from_bytes(file.read(CHECKSUM), "little")


def _pieces(
    file: typing.BinaryIO, place: int, kind: int, length: int
) -> typing.Iterator[bytes]:
    """The bytes of an event, as if nobody wrote to its file."""
    file.seek(place)
    first = bytearray(file.read(min(length, PIECE)))
    if kind == FORMAT and len(first) > FLAGS:
        first[FLAGS] &= ~IN_USE
    left = length - len(first)
    yield bytes(first)
    while left > 0 and (piece := file.read(min(left, PIECE))):
        left -= len(piece)
        yield piece


def _events(
    file: typing.BinaryIO,
) -> typing.Iterator[tuple[int, int, int, int]]:
    """Place, time, type and length of each; the file is behind its beginning then."""
    end, place = _opened(file), len(MAGIC)
    while place < end:
        file.seek(place)
        time, kind, length = _event(file, end - place)
        yield place, time, kind, length
        place += length


def _opened(file: typing.BinaryIO) -> int:
    """Where it ends, once it is seen that it begins as one."""
    if file.read(len(MAGIC)) != MAGIC:
        raise Lost(why="a file of it does not begin as one")
    return os.fstat(file.fileno()).st_size


def _event(file: typing.BinaryIO, left: int) -> tuple[int, int, int]:
    said = memoryview(file.read(HEADER.size))
    length, kind = _header(said, 0, left)
    return HEADER.unpack(said)[0], kind, length


def _moment(file: typing.BinaryIO, time: int, kind: int) -> float:
    """By the clock, where that is said: what a session calls now is its own to set."""
    if kind not in (MYSQL, ANONYMOUS):
        return float(time)
    file.seek(COMMITTED, os.SEEK_CUR)
    return (int.from_bytes(file.read(7), "little") & MOMENT) / 1e6
