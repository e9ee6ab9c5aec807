# SPDX-License-Identifier: Apache-2.0
"""A guest that archives its log, as far as the control plane sees one.

It keeps what a real one keeps: its order, the segments that are not counted, the number
of the next part. What it brings is in the store by the requests that it was granted.
"""

import contextlib
import dataclasses
import typing

from trove import errors
from trove.rpc import sealing
from trove.rpc.messages import ArchiveOrder, ArchiveReport, PartShown, SegmentShown
from trove.storage.manifest import Part
from trove.storage.vault import carry
from trove.storage.vault.protocol import Signed


class Archivist:
    """One guest. ``clock`` is its own; places begin at ``place``."""

    def __init__(
        self, private: str, clock: typing.Callable[[], float], place: int = 100
    ) -> None:
        self._private, self._clock = private, clock
        self.place = place
        self.orders: list[ArchiveOrder] = []
        self.ended: list[str] = []
        self.pending: list[SegmentShown] = []
        self.requests: dict[int, Signed] = {}
        self.archive: str | None = None
        self.key = ""
        self.number = self.part = 0
        self.until = clock()
        self.want: int | None = None
        self.broken: str | None = None
        self.lies = False
        """Whether it says that it brings, and does not."""

    def archive_order(self, order: ArchiveOrder) -> None:
        """``Guest.archive``."""
        self.orders.append(order)
        secret = sealing.unseal(self._private, order.sealed)
        if order.archive != self.archive:
            self.archive, self.key = order.archive, secret["key"]
            self.pending, self.requests = [], {}
            self.number = self.part = 0
            self.want = self.broken = None
        for grant in secret["grants"]:
            first = grant["first"]
            self.requests = {
                first + at: Signed(url, headers)
                for at, (url, headers) in enumerate(grant["requests"])
            }
        if self.want in self.requests:
            self.want = None
        self.pending = [one for one in self.pending if one.number >= order.counted]

    def end_archive(self, archive: str) -> None:
        """``Guest.end_archive``."""
        self.ended.append(archive)
        if archive == self.archive:
            self.archive = None

    def brings(self, *data: bytes, places: int = 1) -> SegmentShown | None:
        """One round: these parts are a segment; None: not all was granted."""
        until = max(self.until, self._clock())
        parts = []
        for each in data or (b"log",):
            if self.part not in self.requests:
                self.want = self.part
                return None
            if not self.lies:
                with contextlib.suppress(carry.Taken):
                    carry.put(self.requests[self.part], each, 9, files=True)
            said = Part.of(each)
            parts.append(PartShown(said.size, said.sha256, said.md5))
            self.part += 1
        made = SegmentShown(
            self.number,
            self.part - len(parts),
            tuple(parts),
            self.place,
            self.place + places - 1,
            self.until,
            until,
        )
        self.number, self.place = self.number + 1, self.place + places
        self.until = until
        self.pending.append(made)
        return made

    def report(self, **other: typing.Any) -> ArchiveReport:
        """What it says; raises ``errors.NotFound`` when it has no order."""
        if self.archive is None:
            raise errors.NotFound(what="Order", id="-")
        said = ArchiveReport(
            self.archive, tuple(self.pending), self.want, self.broken, 7
        )
        return dataclasses.replace(said, **other)


class Line:
    """The caller's end of one (``flows.context.GuestCaller`` of one instance)."""

    def __init__(self, archivist: Archivist) -> None:
        self._archivist = archivist

    def archive(self, order: ArchiveOrder) -> None:
        self._archivist.archive_order(order)

    def end_archive(self, archive: str) -> None:
        self._archivist.end_archive(archive)
