# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/rounds.py: processes that die anywhere leave no hole."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from tests.objectstore import serving
from trove import errors
from trove.datastores.archives import LogFile, Lost
from trove.guestagent import accounts, archiving, identity, rounds
from trove.guestagent.archives import Progress, Shelf
from trove.guestagent.backups import UNPRESS
from trove.guestagent.desk import Desk
from trove.rpc import sealing
from trove.rpc.messages import ArchiveOrder
from trove.storage import archives, pipeline
from trove.storage.backups import Names
from trove.storage.manifest import Part
from trove.storage.vault.swift import Swift

KEY, ID = b"k" * 32, "archive-1"
NAMES = Names("p", ID)


class Scene:
    """A guest with a toy engine, whose log is brought to a store."""

    def __init__(self, places, host, toy, vault):
        self.places, self.host, self.toy, self.vault = places, host, toy, vault
        self.desk = Desk(places, host, lambda percent, done: None)
        self.desk.note(prepared=True, run=True)
        self.log = self.desk.engine.archive()
        self.shelf = Shelf(places)
        self.serial, self.counted, self.lines = 0, 0, 0
        self.segments = []

    def order(self, first=0, count=64, seconds=60):
        self.shelf.take(self.ordered(first, count, seconds))

    def ordered(self, first=0, count=64, seconds=60, archive=ID):
        self.serial += 1
        sign, names = self.vault.writes, Names("p", archive)
        some = [sign(names.of(1, n), seconds) for n in range(first, first + count)]
        grant = {
            "serial": self.serial,
            "attempt": 1,
            "first": first,
            "requests": [[one.url, one.headers] for one in some],
        }
        secret = {"key": KEY.hex(), "grants": [grant]}
        sealed = sealing.seal(identity.load(self.places).public_key, secret)
        return ArchiveOrder(archive, 60, self.counted, sealed)

    def write(self, number=1):
        for _ in range(number):
            self.log.write(f"{self.lines}\n")
            self.lines += 1

    def process(self):
        """A round as the agent starts it; how it ended."""
        words = [sys.executable, "-m", "trove.guestagent.rounds"]
        words += [str(self.places.state), str(self.places.etc)]
        return subprocess.run(words, timeout=60, check=False).returncode

    def round(self):
        rounds.carry_out(self.places, self.host)
        return self.progress()

    def progress(self):
        """And it is counted."""
        progress = self.shelf.progress()
        new = [one for one in progress.segments if one.number >= len(self.segments)]
        self.segments += new
        self.counted = len(self.segments)
        return progress

    def stored(self):
        """All lines that the store has, by the segments that were told."""
        lines = []
        for one in self.segments:
            parts = tuple(Part(p.size, p.sha256, p.md5) for p in one.parts)

            def get(number, size, first=one.part):
                return self.vault.get(NAMES.of(1, first + number), size)

            about = archives.about(ID, one.number)
            pressed = b"".join(pipeline.receive(parts, KEY, about, get))
            plain = subprocess.run(
                UNPRESS.argv, input=pressed, capture_output=True, check=True
            ).stdout
            with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
                names = sorted(tar.getnames(), key=int)
                assert [int(n) for n in names] == list(range(one.first, one.last + 1))
                texts = [tar.extractfile(name).read().decode() for name in names]
            lines += "".join(texts).split()
        return [int(line) for line in lines]


@pytest.fixture
def scene(places, host, guest, toy, tmp_path):
    toy.data.mkdir(exist_ok=True)
    with serving(tmp_path / "objects") as store:
        vault = Swift(store.endpoint("p"), lambda *, fresh: "p/member", "c")
        vault.ensure()
        made = Scene(places, host, toy, vault)
        made.store = store
        yield made


def in_a_row(segments):
    assert [one.number for one in segments] == list(range(len(segments)))
    for before, after in zip(segments, segments[1:], strict=False):
        assert after.first == before.last + 1
        assert after.since == before.until <= after.until
        assert after.part >= before.part + len(before.parts)


