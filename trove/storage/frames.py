# SPDX-License-Identifier: Apache-2.0
"""A stream of bytes in frames: none can be read, changed, moved, left out or cut off.

The STREAM construction over AES-256-GCM, as age's payload has it: the nonce of a frame
is its number and whether it is the last. The key of a stream is derived from the
backup's and a salt of the stream's own (ADR 30), so two attempts at one backup never
have a nonce in common.

A stream is ``MAGIC``, the salt, and frames of ``FRAME`` bytes and a tag; the last one
may be shorter, and is the only one of an empty stream.
"""

import itertools
import os
import typing

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trove import errors

FRAME = 1024 * 1024
"""Bytes of a frame, before it is encrypted."""
TAG = 16
MAGIC = b"trove\x00\x00\x01"
SALT = 32
KEY = 32
"""Bytes of a key."""


class Broken(errors.Upstream):
    """What is stored is not what was stored."""

    sentence = "The backup is not what was stored: {why}."


def sealed(
    pieces: typing.Iterable[bytes], key: bytes, about: bytes
) -> typing.Iterator[bytes]:
    """The stream: its beginning, and frame after frame.

    ``about`` says what it is of; who opens it says the same. Pieces have any size.
    """
    salt = os.urandom(SALT)
    cipher = _cipher(key, salt, about)
    yield MAGIC + salt
    number, held = -1, b""
    for number, frame in enumerate(_plain(pieces)):
        if number:
            yield cipher.encrypt(_nonce(number - 1, False), held, None)
        held = frame  # one always is: whether it is the last is part of it
    yield cipher.encrypt(_nonce(max(number, 0), True), held, None)


def _plain(pieces: typing.Iterable[bytes]) -> typing.Iterator[bytes]:
    """What each frame has. A piece that is a frame already is not copied."""
    waiting = bytearray()
    for piece in pieces:
        if not waiting and len(piece) == FRAME:
            yield piece
            continue
        waiting += piece
        while len(waiting) >= FRAME:
            yield bytes(memoryview(waiting)[:FRAME])
            del waiting[:FRAME]
    if waiting:
        yield bytes(waiting)


def opened(
    pieces: typing.Iterable[bytes], key: bytes, about: bytes
) -> typing.Iterator[bytes]:
    """What was sealed, frame after frame; ``Broken`` at one that is not as it was.

    What came before that one is as it was. It is all of it only when this ends.
    """
    rest = iter(pieces)
    cipher, first = _begun(rest, key, about)
    for number, (frame, last) in enumerate(_divided(itertools.chain([first], rest))):
        yield _frame(cipher, number, last, frame)


def _divided(
    pieces: typing.Iterable[bytes | memoryview],
) -> typing.Iterator[tuple[bytes | memoryview, bool]]:
    """Each frame as it was sealed, and whether it is the last one. Only what a piece
    ends with is copied: what may be the last, or goes on in the next."""
    size, held = FRAME + TAG, bytearray()
    for piece in pieces:
        view = memoryview(piece)
        at = min(size - len(held), len(view)) if held else 0
        held += view[:at]
        if len(held) == size and at < len(view):
            yield bytes(held), False
            held.clear()
        while len(view) - at > size:
            yield view[at : at + size], False
            at += size
        held += view[at:]
    yield bytes(held), True


def _begun(
    pieces: typing.Iterator[bytes], key: bytes, about: bytes
) -> tuple[AESGCM, memoryview]:
    """By the beginning; and what came with it."""
    waiting, begin = b"", len(MAGIC)
    while len(waiting) < begin + SALT:
        piece = next(pieces, None)
        if piece is None:
            raise Broken(why="it ends before it has begun")
        waiting += piece
    if waiting[:begin] != MAGIC:
        raise Broken(why="it does not begin as one of ours")
    cipher = _cipher(key, waiting[begin : begin + SALT], about)
    return cipher, memoryview(waiting)[begin + SALT :]


def _frame(cipher: AESGCM, number: int, last: bool, data: bytes | memoryview) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last), data, None)
    except InvalidTag:
        what = "it ends too early, or its last frame" if last else f"frame {number}"
        raise Broken(why=f"{what} was changed, or is another key's") from None


def _cipher(key: bytes, salt: bytes, about: bytes) -> AESGCM:
    info = MAGIC + about
    return AESGCM(HKDF(hashes.SHA256(), KEY, salt, info).derive(key))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
