# SPDX-License-Identifier: Apache-2.0
"""A stream of bytes in frames: none can be read, changed, moved, left out or cut off.

The STREAM construction over AES-256-GCM, as age's payload has it: the nonce of a frame
is its number and whether it is the last. The key of a stream is derived from the
backup's and a salt of the stream's own (ADR 30), so two attempts at one backup never
have a nonce in common.

A stream is ``MAGIC``, the salt, and frames of ``FRAME`` bytes and a tag; the last one
may be shorter, and is the only one of an empty stream.
"""

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
    number, waiting = 0, bytearray()
    for piece in pieces:
        waiting += piece
        # one is held back always: whether it is the last is part of it
        while len(waiting) > FRAME:
            yield cipher.encrypt(_nonce(number, False), waiting[:FRAME], None)
            del waiting[:FRAME]
            number += 1
    yield cipher.encrypt(_nonce(number, True), bytes(waiting), None)


def opened(
    pieces: typing.Iterable[bytes], key: bytes, about: bytes
) -> typing.Iterator[bytes]:
    """What was sealed, frame after frame; ``Broken`` at one that is not as it was.

    What came before that one is as it was. It is all of it only when this ends.
    """
    waiting, number = bytearray(), 0
    cipher: AESGCM | None = None
    for piece in pieces:
        waiting += piece
        if cipher is None and len(waiting) >= len(MAGIC) + SALT:
            cipher = _begun(waiting, key, about)
        if cipher is None:
            continue
        whole = max(0, len(waiting) - 1) // (FRAME + TAG)
        with memoryview(waiting) as view:
            for one in range(whole):
                with view[one * (FRAME + TAG) : (one + 1) * (FRAME + TAG)] as frame:
                    plain = _frame(cipher, number, False, frame)
                yield plain
                number += 1
        del waiting[: whole * (FRAME + TAG)]
    if cipher is None:
        raise Broken(why="it ends before it has begun")
    yield _frame(cipher, number, True, bytes(waiting))


def _begun(waiting: bytearray, key: bytes, about: bytes) -> AESGCM:
    """Takes the beginning away."""
    begin = len(MAGIC)
    if waiting[:begin] != MAGIC:
        raise Broken(why="it does not begin as one of ours")
    cipher = _cipher(key, bytes(waiting[begin : begin + SALT]), about)
    del waiting[: begin + SALT]
    return cipher


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