def test_what_is_written_is_in_the_store(scene):
    scene.order()
    for _ in range(3):
        scene.write(5)
        scene.order()
        scene.round()
    in_a_row(scene.segments)
    assert scene.stored() == list(range(15))


def test_what_is_counted_is_let_go_and_told_no_more(scene):
    scene.order()
    scene.write()
    (first,) = scene.round().segments
    scene.order()
    (second,) = scene.round().segments
    assert (first.number, second.number) == (0, 1)
    assert "release" in scene.toy.calls
    assert [f.place for f in scene.log.ready(first.last)] == [second.last]


def test_what_is_not_counted_is_told_again(scene):
    scene.order()
    scene.round()
    assert len(scene.round().segments) == 2
    assert "release" not in scene.toy.calls


@pytest.mark.parametrize("step", ["hold", "cut", "ready", "stages", "release"])
def test_a_round_that_dies_at_a_step_leaves_no_hole(scene, step):
    scene.order()
    scene.write(2)
    if step == "release":
        scene.round()
        scene.order()
    scene.toy.order(die_in=step)
    assert scene.process() == -signal.SIGKILL
    scene.toy.obey()
    scene.write(2)
    assert scene.process() == 0
    scene.progress()
    in_a_row(scene.segments)
    assert scene.stored() == list(range(4))


@pytest.mark.parametrize("at", range(5))
def test_a_round_that_dies_as_it_writes_or_brings_leaves_no_hole(scene, at):
    """Before each thing that it writes down or brings, one after the other."""
    scene.order()
    scene.write(2)
    died = dying(scene, at)
    assert died == -signal.SIGKILL
    scene.write(2)
    scene.order(first=0, count=64)
    scene.round()
    in_a_row(scene.segments)
    assert scene.stored() == list(range(4))


def dying(scene, at):
    """A round in a process that kills itself before its nth deed."""
    child = os.fork()
    if not child:
        left = [at]

        def step(do):
            def doing(*words):
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return do(*words)

            return doing

        rounds.grants.Grants.put = step(rounds.grants.Grants.put)
        rounds.Shelf.save = step(rounds.Shelf.save)
        rounds.carry_out(scene.places, scene.host)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_store_that_is_away_loses_nothing(scene, monkeypatch):
    monkeypatch.setattr(rounds, "PATIENCE", 0.5)
    scene.order()
    scene.write(2)
    scene.round()
    scene.order()
    scene.store.refusing = True
    for _ in range(3):
        scene.write(2)
        with pytest.raises(errors.Unavailable):
            scene.round()
    waiting = scene.shelf.progress()
    assert waiting.until == scene.segments[-1].until and waiting.waiting == 12
    scene.store.refusing = False
    scene.order()
    scene.round()
    in_a_row(scene.segments)
    assert scene.stored() == list(range(8))
    assert scene.shelf.progress().waiting == 0


def test_a_log_that_nobody_takes_is_not_cut_into_more_files(scene, monkeypatch):
    """Each takes the room of a whole one of PostgreSQL, however little is in it."""
    monkeypatch.setattr(rounds, "PATIENCE", 0.2)
    scene.order()
    scene.round()
    scene.order()
    scene.store.refusing = True
    for number in range(4):
        scene.write(2)
        with pytest.raises(errors.Unavailable):
            scene.round()
        assert scene.shelf.progress().waiting == 4 * (number + 1)
    (one,) = scene.log.ready(scene.shelf.progress().place)
    assert one.size == 4
    scene.store.refusing = False
    scene.order()
    left, rest = scene.round().segments
    assert left.since == left.until == rest.since < rest.until
    in_a_row(scene.segments)
    assert scene.stored() == list(range(8))
    assert scene.shelf.progress().waiting == 0


def test_what_may_not_be_told_of_yet_is_not_cut_into_more_files(scene, monkeypatch):
    monkeypatch.setattr(rounds, "SEGMENTS", 1)
    scene.order()
    for _ in range(4):
        scene.write()
        scene.round()
    assert len(scene.log.ready(scene.shelf.progress().place)) == 1
    for _ in range(3):
        scene.order()
        scene.round()
    in_a_row(scene.segments)
    assert scene.stored() == list(range(4))


