# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/saving.py: what a job brings, and what it makes of it."""

import dataclasses
import shutil
import threading
import time

import pytest

from tests.brought import into
from tests.objectstore import serving
from trove import errors
from trove.datastores import rows
from trove.datastores.rows import Hashes, Table
from trove.guestagent import files, grants, identity, ledger, rounds, saving
from trove.guestagent.archives import Progress
from trove.guestagent.desk import Desk
from trove.rpc import codec, sealing
from trove.rpc.messages import (
    BackupLink,
    BackupOrder,
    Plan,
    ReplayOrder,
    RestoreOrder,
    RowsOrder,
)
from trove.storage import archives, manifest
from trove.storage.backups import Names
from trove.storage.frames import Broken
from trove.storage.manifest import Manifest
from trove.storage.vault.protocol import LIST, ROWS
from trove.storage.vault.swift import Swift

JOB, KEY, LOGKEY = "op/back_up", b"k" * 32, b"l" * 32
NAMES = Names("p", "b1")
PLAN = Plan("toy", "1", 512, 2, 7, None, "xfs")


@pytest.fixture
def vault(tmp_path):
    with serving(tmp_path / "objects") as store:
        made = Swift(store.endpoint("p"), lambda *, fresh: "p/member", "c")
        made.ensure()
        yield made


class Control:
    """The control plane's end: it grants what is wanted, while a job goes on."""

    def __init__(self, places, vault):
        self._places, self._vault = places, vault
        self.said, self.serial, self.named = [], 1, NAMES.of
        self.turn = threading.Lock()

    def sealed(self, secret):
        return sealing.seal(identity.load(self._places).public_key, secret)

    def grant(self, first, count, attempt=1, sign=None):
        self.serial += 1
        sign = sign or self._vault.writes
        some = [sign(self.named(attempt, n), 60) for n in range(first, first + count)]
        requests = [[one.url, one.headers] for one in some]
        about = {"serial": self.serial, "attempt": attempt, "first": first}
        return about | {"requests": requests}

    def hears(self, facts):
        self.said.append(facts)
        if "want" in facts:
            threading.Thread(target=self._allow, args=(facts,)).start()

    def _allow(self, facts):
        with self.turn:
            if facts is not self.said[-1]:
                return  # it wants something else by now
            given = self.grant(facts["want"], 1, facts["attempt"])
            files.directory(self._places.jobs)
            path = self._places.jobs / f"{ledger.file_name(JOB)}.grant"
            grants.give(path, self.sealed(given))


@pytest.fixture
def control(places, vault):
    files.directory(places.jobs)
    return Control(places, vault)


@pytest.fixture
def desk(places, host, guest, toy, control):
    toy.data.mkdir(exist_ok=True)
    made = Desk(places, host, lambda percent, done: None)
    made.so_far = control.hears
    made.note(prepared=True, run=True)
    return made


def order(control, since=None, attempt=1, pace=None, or_full=False, hashing=None):
    secret = {"key": KEY.hex(), "grants": [control.grant(0, 2, attempt)]}
    sealed = control.sealed(secret)
    about = BackupOrder("b1", since, sealed, pace, or_full, hashing)
    return {"order": codec.encode(about), "job": JOB}


def test_all_of_it_is_in_the_store_with_its_list(desk, toy, control, vault):
    (toy.data / "goods").write_bytes(bytes(range(256)) * 4096)
    done = saving.back_up(desk, order(control))
    assert done == {"attempt": 1, "words": {"at": "7"}, "size": 2**20}
    parts = manifest.of_guest(vault.get(NAMES.of(1, LIST), 10000))
    there = [
        (NAMES.number(1, one.name), one.size, one.md5)
        for one in vault.listed(NAMES.attempt(1))
        if NAMES.number(1, one.name) is not None
    ]
    assert manifest.missing(parts, there) is None
    assert not (toy.data / "backup").exists()
    assert control.said[-1]["carried"] == sum(part.size for part in parts)


