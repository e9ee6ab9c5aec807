# SPDX-License-Identifier: Apache-2.0
"""The list of an archive's segments: what was written is what is read, or nothing."""

import pytest

from trove.rpc.messages import PartShown, SegmentShown
from trove.storage import archives, manifest
from trove.storage.frames import Broken

PART = PartShown(3, "a" * 64, "b" * 32)
SEGMENTS = (
    SegmentShown(0, 0, (PART,), 4, 4, 100.0, 140.5),
    SegmentShown(1, 2, (PART, PART), 5, 9, 140.5, 180.25),
)


def test_what_was_written_is_read() -> None:
    data = archives.write(SEGMENTS)
    assert archives.read(data, manifest.digest(data)) == SEGMENTS


@pytest.mark.parametrize("at", [0, 40, -2])
def test_a_bit_that_was_flipped_is_seen(at: int) -> None:
    data = bytearray(archives.write(SEGMENTS))
    sha256 = manifest.digest(bytes(data))
    data[at] ^= 1
    with pytest.raises(Broken):
        archives.read(bytes(data), sha256)


def test_a_segment_is_of_its_archive_and_its_place() -> None:
    assert len({archives.about(a, n) for a in ("x", "y") for n in (1, 2)}) == 4
