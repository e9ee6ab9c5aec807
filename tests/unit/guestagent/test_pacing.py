# SPDX-License-Identifier: Apache-2.0
"""Bytes are handed on at a pace, all of them, and whoever says them waits."""

import contextlib
import os
import threading
import time
import typing

import pytest

from trove.guestagent.pacing import Pacing

RATE = 4 * 1024 * 1024


def pipe() -> tuple[typing.BinaryIO, typing.BinaryIO]:
    read, write = os.pipe()
    return open(read, "rb", buffering=0), open(write, "wb", buffering=0)


def said(data: bytes, rate: int) -> tuple[bytes, float]:
    """What comes of it, and the seconds that it took."""
    source, sink = pipe()

    def say() -> None:
        with sink:
            sink.write(data)

    begun = time.monotonic()
    threading.Thread(target=say, daemon=True).start()
    pacing = Pacing(source, rate)
    found = b"".join(iter(lambda: pacing.taken.read(65536), b""))
    pacing.end(10)
    assert source.closed
    return found, time.monotonic() - begun


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024])
def test_all_of_it_comes_and_in_its_order(size: int) -> None:
    data = os.urandom(size)
    assert said(data, 1 << 40)[0] == data


def test_it_comes_no_faster_than_it_is_to() -> None:
    data = os.urandom(2 * RATE)
    found, seconds = said(data, RATE)
    assert found == data
    # the last piece is there before its time is over
    assert seconds > 1.5


def test_what_was_not_said_in_time_is_not_made_up_for() -> None:
    source, sink = pipe()
    pacing = Pacing(source, RATE)
    time.sleep(1.0)
    begun = time.monotonic()
    threading.Thread(target=lambda: sink.write(bytes(RATE)), daemon=True).start()
    left = RATE
    while left:
        left -= len(pacing.taken.read(65536))
    assert time.monotonic() - begun > 0.5
    sink.close()
    assert pacing.taken.read(1) == b""
    pacing.taken.close()


def test_who_reads_no_more_ends_who_says() -> None:
    source, sink = pipe()
    pacing = Pacing(source, RATE)
    pacing.taken.close()
    with pytest.raises(BrokenPipeError), sink:
        for _ in range(100):
            sink.write(bytes(65536))
    pacing.end(10)
    assert source.closed


def test_its_end_waits_for_no_pace_and_no_reader() -> None:
    for rate in (1, 1 << 40):
        source, sink = pipe()
        pacing = Pacing(source, rate)
        threading.Thread(target=until_broken, args=(sink,), daemon=True).start()
        pacing.taken.read(1)
        begun = time.monotonic()
        pacing.end(60)
        assert time.monotonic() - begun < 10
        assert source.closed


def until_broken(sink: typing.BinaryIO) -> None:
    with contextlib.suppress(BrokenPipeError), sink:
        while True:
            sink.write(bytes(65536))
