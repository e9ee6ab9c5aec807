# SPDX-License-Identifier: Apache-2.0
"""Bytes into parts and back, with a store that fails, lies, and forgets (T23, T24)."""

import io
import os
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove import errors
from trove.storage import frames, pipeline
from trove.storage.frames import Broken
from trove.storage.manifest import Part

KEY, ABOUT = b"k" * 32, b"backup 1"
FRAME, PART = 64, 256


@pytest.fixture(autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "FRAME", FRAME)
        patch.setattr(pipeline, "PART", PART)
        patch.setattr(pipeline, "PIECE", FRAME)
        yield


class Store:
    """What was brought, by number."""

    def __init__(self):
        self.parts, self.lock = {}, threading.Lock()
        self.under_way = self.most = 0

    def put(self, number, *pieces):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        with self.lock:
            self.parts[number] = b"".join(pieces)
            self.under_way -= 1

    def get(self, number, size):
        return self.parts[number]


def sent(data, store, **about):
    return pipeline.send(io.BytesIO(data), KEY, ABOUT, store.put, **about)


def received(parts, store):
    return b"".join(pipeline.receive(parts, KEY, ABOUT, store.get))


@settings(deadline=None)
@given(st.binary(max_size=5 * PART))
def test_what_is_brought_is_what_the_source_had(data):
    store = Store()
    made = pipeline.bring(io.BytesIO(data), store.put)
    brought = [store.parts[n] for n in sorted(store.parts)]
    assert b"".join(brought) == data and made.size == len(data)
    assert made.parts == tuple(map(Part.of, brought))
    assert all(len(part) == PART for part in brought[:-1])


@settings(deadline=None)
@given(st.binary(max_size=5 * PART))
def test_what_was_sent_is_received(data):
    store = Store()
    done = sent(data, store)
    assert done.size == len(data)
    assert received(done.parts, store) == data
    assert [Part.of(store.parts[n]) for n in range(len(done.parts))] == list(done.parts)
    assert sorted(store.parts) == list(range(len(done.parts)))


def test_how_far_it_is_is_told_as_parts_arrive():
    store, told = Store(), []
    done = sent(os.urandom(5 * PART), store, told=told.append)
    assert told == sorted(told) and len(told) == len(done.parts)
    assert told[-1] == sum(part.size for part in done.parts)


@pytest.mark.parametrize("number", range(4))
def test_a_part_that_cannot_be_brought_ends_it(number):
    class Full(Store):
        def put(self, at, *pieces):
            if at == number:
                raise errors.Unavailable(what="The store")
            super().put(at, *pieces)

    with pytest.raises(errors.Unavailable):
        sent(os.urandom(3 * PART + 10), Full())


def test_a_source_that_breaks_ends_it():
    class Torn(io.BytesIO):
        def read(self, size=-1):
            if found := super().read(size):
                return found
            raise OSError("the tool died")

    with pytest.raises(OSError, match="the tool died"):
        pipeline.send(Torn(b"x" * PART), KEY, ABOUT, Store().put)


def changed(parts, number, data):
    """The list, as one who may write the store *and* the list would have it."""
    return tuple(
        Part.of(data) if at == number else part for at, part in enumerate(parts)
    )


def test_a_part_that_is_not_as_it_was_is_refused():
    store = Store()
    parts = sent(os.urandom(4 * PART), store).parts
    for number in range(len(parts)):
        right = store.parts[number]
        flipped = bytearray(right)
        flipped[len(right) // 2] ^= 1
        for wrong, says in (
            (bytes(flipped), "was changed"),
            (right[:-1], "bytes, not"),
            (b"", "bytes, not"),
            (right + b"x", "bytes, not"),
        ):
            store.parts[number] = wrong
            with pytest.raises(Broken, match=f"part {number} .*{says}"):
                received(parts, store)
            if wrong:
                with pytest.raises(Broken):
                    received(changed(parts, number, wrong), store)
        store.parts[number] = right
    assert received(parts, store)


def test_parts_keep_their_places_and_their_number():
    store = Store()
    parts = sent(os.urandom(4 * PART), store).parts
    for wrong in (parts[:-1], parts[1:], (parts[1], parts[0], *parts[2:])):
        by_hash = {part.sha256: store.parts[n] for n, part in enumerate(parts)}
        other = Store()
        other.parts = {n: by_hash[part.sha256] for n, part in enumerate(wrong)}
        with pytest.raises(Broken):
            received(wrong, other)


def test_a_part_that_is_not_there_ends_it():
    store = Store()
    parts = sent(os.urandom(4 * PART), store).parts

    def get(number, size):
        if number == 2:
            raise errors.NotFound(what="Part", id=number)
        return store.get(number, size)

    with pytest.raises(errors.NotFound):
        list(pipeline.receive(parts, KEY, ABOUT, get))


def test_who_stops_reading_ends_the_fetching():
    store = Store()
    parts = sent(os.urandom(8 * PART), store).parts
    asked = []

    def get(number, size):
        asked.append(number)
        return store.get(number, size)

    stream = pipeline.receive(parts, KEY, ABOUT, get)
    next(stream)
    stream.close()
    assert len(asked) <= 1 + pipeline.AHEAD


def test_memory_is_bounded_however_much_it_is(monkeypatch):
    monkeypatch.setattr(frames, "FRAME", 64 * 1024)
    monkeypatch.setattr(pipeline, "PIECE", 64 * 1024)
    monkeypatch.setattr(pipeline, "PART", 1024 * 1024)

    class Zeros:
        left = 64 * 1024 * 1024

        def read(self, size):
            size = min(size, self.left)
            self.left -= size
            return bytes(size)

    tracemalloc.start()
    done = pipeline.send(Zeros(), KEY, ABOUT, lambda number, *pieces: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.size == 64 * 1024 * 1024 and len(done.parts) == 64
    assert peak < (pipeline.AHEAD + 4) * pipeline.PART
