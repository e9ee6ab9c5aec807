# SPDX-License-Identifier: Apache-2.0
"""From which file of the binary log on the next increment of a backup will want it.

It is written down beside the data, and is a wish: a file stays for it as long as there
is room, and no longer than increments are apart. What is gone is a full backup instead.
"""

import json
import os
import time
import typing

from trove.datastores.classic.places import Places
from trove.datastores.protocol import Host

LONGEST = 2 * 86400.0
"""Seconds: no policy has a day and more between two increments."""
ROOM = 10
"""One in so many bytes of the volume must be free for it."""


def want(host: Host, places: Places, place: int, *, increment: bool) -> None:
    """What is in this file and behind it, from now on.

    ``increment``: one is made that begins there, so others will be, of what is behind
    it. A full backup changes nothing then: nothing may ever come to stand on it.
    """
    before = _said(host, places)
    if not increment and before is not None and before["increment"]:
        return
    said = {"place": place, "at": time.time(), "increment": increment}
    host.write_file(places.wanted, json.dumps(said), mode=0o600)


def wanted(host: Host, places: Places) -> int | None:
    """The place of the first file; None: there is nothing that must stay."""
    said = _said(host, places)
    if said is None or not _room(places.volume):
        return None
    return int(said["place"])


def _said(host: Host, places: Places) -> dict[str, typing.Any] | None:
    text = host.read_file(places.wanted)
    said: dict[str, typing.Any] | None = None if text is None else json.loads(text)
    if said is None or time.time() - float(said["at"]) > LONGEST:
        return None
    return said


def _room(volume: str) -> bool:
    found = os.statvfs(volume)
    return found.f_bavail * ROOM > found.f_blocks
