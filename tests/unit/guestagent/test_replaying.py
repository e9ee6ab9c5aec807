# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/replaying.py: pieces of a log come back in their order."""

import io
import os
import pwd
import subprocess
import tarfile

import pytest

from tests.brought import into
from trove.guestagent.backups import PRESS
from trove.guestagent.replaying import Window
from trove.rpc.messages import PartShown, SegmentShown
from trove.storage import archives, pipeline
from trove.storage.frames import Broken

KEY, ID = b"k" * 32, "archive-1"
ME = pwd.getpwuid(os.getuid()).pw_name


class Stored:
    """Segments as they are stored; the parts of all have numbers in one row."""

    def __init__(self):
        self.parts, self.segments = [], []

    def add(self, *files, number=None, first=None):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, text in files:
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
        pressed = subprocess.run(
            PRESS.argv, input=buffer.getvalue(), capture_output=True, check=True
        ).stdout
        number = len(self.segments) if number is None else number
        data = {}
        about = archives.about(ID, number)
        sent = pipeline.send(io.BytesIO(pressed), KEY, about, into(data))
        shown = tuple(PartShown(p.size, p.sha256, p.md5) for p in sent.parts)
        if first is None:
            first = self.segments[-1].last + 1 if self.segments else 7
        last = first + len(files) - 1
        self.segments.append(SegmentShown(number, 99, shown, first, last, 1.0, 2.0))
        self.parts += [data[n] for n in range(len(data))]

    def get(self, number, size):
        return self.parts[number]


@pytest.fixture
def stored():
    made = Stored()
    made.add(("log.9", b"nine"), ("log.10", b"ten"))
    made.add(("log.11", b"eleven"))
    return made


@pytest.fixture
def window(host, tmp_path):
    def make(stored):
        directory = str(tmp_path / "log")
        return Window(host, directory, ME, ID, stored.segments, KEY, stored.get)

    return make


def test_files_are_there_until_they_were_played(stored, window, tmp_path):
    log = window(stored)
    assert log.names == ()
    assert log.more() and log.names == ("log.9", "log.10")
    assert (tmp_path / "log/log.10").read_bytes() == b"ten"
    log.drop("log.9")
    assert log.more() and log.names == ("log.10", "log.11")
    assert not (tmp_path / "log/log.9").exists()
    assert not log.more()


def test_a_segment_that_is_not_the_next_is_refused(stored, window):
    stored.add(("log.13", b"thirteen"), first=11)
    log = window(stored)
    assert log.more() and log.more()
    with pytest.raises(Broken, match="after 9"):
        log.more()


def test_fewer_files_than_it_says_are_refused(stored, window):
    one = stored.segments[0]
    stored.segments[0] = SegmentShown(0, 99, one.parts, 7, 9, 1.0, 2.0)
    with pytest.raises(Broken, match="2 files"):
        window(stored).more()


def test_a_bit_that_was_turned_is_refused(stored, window):
    wrong = bytearray(stored.parts[0])
    wrong[60] ^= 1
    stored.parts[0] = bytes(wrong)
    with pytest.raises(Broken):
        window(stored).more()


def test_one_segment_is_not_taken_for_another(stored, window):
    stored.segments[0], stored.parts[0] = (
        SegmentShown(0, 99, stored.segments[1].parts, 7, 7, 1.0, 2.0),
        stored.parts[1],
    )
    with pytest.raises(Broken):
        window(stored).more()
