# SPDX-License-Identifier: Apache-2.0
"""What a guest says of its archive, as far as it can be true.

It may be anybody's word. What of it is believed is compared with the store, by a
taskmanager; here is what may be stored at all.
"""

import typing

from trove import errors
from trove.rpc import codec
from trove.rpc.messages import ArchiveReport, SegmentShown
from trove.storage import manifest
from trove.storage.vault.protocol import LIST

SEGMENTS, PARTS = 32, 256
"""Of one report; a guest that has more waits until these are counted."""
LARGEST = 2**53
"""Of a number: JSON has no larger ones that are whole."""
LATEST = 2.0**33
"""Of a moment: beyond it, it is none."""
REASON = 2000
"""Characters of why it ended that are kept."""


def checked(report: ArchiveReport) -> dict[str, typing.Any]:
    """As it is stored; raises ``errors.Invalid``."""
    if len(report.segments) > SEGMENTS:
        raise errors.Invalid(why="too many segments at once")
    if sum(len(one.parts) for one in report.segments) > PARTS:
        raise errors.Invalid(why="too many parts at once")
    for one in report.segments:
        _check(one)
    if report.want is not None and not 0 <= report.want < LIST:
        raise errors.Invalid(why="no archive has such a part")
    if report.waiting is not None and not 0 <= report.waiting < LARGEST:
        raise errors.Invalid(why="that is no size")
    said: dict[str, typing.Any] = codec.encode(report)
    if report.broken is not None:
        said["broken"] = report.broken[:REASON]
    return said


def news(report: ArchiveReport) -> bool:
    """Whether there is anything to do for it."""
    return bool(report.segments or report.broken) or report.want is not None


def _check(one: SegmentShown) -> None:
    manifest.parts_of([[part.size, part.sha256, part.md5] for part in one.parts])
    whole = (one.number, one.part, one.first, one.last)
    if not all(0 <= each < LARGEST for each in whole):
        raise errors.Invalid(why="that is no place")
    if one.part + len(one.parts) > LIST:
        raise errors.Invalid(why="no archive has so many parts")
    if not all(0 <= each < LATEST for each in (one.since, one.until)):  # nor NaN
        raise errors.Invalid(why="that is no moment")