def test_how_much_is_carried_is_not_said_of_every_part(desk):
    said = []
    desk.so_far = said.append
    told = saving.Told(desk, 1000)
    for size in range(1, 1000):
        told.carried(size)
    told.over()
    assert len(said) < 100
    assert said[-1]["carried"] == 999


def test_an_attempt_after_another_brings_under_its_own_number(
    desk, toy, control, vault
):
    """What the first was granted is not for it: it asks."""
    (toy.data / "goods").write_bytes(b"x")
    desk.attempt = 2
    done = saving.back_up(desk, order(control))
    assert done["attempt"] == 2
    assert [one.name for one in vault.listed("p/b1/1/")] == []
    assert vault.get(NAMES.of(2, LIST), 10000)
    wanted = [facts["want"] for facts in control.said if "want" in facts]
    assert wanted[0] == 0 and wanted[-1] == LIST


def test_what_has_no_increment_is_said_and_nothing_is_brought(
    desk, toy, control, vault
):
    """It is no fault of a job: nothing stands on that backup from then on."""
    done = saving.back_up(desk, order(control, since={"gone": "yes"}))
    assert set(done) == {"attempt", "none"} and "its log is gone" in done["none"]
    assert list(vault.listed("p/b1/1/")) == []
    assert not (toy.data / "backup").exists()


def test_one_of_a_policy_is_full_instead(desk, toy, control):
    (toy.data / "goods").write_bytes(b"x")
    gone = {"gone": "yes"}
    done = saving.back_up(desk, order(control, since=gone, or_full=True))
    assert done == {"attempt": 1, "words": {"at": "7"}, "size": 1, "full": True}


def test_an_increment_that_is_one_is_not_full(desk, toy, control):
    (toy.data / "goods").write_bytes(b"x")
    done = saving.back_up(desk, order(control, since={"at": "6"}, or_full=True))
    assert "full" not in done


def test_what_is_well_is_checked_and_what_is_sick_is_told(desk, toy):
    assert saving.check(desk, {}) == {}
    (toy.data / "data").mkdir(exist_ok=True)
    (toy.data / "data" / "sick").write_text("")
    with pytest.raises(errors.EngineFailed, match="goods is corrupt"):
        saving.check(desk, {})


def test_a_guest_that_is_nothing_yet_has_nothing_to_check(desk):
    desk.note(prepared=False)
    with pytest.raises(errors.Conflict, match="not been prepared"):
        saving.check(desk, {})


def test_no_more_is_read_in_a_second_than_may_be(desk, toy, control):
    """The bound is of the data, however small zstd makes them."""
    (toy.data / "goods").write_bytes(bytes(3 << 20))
    begun = time.monotonic()
    assert saving.back_up(desk, order(control, pace=2 << 20))["size"] == 3 << 20
    assert time.monotonic() - begun > 1


def test_hashes_of_rows_are_brought_where_they_are_asked_for(desk, toy, control, vault):
    (toy.data / "goods").write_bytes(b"rows")
    assert "rows" not in saving.back_up(desk, order(control))
    with pytest.raises(errors.NotFound):
        vault.get(NAMES.of(1, ROWS), 10000)
    desk.attempt = 2
    saving.back_up(desk, order(control, hashing=60.0))
    found = rows.read(vault.get(NAMES.of(2, ROWS), 10000))
    assert found.tables == (Table(("toy", "goods"), 4, b"rows".hex()),)
    assert vault.get(NAMES.of(2, LIST), 10000)


def test_a_backup_is_none_the_worse_without_them(desk, toy, control, vault):
    (toy.data / "goods").write_bytes(b"rows")
    (toy.data / "locked").write_text("")
    done = saving.back_up(desk, order(control, hashing=60.0))
    assert (done["attempt"], done["size"]) == (1, 4)
    found = rows.read(vault.get(NAMES.of(1, ROWS), 10000))
    assert not found.tables and "goods is locked" in str(found.none)