def test_what_nothing_is_granted_for_is_asked_for(scene, monkeypatch):
    monkeypatch.setattr(rounds, "PATIENCE", 0.2)
    scene.order(count=1)
    scene.write()
    assert scene.round().want == 1  # few are left
    scene.order(first=0, count=1)
    scene.write()
    progress = scene.round()
    assert progress.want == progress.part == 2
    scene.order(first=2, count=40)
    assert scene.round().want is None
    in_a_row(scene.segments)
    assert scene.stored() == [0, 1]


def test_requests_that_have_ended_are_asked_for_again(scene, monkeypatch):
    monkeypatch.setattr(rounds, "PATIENCE", 0.2)
    scene.order(seconds=-1)
    scene.write()
    progress = scene.round()
    assert progress.want == 0 and not progress.segments


def test_a_piece_that_is_gone_ends_the_archive(scene):
    scene.order()
    scene.round()
    for _ in range(3):
        scene.log.cut()
    scene.log.release(scene.log._numbers()[-2])
    progress = scene.round()
    assert "lost" in progress.broken
    assert len(progress.segments) == 1, "what was brought is told of still"
    assert not scene.log.held
    calls = scene.toy.calls
    scene.round()
    assert scene.toy.calls == calls  # nothing more comes of it


@pytest.mark.parametrize("before", (0, 1, 3))
def test_a_log_that_was_begun_anew_ends_the_archive(scene, before):
    """Also where its numbers have come as far as those that were brought."""
    scene.order()
    for _ in range(before):
        scene.write()
        scene.round()
    if not before:
        scene.log.hold(None)
        known = scene.log.known(0)
        scene.shelf.save(Progress(ID, place=0, known=known))
    scene.log.begin()
    for _ in range(before + 2):
        scene.write()
        scene.log.cut()
    progress = scene.round()
    assert "begun anew" in progress.broken
    assert not scene.log.held
    assert scene.stored() == list(range(before))


def test_a_log_that_is_begun_anew_while_it_is_brought_ends_the_archive(
    scene, monkeypatch
):
    """What was read may be of either log: it is not told of."""
    scene.order()
    scene.write()
    scene.round()
    stages = type(scene.log).stages

    def late(log, files):
        log.begin()
        for _ in range(files[-1].place + 1):
            log.cut()
        return stages(log, files)

    monkeypatch.setattr(type(scene.log), "stages", late)
    scene.write()
    progress = scene.round()
    assert "begun anew" in progress.broken
    assert scene.stored() == [0]


def test_a_guest_that_knows_less_than_was_counted_says_so(scene):
    """It was built anew, or its data are those of a copy."""
    scene.counted = 3
    scene.order()
    assert "knows less" in scene.round().broken


def test_a_log_that_nobody_takes_does_not_fill_the_volume(scene, monkeypatch):
    class Full:
        f_frsize, f_blocks, f_bavail = 2**20, 10_000, 500

    scene.order()
    scene.write(10)
    monkeypatch.setattr(rounds.os, "statvfs", lambda path: Full())
    monkeypatch.setattr(rounds, "FREE", 4)
    Full.f_blocks = 0
    Full.f_bavail = 0
    assert "are free" in scene.round().broken
    assert not scene.log.held


def test_a_small_volume_that_is_full_of_data_is_no_reason(scene, monkeypatch):
    class Full:
        f_frsize, f_blocks, f_bavail = 2**20, 900, 100

    scene.order()
    scene.write(10)
    monkeypatch.setattr(rounds.os, "statvfs", lambda path: Full())
    assert scene.round().broken is None


def test_no_more_waits_to_be_counted_than_a_message_has(scene, monkeypatch):
    monkeypatch.setattr(rounds, "SEGMENTS", 3)
    scene.order()
    for _ in range(5):
        scene.write()
        scene.round()
    assert len(scene.shelf.progress().segments) == 3
    scene.order()
    scene.round()
    in_a_row(scene.segments)
    assert scene.stored() == list(range(5))


