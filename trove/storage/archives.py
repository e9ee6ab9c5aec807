# SPDX-License-Identifier: Apache-2.0
"""The archive of a transaction log: segments in a row, and the list that a restore has.

A guest brings the segments while its database serves; the control plane compares each
with what the store lists, and counts it. What a restore goes on with is a list of them
that the control plane writes: whoever restores knows its SHA-256 from a better place
than the store.
"""

import hmac
import json
import typing

from trove.rpc import codec
from trove.rpc.messages import SegmentShown
from trove.storage.frames import Broken
from trove.storage.manifest import digest

LARGEST = 64 * 1024 * 1024
"""Bytes of a list, at the most."""


def about(archive: str, number: int) -> bytes:
    """What a segment is encrypted with: it is that one's of that archive."""
    return f"{archive}/{number}".encode()


def write(segments: typing.Sequence[SegmentShown]) -> bytes:
    """The list, as it is stored."""
    plain = [codec.encode(each) for each in segments]
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def read(data: bytes, sha256: str) -> tuple[SegmentShown, ...]:
    """What was written; ``Broken`` unless it is that, to the bit."""
    if not hmac.compare_digest(digest(data), sha256):
        raise Broken(why="its list of segments is another one than was written")
    found: tuple[SegmentShown, ...] = codec.decode(
        tuple[SegmentShown, ...], json.loads(data), "segments"
    )
    return found