def compare(desk, hashes):
    asked = RowsOrder(rows.write(hashes).decode(), 60.0)
    return saving.check_rows(desk, {"order": codec.encode(asked), "job": JOB})


def test_rows_that_are_others_are_a_verdict_and_none_that_cannot_be_read(desk, toy):
    (toy.data / "data").mkdir(exist_ok=True)
    (toy.data / "data" / "goods").write_bytes(b"rows")
    hashes = Hashes((Table(("toy", "goods"), 4, b"rows".hex()),))
    assert compare(desk, hashes) == {"tables": 1, "equal": 1}
    (toy.data / "locked").write_text("")
    assert "goods is locked" in compare(desk, hashes)["none"]
    (toy.data / "locked").unlink()
    (toy.data / "data" / "goods").write_bytes(b"cows")
    with pytest.raises(errors.EngineFailed, match=r"the rows of toy\.goods"):
        compare(desk, hashes)


def test_a_stopped_database_is_not_saved(desk, control):
    desk.note(run=False)
    with pytest.raises(errors.Conflict, match="stopped"):
        saving.back_up(desk, order(control))


def test_one_that_is_not_healthy_is_not_saved(desk, toy, control):
    (toy.data / "goods").write_bytes(b"x")
    toy.order(fail_in="start")
    with pytest.raises(errors.EngineFailed, match="ordered"):
        saving.back_up(desk, order(control))


@pytest.fixture
def saved(desk, toy, control, vault):
    """A chain of two in the store; how a restore is asked for."""
    links = []
    for number, data in enumerate((b"first", b"second")):
        names = Names("p", f"b{number}")
        control.named = names.of
        (toy.data / "goods").write_bytes(data)
        secret = {"key": KEY.hex(), "grants": [control.grant(0, 2)]}
        about = BackupOrder(f"b{number}", None, control.sealed(secret))
        saving.back_up(desk, {"order": codec.encode(about), "job": JOB})
        parts = manifest.of_guest(vault.get(names.of(1, LIST), 10000))
        whole = Manifest(f"b{number}", "i", "p", "toy", 9, parts)
        text = manifest.write(whole, "1", b"s" * 32)
        vault.put(names.manifest, text)
        links.append(BackupLink(f"b{number}", len(text), manifest.digest(text)))
    (toy.data / "goods").unlink()
    desk.note(prepared=False)
    every = [Names("p", "b0"), Names("p", "b1")]

    def named(attempt, number):
        if number >= LIST:
            return every[number - LIST].manifest
        return every[number].of(1, 0)  # one part each

    control.named = named
    control.parts = 2
    control.grant = _reading(control, control.grant, vault)
    secret = {"keys": [KEY.hex()] * 2, "grants": [control.grant(LIST, 2)]}
    asked = RestoreOrder(PLAN, tuple(links), control.sealed(secret))
    return {"order": codec.encode(asked), "job": JOB}


def _reading(control, grant, vault):
    def read(first, count, attempt=1):
        count = count if first >= LIST else min(count, control.parts - first)
        return grant(first, count, attempt, vault.reads)

    return read


def test_a_chain_is_the_data_directory(desk, toy, saved):
    assert saving.restore(desk, saved) == {}
    assert (toy.data / "data" / "goods").read_bytes() == b"second"
    assert not (toy.data / "restore").exists()
    saving.restore(desk, saved)  # again: it is there
    assert (toy.data / "data" / "goods").read_bytes() == b"second"


def test_a_chain_that_was_half_played_is_begun_anew(desk, toy, saved):
    """Data have their name before the last link is in them."""
    toy.order(fail_in="together")
    with pytest.raises(errors.EngineFailed):
        saving.restore(desk, saved)
    (toy.data / "data/half").write_text("played")
    toy.obey()
    assert saving.restore(desk, saved) == {}
    assert not (toy.data / "data/half").exists()
    (toy.data / "data/mine").write_text("served")
    saving.restore(desk, saved)  # again: it is there
    assert (toy.data / "data/mine").exists()


