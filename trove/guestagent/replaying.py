# SPDX-License-Identifier: Apache-2.0
"""The transaction log comes back, piece by piece, and data go on by it to a moment.

Runs in the process of a job. On the volume there is no more of the log than a few
pieces.
"""

import functools
import typing

from trove.datastores.archives import Target
from trove.datastores.protocol import Engine, Stage
from trove.guestagent import backups
from trove.guestagent.host import Host
from trove.rpc.messages import ReplayOrder, SegmentShown
from trove.storage import archives, pipeline
from trove.storage.frames import Broken
from trove.storage.manifest import Part


class Window:
    """The files of the log that there are at the moment (``datastores.archives.Log``).

    The parts of all segments have numbers in one row, by which ``get`` has them.
    """

    def __init__(
        self,
        host: Host,
        directory: str,
        user: str,
        archive: str,
        segments: typing.Sequence[SegmentShown],
        key: bytes,
        get: pipeline.Get,
    ) -> None:
        self.directory = directory
        self._host, self._user = host, user
        self._archive, self._key, self._get = archive, key, get
        self._left = list(reversed(segments))
        self._part = 0
        self._there: list[str] = []
        self._place: int | None = None
        host.remove(directory)
        host.make_directory(directory, mode=0o700, owner=user)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the log."""
        return tuple(self._there)

    def more(self) -> bool:
        """Fetches the next segment; ``Broken`` if anything is not as it was brought."""
        if not self._left:
            return False
        segment = self._left.pop()
        if self._place not in (None, segment.first - 1):
            raise Broken(why=f"after {self._place} its log has {segment.first}")
        argv = ("tar", "--extract", f"--directory={self.directory}", "--file=-")
        stages = (backups.UNPRESS, Stage(argv, user=self._user))
        about = archives.about(self._archive, segment.number)
        parts = tuple(Part(p.size, p.sha256, p.md5) for p in segment.parts)
        get = functools.partial(self._fetch, self._part)
        with self._host.writing(*stages, within=backups.ENDS) as sink:
            for piece in pipeline.receive(parts, self._key, about, get):
                sink.write(piece)
        self._part += len(parts)
        self._place = segment.last
        self._found(segment)
        return True

    def drop(self, name: str) -> None:
        """It has been played."""
        self._there.remove(name)
        self._host.remove(f"{self.directory}/{name}")

    def _fetch(self, first: int, number: int, size: int) -> bytes:
        return self._get(first + number, size)

    def _found(self, segment: SegmentShown) -> None:
        listed = self._host.run(["ls", "-1", "--", self.directory]).stdout.split()
        # numbers grow longer than those that were before them
        new = sorted(set(listed) - set(self._there), key=lambda name: (len(name), name))
        if len(new) != segment.last - segment.first + 1:
            raise Broken(why=f"segment {segment.number} has {len(new)} files")
        self._there += new


def restore(
    host: Host,
    engine: Engine,
    work: str,
    links: typing.Sequence[backups.Link],
    words: typing.Mapping[str, str],
    log: Window,
    order: ReplayOrder,
) -> None:
    """The data directory is as it was at what is ordered; there is none yet."""
    backups.restore(host, engine.backups(), work, links)
    target = Target(order.until, order.point)
    engine.archive().replay(work, words, log, target)
