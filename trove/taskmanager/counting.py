# SPDX-License-Identifier: Apache-2.0
"""What is counted of an archive: what follows, and what the store itself has.

A guest's word says where to look, and nothing more. A segment that does not follow the
one before it, or is another one in the store, ends the archive: behind it there would
be a hole.
"""

import typing

from trove import errors
from trove.db.tables import Archive
from trove.model.archives import AHEAD
from trove.rpc.messages import ArchiveReport, SegmentShown
from trove.storage import manifest
from trove.storage.backups import Names
from trove.storage.manifest import Part
from trove.storage.vault.protocol import Vault

ATTEMPT = 1
"""How the parts of an archive are called: there is one attempt at it."""


class Wrong(errors.Upstream):
    """The guest's word cannot be true."""

    sentence = "{why}"


def following(
    row: Archive, report: ArchiveReport | None, now: float
) -> list[SegmentShown]:
    """What the guest says that comes next; raises ``Wrong`` unless it follows.

    What was counted is left out: a guest says it until it has heard that.
    """
    said = report.segments if report else ()
    found: list[SegmentShown] = []
    number, part = row.segments, row.part
    last, until = row.last, row.latest or 0.0
    for one in said:
        if one.number < row.segments:
            continue
        why = _unlike(one, number, part, last, until, now)
        if why is not None:
            raise Wrong(why=f"Segment {one.number} of the log {why}.")
        number, part = one.number + 1, one.part + len(one.parts)
        last, until = one.last, one.until
        found.append(one)
    return found


def _unlike(
    one: SegmentShown,
    number: int,
    part: int,
    last: int | None,
    until: float,
    now: float,
) -> str | None:
    """What is wrong with it, behind one that ended so."""
    if one.number != number:
        return f"comes in the place of segment {number}"
    if one.part < part:
        return "has a part of another one"
    if one.last < one.first or (last is not None and one.first != last + 1):
        return f"has the places {one.first} to {one.last} behind {last}"
    if not until <= one.since <= one.until:
        return "is older than the one before it"
    if one.until > now + AHEAD:
        return "is of a time to come"
    return None


def there(
    vault: Vault, names: Names, segments: typing.Sequence[SegmentShown]
) -> list[SegmentShown]:
    """Those that the store has, until the first that it has not, or not all of.

    Raises ``Wrong`` for a part that is another one there.
    """
    stored = _stored(vault, names, segments)
    found: list[SegmentShown] = []
    for one in segments:
        for number, part in enumerate(one.parts, one.part):
            has = stored.get(number)
            if has is None:
                return found
            if has != (part.size, part.md5):
                why = f"Part {number} of the log is another one in the store."
                raise Wrong(why=why)
        found.append(one)
    return found


def _stored(
    vault: Vault, names: Names, segments: typing.Sequence[SegmentShown]
) -> dict[int, tuple[int, str]]:
    """Size and MD5 of these parts, by their numbers: ten names in a list at the most,
    for all of an archive are as many as there were minutes."""
    wanted = {
        names.of(ATTEMPT, number)[:-1]
        for one in segments
        for number in range(one.part, one.part + len(one.parts))
    }
    return {
        number: (each.size, each.md5)
        for prefix in sorted(wanted)
        for each in vault.listed(prefix)
        if (number := names.number(ATTEMPT, each.name)) is not None
    }


def row_of(one: SegmentShown) -> dict[str, typing.Any]:
    """A segment as it is written down (``db.tables.ArchiveSegment``)."""
    parts = [Part(part.size, part.sha256, part.md5) for part in one.parts]
    return {
        "number": one.number,
        "part": one.part,
        "count": len(parts),
        "parts": manifest.list_of(parts),
        "first": one.first,
        "last": one.last,
        "since": one.since,
        "until": one.until,
    }
