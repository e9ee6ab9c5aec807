# SPDX-License-Identifier: Apache-2.0
"""What a guest writes down of the archive of its log: the order, and how far it is.

The agent alone writes the order, a round alone how far it came (``rounds``), so neither
has to lock. The order stays sealed.
"""

import dataclasses
import pathlib
import typing

from trove.guestagent import files, state
from trove.guestagent.places import Places
from trove.rpc import codec
from trove.rpc.messages import ArchiveOrder, ArchiveReport, SegmentShown

REMEMBERED = 20
"""Archives that are over, whose late orders are known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far an archive is.

    ``number`` is the next segment's, ``part`` the first that was never begun, ``place``
    the last file's that was brought (None: nothing is held yet), ``known`` what the
    one after it is known by, ``until`` the moment before which all is in the store.
    ``segments`` are those that are not counted yet.
    """

    archive: str
    number: int = 0
    part: int = 0
    place: int | None = None
    until: float = 0.0
    segments: tuple[SegmentShown, ...] = ()
    want: int | None = None
    waiting: int | None = None
    broken: str | None = None
    known: str = ""

    def report(self) -> ArchiveReport:
        """As the control plane hears it."""
        return ArchiveReport(
            self.archive, self.segments, self.want, self.broken, self.waiting
        )


class Shelf:
    """The files of it. What was read is what was written last, whole."""

    def __init__(self, places: Places) -> None:
        self._home = places.state / "archive"
        self.lock = self._home / "lock"
        """Of the one round that goes on."""
        files.directory(self._home)

    def granted(self, archive: str) -> pathlib.Path:
        """What came for a round meanwhile (``grants``); each archive's own, for a round
        of the one before may go on still, and parts of both have the same numbers."""
        if pathlib.PurePath(archive).name != archive:
            raise state.StateError(path=archive, why="it is no name of a file")
        return self._home / f"{archive}.grant"

    def order(self) -> ArchiveOrder | None:
        """What was ordered last."""
        data = self._read("order")
        if data is None:
            return None
        found: ArchiveOrder = codec.decode(ArchiveOrder, data, "order")
        return found

    def take(self, order: ArchiveOrder) -> bool:
        """It is what counts now; False: it is an older one, or of one that is over."""
        before = self.order()
        if order.archive in self.over():
            return False
        if before is not None and before.archive == order.archive:
            if order.counted < before.counted:
                return False
        elif before is not None:
            self._end(before.archive)
        state.save_json(self._path("order"), codec.encode(order))
        return True

    def end(self, archive: str) -> bool:
        """It is over; whether it was the one that went on."""
        before = self.order()
        self._end(archive)
        if before is None or before.archive != archive:
            return False
        self._path("order").unlink(missing_ok=True)
        return True

    def over(self) -> list[str]:
        """Archives that have ended, oldest first."""
        data = self._read("over")
        return [] if data is None else [str(each) for each in data["over"]]

    def progress(self) -> Progress | None:
        """How far a round came that wrote it down."""
        data = self._read("progress")
        if data is None:
            return None
        found: Progress = codec.decode(Progress, data, "progress")
        return found

    def save(self, progress: Progress) -> None:
        """Durable when this returns."""
        state.save_json(self._path("progress"), codec.encode(progress))

    def forget(self) -> None:
        """Nothing goes on, and nothing is held."""
        self._path("progress").unlink(missing_ok=True)

    def _end(self, archive: str) -> None:
        over = [each for each in self.over() if each != archive]
        kept = {"over": [*over, archive][-REMEMBERED:]}
        state.save_json(self._path("over"), kept)
        self.granted(archive).unlink(missing_ok=True)

    def _path(self, name: str) -> pathlib.Path:
        return self._home / f"{name}.json"

    def _read(self, name: str) -> dict[str, typing.Any] | None:
        return state.load_json(self._path(name))
