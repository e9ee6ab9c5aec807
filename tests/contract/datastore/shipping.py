# SPDX-License-Identifier: Apache-2.0
"""The log of a real engine is brought to a dictionary, and played on a new machine."""

import contextlib
import os
import subprocess
import tempfile
import typing

import pytest

from tests.contract.datastore.conftest import Lab, builds, concerns, param
from tests.contract.datastore.test_backups import Link, bare, stored, volume
from trove import errors
from trove.datastores import registry
from trove.datastores.archives import Target
from trove.guestagent import backups, replaying, rounds
from trove.guestagent.archives import Progress
from trove.rpc.messages import ReplayOrder, SegmentShown
from trove.storage import pipeline

KINDS = [("mariadb", "10.11"), ("postgresql", "15"), ("mariadb", "11.8")]
KINDS += [("postgresql", "17"), ("mysql", "9.7")]
KEY, ARCHIVE = b"l" * 32, "archive"

Data = dict[int, bytes]


def parametrized(metafunc: pytest.Metafunc) -> None:
    """Each engine that has a log, or those of this machine's Debian."""
    if "kind" in metafunc.fixturenames:
        found = builds(metafunc.config.getoption("all_datastores"))
        asked = {(name, build.version) for name, build in found}
        params = [
            param(each) for each in KINDS if each in asked and concerns(metafunc, *each)
        ]
        metafunc.parametrize("kind", params, scope="module")


class Shipping:
    """The rounds of an archive of that engine, with a store that is a dictionary."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.data: Data = {}
        self.progress = Progress(ARCHIVE)
        self.counted = 0
        self.brought: list[SegmentShown] = []
        self.away = False

    def put(self, number: int, /, *pieces: bytes) -> None:
        if self.away:
            raise errors.Unavailable(what="The object store")
        assert number not in self.data, "the number of a part was used twice"
        self.data[number] = b"".join(pieces)

    def save(self, progress: Progress) -> None:
        self.progress = progress

    def made(
        self, put: pipeline.Put, save: typing.Callable[[Progress], None]
    ) -> rounds.Round:
        lab = self.lab
        return rounds.Round(
            *(lab.machine, lab.engine.archive(), self.progress, KEY),
            *(put, save, volume(lab)),
        )

    def round(self) -> Progress:
        """One; what it brought is counted with the next, as a control plane does it."""
        try:
            self.made(self.put, self.save).go(self.counted)
        finally:
            count = len(self.brought)
            self.brought += [s for s in self.progress.segments if s.number >= count]
            self.counted = len(self.brought)
        return self.progress


class Stored(typing.Protocol):
    """What a restore to a moment begins with."""

    kind: tuple[str, str]
    link: Link
    data: Data
    segments: tuple[SegmentShown, ...]


def log_of(what: Stored, lab: Lab, work: str) -> replaying.Window:
    """What of it is played after the backup, on that machine."""
    place = int(what.link.mark.words["place"])
    needed = [one for one in what.segments if one.last >= place]
    numbers = [one.part + n for one in needed for n in range(len(one.parts))]

    def get(number: int, size: int) -> bytes:
        return what.data[numbers[number]]

    user = registry.get(lab.name).user
    return replaying.Window(
        *(lab.machine, f"{work}/log", user, ARCHIVE, needed, KEY, get)
    )


@contextlib.contextmanager
def restored_to(
    what: Stored,
    until: float | None = None,
    point: str | None = None,
    before: typing.Sequence[Link] = (),
) -> typing.Iterator[Lab]:
    """A new machine with the data of that moment; its engine is stopped. ``before``:
    what the backup stands on."""
    with bare(what.kind) as (lab, work):
        words = what.link.mark.words
        links = [*map(stored, before), stored(what.link)]
        order = ReplayOrder(ARCHIVE, 0, "", until, point)
        log = log_of(what, lab, work)
        replaying.restore(lab.machine, lab.engine, work, links, words, log, order)
        yield lab


class Moments:
    """One machine that has been at one moment after another.

    What a restore makes of the backup is the same for each of them: it is made once,
    and each begins with a copy of the whole volume as it was then.
    """

    def __init__(self, what: Stored, lab: Lab, work: str) -> None:
        self._what, self._lab, self._work = what, lab, work
        host, self._volume = lab.machine, volume(lab)
        self._kept = f"{host.root}/kept"
        backups.restore(host, lab.engine.backups(), work, [stored(what.link)])
        self._copy(self._volume, self._kept)

    @contextlib.contextmanager
    def at(self, until: float) -> typing.Iterator[Lab]:
        """The machine with the data of that moment; its engine is stopped, and is
        stopped anew afterwards."""
        lab = self._lab
        self._copy(self._kept, self._volume)
        log = log_of(self._what, lab, self._work)
        words, target = self._what.link.mark.words, Target(until)
        lab.engine.archive().replay(self._work, words, log, target)
        try:
            yield lab
        finally:
            lab.engine.stop()

    def _copy(self, this: str, there: str) -> None:
        self._lab.machine.remove(there)
        words = ["cp", "--archive", "--", this, there]
        self._lab.machine.run(words, timeout=120)


@contextlib.contextmanager
def moments(what: Stored) -> typing.Iterator[Moments]:
    """A new machine, and all that its volume may become; it is in memory, for a disk
    would take most of the time to forget what it was before."""
    place = tempfile.mkdtemp(prefix="t-")
    os.chmod(place, 0o755)
    words = ["mount", "-t", "tmpfs", "-o", "size=3g,mode=0755", "tmpfs", place]
    subprocess.run(words, check=True, timeout=60)
    try:
        with bare(what.kind, place) as (lab, work):
            yield Moments(what, lab, work)
    finally:
        subprocess.run(["umount", place], check=True, timeout=60)
        os.rmdir(place)
