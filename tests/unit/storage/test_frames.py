# SPDX-License-Identifier: Apache-2.0
"""A stream that was touched anywhere is refused (T23, T24)."""

import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.storage import frames
from trove.storage.frames import MAGIC, SALT, TAG, Broken, opened, sealed

KEY, ABOUT = b"k" * 32, b"backup 1"
SMALL = 16
"""Bytes of a frame here, so that a stream has many."""
HEAD = len(MAGIC) + SALT


@pytest.fixture(autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "FRAME", SMALL)
        yield


def stream(data, key=KEY, about=ABOUT):
    return b"".join(sealed([data], key, about))


def plain(data, key=KEY, about=ABOUT):
    return b"".join(opened([data], key, about))


@given(st.lists(st.binary(max_size=100), max_size=8), st.integers(1, 70))
def test_what_was_sealed_is_opened_whatever_the_pieces_are(pieces, size):
    whole = b"".join(sealed(pieces, KEY, ABOUT))
    again = [whole[n : n + size] for n in range(0, len(whole), size)]
    assert b"".join(opened(again, KEY, ABOUT)) == b"".join(pieces)


@given(st.binary(max_size=5 * SMALL), st.data())
def test_a_bit_that_was_turned_anywhere_is_found(data, draw):
    whole = bytearray(stream(data))
    where = draw.draw(st.integers(0, 8 * len(whole) - 1))
    whole[where // 8] ^= 1 << where % 8
    with pytest.raises(Broken):
        plain(bytes(whole))


@given(st.binary(max_size=5 * SMALL), st.data())
def test_what_was_cut_off_or_added_is_found(data, draw):
    whole = stream(data)
    with pytest.raises(Broken):
        plain(whole[: draw.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(Broken):
        plain(whole + draw.draw(st.binary(min_size=1, max_size=3 * SMALL)))


def test_frames_keep_their_places():
    data = os.urandom(4 * SMALL)
    whole, size = stream(data), SMALL + TAG
    head, rest = whole[:HEAD], whole[HEAD:]
    first, second, third, fourth = (rest[n * size :][:size] for n in range(4))
    assert plain(head + first + second + third + fourth) == data
    for other in (
        head + second + first + third + fourth,  # moved
        head + first + third + fourth,  # left out
        head + first + first + second + third + fourth,  # twice
        head + first + second + third,  # the end is gone, at the edge of a frame
        head,
    ):
        with pytest.raises(Broken):
            plain(other)


def test_another_key_or_another_backups_opens_nothing():
    whole = stream(b"rows")
    for key, about in ((b"x" * 32, ABOUT), (KEY, b"backup 2"), (KEY, b"")):
        with pytest.raises(Broken):
            plain(whole, key, about)


def test_two_attempts_have_nothing_in_common():
    """The same nonce under the same key twice would give both away."""
    one, two = stream(b"a" * 64), stream(b"a" * 64)
    pairs = zip(one[len(MAGIC) :], two[len(MAGIC) :], strict=True)
    same = sum(a == b for a, b in pairs)
    assert same < 20 and len(one) == HEAD + 4 * (SMALL + TAG)


def test_what_comes_before_the_broken_frame_is_as_it_was():
    data = os.urandom(3 * SMALL)
    whole = bytearray(stream(data))
    whole[-1] ^= 1
    found = []
    with pytest.raises(Broken, match="last frame"):
        found.extend(opened([bytes(whole)], KEY, ABOUT))
    assert b"".join(found) == data[: 2 * SMALL]


def test_what_is_no_stream_says_so():
    with pytest.raises(Broken, match="does not begin"):
        plain(b"x" * 100)
    with pytest.raises(Broken, match="before it has begun"):
        plain(MAGIC)


def test_memory_is_bounded_by_frames_and_pieces(monkeypatch):
    monkeypatch.setattr(frames, "FRAME", 64 * 1024)
    pieces = (bytes(256 * 1024) for _ in range(64))  # 16 MiB
    tracemalloc.start()
    size = sum(len(one) for one in opened(sealed(pieces, KEY, ABOUT), KEY, ABOUT))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 16 * 1024 * 1024
    assert peak < 3 * 1024 * 1024
