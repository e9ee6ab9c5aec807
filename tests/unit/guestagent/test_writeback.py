# SPDX-License-Identifier: Apache-2.0
"""What is written is synced while more of it comes: never twice at once, and whoever
fails at it disturbs nobody."""

import threading
import typing

import pytest

from trove import errors
from trove.guestagent.writeback import meanwhile

WITHIN = 10.0


class Disk:
    """Syncs, each of which lasts until it is let go."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.begun, self.free = threading.Semaphore(0), threading.Semaphore(0)
        self.at_once = self.most = self.ended = 0
        self._fault = fault

    def sync(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.release()
        assert self.free.acquire(timeout=WITHIN)
        self.at_once -= 1
        self.ended += 1
        if self._fault is not None:
            raise self._fault


def test_it_begins_when_enough_has_come_and_while_more_comes() -> None:
    disk = Disk()
    with meanwhile(disk.sync, each=10) as writeback:
        writeback.wrote(9)
        assert not disk.begun.acquire(timeout=0.1)
        writeback.wrote(1)
        assert disk.begun.acquire(timeout=WITHIN)
        for _ in range(5):  # who writes does not wait for it
            writeback.wrote(10)
        disk.free.release(2)
        assert disk.begun.acquire(timeout=WITHIN)
    assert (disk.ended, disk.most) == (2, 1)


def test_the_end_waits_for_the_one_that_was_begun_and_begins_none() -> None:
    disk = Disk()
    with meanwhile(disk.sync, each=1) as writeback:
        writeback.wrote(1)
        assert disk.begun.acquire(timeout=WITHIN)
        writeback.wrote(1)
        threading.Timer(0.2, disk.free.release).start()
    assert (disk.ended, disk.at_once) == (1, 0)


@pytest.mark.parametrize("fault", [OSError(5, "no disk"), errors.Internal(why="gone")])
def test_one_that_fails_disturbs_nobody_and_is_told(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(fault)
    with meanwhile(disk.sync, each=1) as writeback:
        for _ in range(2):
            writeback.wrote(1)
            assert disk.begun.acquire(timeout=WITHIN)
            disk.free.release()
    assert disk.ended == 2
    assert caplog.text.count("not on the disk yet") == 2


def test_who_fails_meanwhile_leaves_nothing_behind() -> None:
    disk, before = Disk(), threading.active_count()

    def work() -> typing.NoReturn:
        with meanwhile(disk.sync):
            raise errors.Internal(why="the stream broke")

    with pytest.raises(errors.Internal):
        work()
    assert threading.active_count() == before