@pytest.mark.parametrize("name", ["p/b0/1/part-0000000", "p/b1/manifest"])
def test_what_was_changed_makes_no_data(desk, toy, saved, vault, name):
    data = bytearray(vault.get(name, 10000))
    data[len(data) // 2] ^= 1
    vault.put(name, bytes(data))
    with pytest.raises(Broken):
        saving.restore(desk, saved)
    assert not (toy.data / "data").exists()
    assert not (toy.data / "restore").exists()


def test_nobodys_database_is_restored_over(desk, saved):
    desk.note(prepared=True)
    with pytest.raises(errors.Conflict, match="already"):
        saving.restore(desk, saved)


@pytest.fixture
def moment(desk, toy, saved, control, vault):
    """The same chain, and a log of two segments that goes on after it."""
    log = desk.engine.archive()
    parts, segments = {}, []
    tell = Progress("a1")

    def save(progress):
        nonlocal tell
        tell = progress

    for text in ("one ", "two "):
        log.write(text)
        put = into(parts)
        rounds.Round(desk.host, log, tell, LOGKEY, put, save, str(toy.data)).go(0)
        segments = tell.segments
    for number, data in parts.items():
        vault.put(Names("p", "a1").of(1, number), data)
    text = archives.write(segments)
    vault.put("p/a1/list", text)
    before = control.named

    def named(attempt, number):
        if number == LIST + 2:
            return "p/a1/list"
        if 2 <= number < LIST:
            return Names("p", "a1").of(1, number - 2)
        return before(attempt, number)

    control.named, control.parts = named, 2 + len(parts)
    asked = codec.decode(RestoreOrder, saved["order"], "order")
    keys = [KEY.hex()] * 2 + [LOGKEY.hex()]
    secret = {"keys": keys, "grants": [control.grant(LIST, 3)]}
    replay = ReplayOrder("a1", len(text), manifest.digest(text), 99.0)
    order = dataclasses.replace(
        asked, sealed=control.sealed(secret), words={"at": "7"}, replay=replay
    )
    shutil.rmtree(toy.data / "log")
    desk.guest = dataclasses.replace(desk.guest, user="root")  # the directory is ours
    return {"order": codec.encode(order), "job": JOB}


def test_a_chain_goes_on_by_its_log(desk, toy, moment):
    assert saving.restore(desk, moment) == {}
    found = (toy.data / "data/goods").read_bytes()
    assert found == b"secondone two  to 99.0 since 7"
    assert not (toy.data / "restore").exists()
    saving.restore(desk, moment)  # again: it is there
    assert (toy.data / "data/goods").read_bytes() == found


def test_data_that_were_not_played_to_the_end_are_none(desk, toy, moment):
    toy.order(fail_in="replay")
    with pytest.raises(errors.EngineFailed):
        saving.restore(desk, moment)
    assert (toy.data / "data/goods").read_bytes() == b"second"
    toy.obey()
    saving.restore(desk, moment)
    assert (toy.data / "data/goods").read_bytes().endswith(b"since 7")


def test_another_list_of_segments_makes_no_data(desk, toy, moment, vault):
    data = bytearray(vault.get("p/a1/list", 10000))
    data[5] ^= 1
    vault.put("p/a1/list", bytes(data))
    with pytest.raises(Broken, match="list of segments"):
        saving.restore(desk, moment)
    assert not (toy.data / "data").exists()


def test_a_log_without_its_key_is_refused(desk, toy, moment, control):
    order = codec.decode(RestoreOrder, moment["order"], "order")
    secret = {"keys": [KEY.hex()] * 2, "grants": [control.grant(LIST, 3)]}
    order = dataclasses.replace(order, sealed=control.sealed(secret))
    with pytest.raises(Broken):
        saving.restore(desk, {"order": codec.encode(order), "job": JOB})
