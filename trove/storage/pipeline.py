# SPDX-License-Identifier: Apache-2.0
"""From a stream to parts in a store, and back: encrypted, counted, in bounded memory.

A part is whole in memory until it has arrived, so that it can be sent again; one is
filled while ``AHEAD`` others are on their way. Nothing is written on a disk.
"""

import collections
import concurrent.futures
import dataclasses
import hashlib
import hmac
import typing

from trove.storage import frames
from trove.storage.frames import Broken
from trove.storage.manifest import Part

PART = 16 * frames.FRAME
"""Bytes of what a part has, before it is encrypted."""
PIECE = frames.FRAME
"""Bytes that are read at once."""
AHEAD = 2
"""Parts that are on their way at once."""

Get = typing.Callable[[int, int], bytes]
"""Fetches a part of so many bytes. May be called by several threads."""


class Put(typing.Protocol):
    """Brings a part; it is there when this returns. May be called by several threads.

    A part comes as the pieces that it has, one after the other.
    """

    def __call__(self, number: int, /, *pieces: bytes) -> None: ...


class Source(typing.Protocol):
    """Where bytes come from: the end of a pipe."""

    def read(self, size: int, /) -> bytes: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What was brought. ``size``: bytes that were read."""

    size: int
    parts: tuple[Part, ...]


def send(
    source: Source,
    key: bytes,
    about: bytes,
    put: Put,
    told: typing.Callable[[int], None] = lambda size: None,
) -> Sent:
    """All that the source has, in the store.

    ``told`` hears how many bytes were brought so far. Raises what ``put`` raises; what
    was brought until then is of no use.
    """
    read = _Counted(source)
    return _sent(read, frames.sealed(read, key, about), put, told)


def bring(
    source: Source,
    put: Put,
    told: typing.Callable[[int], None] = lambda size: None,
) -> Sent:
    """As ``send``, but the parts one after the other are what the source had."""
    read = _Counted(source)
    return _sent(read, read, put, told)


def _sent(
    read: "_Counted",
    stream: typing.Iterable[bytes],
    put: Put,
    told: typing.Callable[[int], None],
) -> Sent:
    parts: list[Part] = []
    done = 0
    for part in _brought(_filled(stream), put):
        parts.append(part)
        done += part.size
        told(done)
    return Sent(read.size, tuple(parts))


def receive(
    parts: typing.Sequence[Part], key: bytes, about: bytes, get: Get
) -> typing.Iterator[bytes]:
    """What was sent, piece by piece; ``Broken`` when anything is not as it was.

    It is all of it only when this ends.
    """

    def part(number: int, size: int) -> bytes:
        return _part(get, number, parts[number])

    sizes = [each.size for each in parts]
    return frames.opened(fetch(sizes, part), key, about)


def fetch(sizes: typing.Iterable[int], get: Get) -> typing.Iterator[bytes]:
    """Parts of so many bytes, in their order, as ``get`` has them."""
    with _Ahead() as ahead:
        for number, size in enumerate(sizes):
            yield from ahead.room()
            ahead.begin(get, number, size)
        yield from ahead.rest()


def _brought(wholes: typing.Iterable[list[bytes]], put: Put) -> typing.Iterator[Part]:
    """Each part, once it is there."""
    with _Ahead() as ahead:
        for number, pieces in enumerate(wholes):
            yield from ahead.room()
            ahead.begin(_put, put, number, *pieces)
        yield from ahead.rest()


def _put(put: Put, number: int, *pieces: bytes) -> Part:
    put(number, *pieces)
    return Part.of(*pieces)


def _part(get: Get, number: int, part: Part) -> bytes:
    data = get(number, part.size)
    if len(data) != part.size:
        raise Broken(why=f"part {number} has {len(data)} bytes, not {part.size}")
    # the MD5 is the store's business, and costs more than this
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), part.sha256):
        raise Broken(why=f"part {number} was changed")
    return data


def _filled(stream: typing.Iterable[bytes]) -> typing.Iterator[list[bytes]]:
    """Whole parts: frames are not divided among them, and not copied together."""
    waiting: list[bytes] = []
    size = 0
    for frame in stream:
        waiting.append(frame)
        size += len(frame)
        if size >= PART:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


class _Counted:
    """The pieces of a source, and how many bytes they were."""

    def __init__(self, source: Source) -> None:
        self._source, self.size = source, 0

    def __iter__(self) -> typing.Iterator[bytes]:
        while piece := self._source.read(PIECE):
            self.size += len(piece)
            yield piece


class _Ahead:
    """What goes on beside: its results in the order in which it was begun."""

    def __init__(self) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(AHEAD)
        self._begun: collections.deque[concurrent.futures.Future[typing.Any]] = (
            collections.deque()
        )

    def __enter__(self) -> "_Ahead":
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def begin(self, work: typing.Callable[..., typing.Any], *with_: object) -> None:
        self._begun.append(self._threads.submit(work, *with_))

    def room(self) -> typing.Iterator[typing.Any]:
        """Waits until another may be begun; the results of those that ended for it."""
        while len(self._begun) >= AHEAD:
            yield self._begun.popleft().result()

    def rest(self) -> typing.Iterator[typing.Any]:
        """Waits for all."""
        while self._begun:
            yield self._begun.popleft().result()
