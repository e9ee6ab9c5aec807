# SPDX-License-Identifier: Apache-2.0
"""The log of a real engine is brought to a dictionary, and played on a new machine."""

import contextlib
import typing

import pytest

from tests.contract.datastore.conftest import Lab, builds, concerns
from tests.contract.datastore.test_backups import Link, bare, stored, volume
from trove import errors
from trove.datastores import registry
from trove.guestagent import replaying, rounds
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
            pytest.param(
                each,
                id="-".join(each),
                marks=[getattr(pytest.mark, each[0]), pytest.mark.root],
            )
            for each in KINDS
            if each in asked and concerns(metafunc, each[0])
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

    def put(self, number: int, part: bytes) -> None:
        if self.away:
            raise errors.Unavailable(what="The object store")
        assert number not in self.data, "the number of a part was used twice"
        self.data[number] = part

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


@contextlib.contextmanager
def restored_to(
    what: Stored, until: float | None = None, point: str | None = None
) -> typing.Iterator[Lab]:
    """A new machine with the data of that moment; its engine is stopped."""
    place = int(what.link.mark.words["place"])
    needed = [one for one in what.segments if one.last >= place]
    numbers = [one.part + n for one in needed for n in range(len(one.parts))]

    def get(number: int, size: int) -> bytes:
        return what.data[numbers[number]]

    with bare(what.kind) as (lab, work):
        user = registry.get(lab.name).user
        log = replaying.Window(
            *(lab.machine, f"{work}/log", user, ARCHIVE, needed, KEY, get)
        )
        words, links = what.link.mark.words, [stored(what.link)]
        order = ReplayOrder(ARCHIVE, 0, "", until, point)
        replaying.restore(lab.machine, lab.engine, work, links, words, log, order)
        yield lab
