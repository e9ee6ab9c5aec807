# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/freezing.py, with a real file system that is frozen."""

import os
import threading

import pytest

from trove import errors
from trove.guestagent import disks, freezing
from trove.guestagent.desk import Desk
from trove.guestagent.host import Host, Ran

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices"),
]


class Guarded(Host):
    """A machine whose systemd notes what it is told; it thaws nothing by itself."""

    def __init__(self):
        super().__init__()
        self.told = []

    def run(self, argv, **how):
        words = list(map(str, argv))
        if words[0] in ("systemd-run", "systemctl"):
            self.told.append(words)
            return Ran(0, "", "")
        return super().run(argv, **how)


@pytest.fixture
def machine():
    return Guarded()


@pytest.fixture
def volume(tmp_path, host, toy):
    """The toy's directory is on a volume; it can always be written to at the end."""
    image = tmp_path / "volume.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    host.run(["mkfs.ext4", "-q", str(image)])
    toy.data.mkdir()
    host.run(["mount", "-o", "loop", "--", str(image), str(toy.data)])
    yield toy.data
    host.run(["fsfreeze", "--unfreeze", str(toy.data)], check=False)
    toy.obey()
    toy.kill()
    host.run(["umount", "--", str(toy.data)])


@pytest.fixture
def desk(places, guest, machine, volume, monkeypatch, tmp_path):
    monkeypatch.setattr(freezing, "SYSTEMD", tmp_path)
    made = Desk(places, machine, lambda percent, done: None)
    record = disks.Volume("uuid", "label", "ext4")  # looked for only when it is made
    made.note(prepared=True, run=True, volume=record)
    (volume / "data").mkdir()
    return made


class Writer(threading.Thread):
    """Writes one file, however long that takes."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self._path = path
        self.start()

    def run(self):
        self._path.write_text("written")

    def waits(self):
        self.join(0.5)
        return self.is_alive()


def test_nothing_is_written_until_it_is_thawed_and_then_it_says_so(
    desk, machine, volume
):
    assert freezing.freeze(desk, {"seconds": 7}) == {"frozen": True}
    (guard,) = [words for words in machine.told if words[0] == "systemd-run"]
    assert {"--on-active=7s", "--on-unit-inactive=7s"} <= set(guard)
    assert guard[-2:] == ["--unfreeze", str(volume)]
    writer = Writer(volume / "file")
    assert writer.waits()
    assert freezing.thaw(desk, {}) == {"held": True}
    writer.join(10)
    assert (volume / "file").read_text() == "written"
    assert ["systemctl", "stop", "trove-thaw.timer", "trove-thaw.service"] == (
        machine.told[-2]
    )


def test_what_was_thawed_before_is_told(desk, host, volume):
    freezing.freeze(desk, {"seconds": 7})
    host.run(["fsfreeze", "--unfreeze", str(volume)])  # as the guard does
    assert freezing.thaw(desk, {}) == {"held": False}


def test_a_job_that_died_when_it_was_frozen_is_done_again(desk, volume):
    freezing.freeze(desk, {"seconds": 7})
    assert freezing.freeze(desk, {"seconds": 7}) == {"frozen": True}
    assert freezing.thaw(desk, {}) == {"held": True}


def test_it_is_guarded_before_it_is_frozen_or_not_at_all(
    desk, volume, monkeypatch, tmp_path
):
    monkeypatch.setattr(freezing, "SYSTEMD", tmp_path / "none")
    with pytest.raises(errors.Unsupported):
        freezing.freeze(desk, {"seconds": 7})
    assert not Writer(volume / "file").waits()


def test_what_would_not_be_whole_is_not_frozen(desk, machine, volume):
    (volume / "data" / "torn").write_text("")
    with pytest.raises(errors.EngineFailed, match="power cut"):
        freezing.freeze(desk, {"seconds": 7})
    assert not Writer(volume / "file").waits()
    assert not [words for words in machine.told if words[0] == "systemd-run"]


@pytest.mark.parametrize("seconds", [0, 4, 301, "7", 7.0, True, None])
def test_for_how_long_is_bounded(desk, volume, seconds):
    with pytest.raises(errors.Invalid):
        freezing.freeze(desk, {"seconds": seconds})
    assert not Writer(volume / "file").waits()


def test_data_that_are_not_on_a_volume_are_not_frozen(desk):
    desk.note(volume=None)
    with pytest.raises(errors.Conflict, match="volume of their own"):
        freezing.freeze(desk, {"seconds": 7})