def test_a_file_that_no_message_can_tell_of_ends_the_archive(scene, monkeypatch):
    monkeypatch.setattr(rounds, "EACH", 0)
    monkeypatch.setattr(rounds, "PARTS", 0)
    scene.order()
    assert "larger than can be told" in scene.round().broken


def test_only_the_last_of_many_is_until_now(scene, monkeypatch):
    monkeypatch.setattr(rounds, "LARGEST", 4)
    scene.order()
    scene.round()
    scene.write(2)
    scene.log.cut()
    scene.write(2)
    _, first, second = scene.round().segments
    assert first.until == first.since == second.since < second.until


def test_pieces_have_so_many_bytes_unless_one_file_has_more():
    files = [LogFile(n, str(n), size) for n, size in enumerate((300, 200, 20, 900, 1))]
    mib = [LogFile(f.place, f.name, f.size * rounds.MIB) for f in files]
    found = [[f.place for f in piece] for piece in rounds.pieces(mib)]
    assert found == [[0, 1], [2], [3], [4]]


def test_nothing_is_done_before_there_is_a_database(scene):
    scene.order()
    scene.desk.note(prepared=False)
    rounds.carry_out(scene.places, scene.host)
    assert scene.shelf.progress() is None and scene.toy.calls == []


def test_an_archive_that_is_over_holds_nothing(scene):
    scene.order()
    scene.round()
    assert scene.log.held
    scene.shelf.end(ID)
    rounds.carry_out(scene.places, scene.host)
    assert not scene.log.held and scene.shelf.progress() is None


def test_what_is_wanted_does_not_undo_what_was_written(scene):
    """Threads that bring parts say what they want while another writes."""
    wanted = rounds.Wanted(Progress(ID), scene.shelf)
    threads = [
        threading.Thread(target=wanted.wants, args=(number,)) for number in range(8)
    ]
    for number, thread in enumerate(threads):
        thread.start()
        wanted.save(Progress(ID, part=number))
    for thread in threads:
        thread.join()
    assert scene.shelf.progress().part == 7


def test_a_process_that_cannot_says_so(scene, monkeypatch):
    scene.order()
    scene.toy.order(fail_in="cut")
    assert scene.process() == 1


def test_a_clock_that_goes_back_moves_nothing_back(scene, host, tmp_path):
    made = []
    first = rounds.Round(
        *(host, scene.log, Progress(ID), KEY, lambda n, *pieces: None, made.append),
        *(str(tmp_path), lambda: 1000.0),
    )
    first.go(0)
    later = rounds.Round(
        *(host, scene.log, made[-1], KEY, lambda n, *pieces: None, made.append),
        *(str(tmp_path), lambda: 900.0),
    )
    later.go(0)
    assert made[-1].segments[-1].until == 1000.0


def test_a_round_of_one_that_is_over_brings_nothing_to_the_next(scene, monkeypatch):
    """Parts of both have the same numbers, and no name is written to twice."""
    monkeypatch.setattr(archiving, "SLICE", 0.1)
    monkeypatch.setattr(archiving, "SYSTEMD", scene.places.state / "none")
    part = archiving.Archiving(scene.places, scene.host, lambda report: None)
    scene.store.refusing = True
    scene.write()
    part.order(scene.ordered())
    before = len(scene.store.asked)
    until(lambda: part.look() or len(scene.store.asked) > before)
    part.order(scene.ordered(archive="archive-2"))
    scene.store.refusing = False
    until(lambda: part.look() and part._child is None)
    assert {one.name.split("/")[1] for one in scene.vault.listed("")} == {ID}


def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it does not come to it"


def test_the_secret_part_is_of_this_guest_alone(scene, places):
    scene.order()
    unseal = accounts.unsealer(lambda: identity.load(places).private_key)
    assert rounds.newest(unseal)(scene.shelf.order().sealed)["first"] == 0
    assert issubclass(Lost, errors.EngineFailed)
