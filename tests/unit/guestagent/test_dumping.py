# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/dumping.py: what a job brings to a container, and when not.

The store is the one-machine cloud's; the control plane's end grants what is wanted.
"""

import hashlib
import json
import threading

import pytest

from tests.objectstore import serving
from trove import errors
from trove.guestagent import dumping, files, grants, identity, ledger
from trove.guestagent.desk import Desk
from trove.rpc import codec, sealing
from trove.rpc.messages import ExportOrder, ImportOrder
from trove.storage import dumps, pipeline
from trove.storage.lent import Lent
from trove.storage.swift import Swift
from trove.storage.vault import carry
from trove.storage.vault.protocol import LIST

JOB = "op/export"
NAMES = dumps.Names("nightly", ("shop", "a/b"), ".sql.zst")
SMALL = 1024


@pytest.fixture
def mine(tmp_path):
    with serving(tmp_path / "objects") as store:
        made = Swift(store.endpoint("p"), "p/member")
        yield made
        made.close()


@pytest.fixture
def there(mine):
    made = Lent(mine.lend("c"))
    yield made
    made.close()


class Control:
    """Grants what is wanted, while a job goes on."""

    def __init__(self, places, there):
        self._places, self._there = places, there
        self.said, self.serial, self.wanted = [], 1, []
        self.over = False
        self.turn = threading.Lock()

    def sealed(self, secret):
        return sealing.seal(identity.load(self._places).public_key, secret)

    def grant(self, first, count, attempt=1):
        self.serial += 1
        named = filter(None, map(NAMES.of, range(first, first + count)))
        some = [self._there.writes(name, 60) for name in named]
        requests = [[one.url, one.headers] for one in some]
        about = {"serial": self.serial, "attempt": attempt, "first": first}
        return about | {"requests": requests, "over": self.over}

    def hears(self, facts):
        self.said.append(facts)
        if "want" in facts:
            self.wanted.append(facts["want"])
            threading.Thread(target=self._allow, args=(facts,)).start()

    def _allow(self, facts):
        with self.turn:
            if facts is not self.said[-1]:
                return  # it wants something else by now
            count = 1 if facts["want"] == LIST else 4
            given = self.sealed(self.grant(facts["want"], count, facts["attempt"]))
            grants.give(self._places.jobs / f"{ledger.file_name(JOB)}.grant", given)


@pytest.fixture
def control(places, there):
    files.directory(places.jobs)
    return Control(places, there)


@pytest.fixture
def desk(places, host, guest, toy, control, monkeypatch):
    monkeypatch.setattr(pipeline, "PART", SMALL)
    monkeypatch.setattr(pipeline, "PIECE", SMALL)
    (toy.data / "databases").mkdir(parents=True)
    made = Desk(places, host, lambda percent, done: None)
    made.so_far = control.hears
    made.note(prepared=True, run=True)
    made.engine.start()
    return made


def order(control):
    secret = {"grants": [control.grant(0, 2)]}
    sealed = control.sealed(secret)
    about = ExportOrder(NAMES.name, NAMES.databases, NAMES.ending, sealed)
    return {"order": codec.encode(about), "job": JOB}


def fill(toy, name, data):
    (toy.data / "databases" / name.replace("/", "%2F")).write_bytes(data)


def test_each_database_is_brought_and_then_their_list(desk, toy, control, there):
    data = {"shop": bytes(range(256)) * 20, "a/b": b"small"}
    for name, one in data.items():
        fill(toy, name, one)
    assert dumping.export(desk, order(control)) == {"attempt": 1}
    text = there.get(NAMES.list, 10000)
    found = dumps.read(text, NAMES)
    for index, (name, one) in enumerate(data.items()):
        assert found[index].sha256 == hashlib.sha256(one).hexdigest()
        parts = [
            there.get(NAMES.part(index, n), SMALL)
            for n in range(len(found[index].parts))
        ]
        assert b"".join(parts) == one, name
    said = json.loads(text)
    assert said["datastore"] == "toy" and said["databases"][1]["object"] == (
        "nightly/a%2Fb.sql.zst"
    )
    assert dumps.EACH in control.wanted  # the second one's were asked for
    assert control.said[-1]["carried"] == sum(map(len, data.values()))


def test_another_attempt_writes_over_what_is_there(desk, toy, control, there):
    for name in NAMES.databases:
        fill(toy, name, b"before")
    dumping.export(desk, order(control))
    control.wanted.clear()
    fill(toy, "shop", b"after")
    desk.attempt = 2
    assert dumping.export(desk, order(control)) == {"attempt": 2}
    assert there.get(NAMES.part(0, 0), SMALL) == b"after"


def test_a_database_that_is_gone_ends_it_without_a_list(desk, toy, control, there):
    fill(toy, "shop", b"x")
    with pytest.raises(errors.DatabaseNotFound, match="a/b"):
        dumping.export(desk, order(control))
    assert there.find(NAMES.list) is None


def test_what_a_dead_export_left_is_taken_away(desk, toy, control):
    """Nothing is brought for that, and nothing was granted."""
    about = ExportOrder(NAMES.name, (), "", back=True)
    said = {"order": codec.encode(about), "job": f"{JOB}.back"}
    assert dumping.export(desk, said) == {}
    assert "forget" in toy.calls and "saying" not in toy.calls


def test_an_agent_that_knows_of_no_way_back_exports_nothing(desk, toy, control):
    """As an older one reads the order."""
    said = codec.encode(ExportOrder(NAMES.name, (), "", back=True)) | {"back": False}
    with pytest.raises(errors.Invalid):
        dumping.export(desk, {"order": said, "job": f"{JOB}.back"})


def test_what_has_more_parts_than_it_may_is_refused(desk, toy, control, monkeypatch):
    monkeypatch.setattr(dumps, "EACH", 2)
    fill(toy, "shop", bytes(3 * SMALL))
    with pytest.raises(dumping.TooLarge, match="more than 2 parts"):
        dumping.export(desk, order(control))


def test_one_that_is_given_up_ends(desk, toy, control):
    fill(toy, "shop", bytes(9 * SMALL))
    control.over = True
    with pytest.raises(grants.GivenUp):
        dumping.export(desk, order(control))


def test_a_stopped_database_is_not_dumped(desk, control):
    desk.note(run=False)
    with pytest.raises(errors.Conflict, match="stopped"):
        dumping.export(desk, order(control))


# -- the way back

OBJECT = "friday/shop.sql"


class Lender:
    """Grants the pieces of a dump that is in the container: two, and then the rest."""

    def __init__(self, control, there, data):
        self._control, self._there, self._data = control, there, data
        carry.put(there.writes(OBJECT, 60), data, 9)
        control.grant = self.grant

    def grant(self, first, count, attempt=1):
        self._control.serial += 1
        requests = []
        most = len(self._data) if first else 2
        while len(requests) < most:
            found = dumps.piece(len(self._data), len(requests))
            if found is None:
                break
            signed = self._there.reads(OBJECT, 60, *found)
            requests.append([signed.url, signed.headers])
        about = {"serial": self._control.serial, "attempt": attempt, "first": 0}
        return about | {"requests": requests, "over": self._control.over}

    def order(self, **about):
        sealed = self._control.sealed({"grants": [self.grant(0, 2)]})
        made = ImportOrder("new", len(self._data), sealed=sealed, **about)
        return {"order": codec.encode(made), "job": JOB}


@pytest.fixture
def lender(control, there, monkeypatch):
    monkeypatch.setattr(dumps, "PIECE", SMALL)
    return lambda data: Lender(control, there, data)


def made(toy):
    return toy.data / "databases" / "new"


def note(toy):
    return toy.data / dumping.NOTE


def test_a_new_database_has_all_of_a_dump(desk, toy, control, lender):
    data = bytes(range(256)) * 21
    assert dumping.load(desk, lender(data).order()) == {"attempt": 1}
    assert made(toy).read_bytes() == data
    assert not note(toy).exists()
    assert control.said[-1]["carried"] == len(data)


def test_a_database_that_is_there_is_not_touched(desk, toy, lender):
    fill(toy, "new", b"a user's")
    there = lender(b"a dump")
    with pytest.raises(errors.Clash, match="new"):
        dumping.load(desk, there.order())
    dumping.load(desk, there.order(back=True))
    assert made(toy).read_bytes() == b"a user's"


@pytest.mark.parametrize("step", ["taking", "taken", "create_databases"])
def test_what_is_not_taken_leaves_no_database(desk, toy, lender, step):
    toy.order(fail_in=step)
    with pytest.raises(errors.EngineFailed, match="ordered"):
        dumping.load(desk, lender(b"a dump").order())
    assert not made(toy).exists() and not note(toy).exists()


def test_a_form_that_is_not_taken_leaves_no_database(desk, toy, lender):
    with pytest.raises(errors.Invalid, match="no dump of a toy's"):
        dumping.load(desk, lender(b"REFUSED, and more").order())
    assert not made(toy).exists()


def test_what_a_dead_attempt_left_is_made_anew(desk, toy, lender):
    """The note on the volume says that the database is an import's."""
    note(toy).write_text("new")
    fill(toy, "new", b"half of it, and longer than the whole")
    desk.attempt = 2
    assert dumping.load(desk, lender(b"a dump").order()) == {"attempt": 2}
    assert made(toy).read_bytes() == b"a dump" and not note(toy).exists()


def test_what_a_dead_attempt_left_is_taken_away(desk, toy, lender):
    note(toy).write_text("new")
    fill(toy, "new", b"half")
    assert dumping.load(desk, lender(b"a dump").order(back=True)) == {}
    assert not made(toy).exists() and not note(toy).exists()
    assert "forget" in toy.calls, "nobody comes in by its account"
    dumping.load(desk, lender(b"a dump").order(back=True))  # twice is once


def test_an_import_that_is_given_up_leaves_no_database(desk, toy, control, lender):
    there = lender(bytes(9 * SMALL))
    order = there.order()
    control.over = True
    with pytest.raises(grants.GivenUp):
        dumping.load(desk, order)
    assert not made(toy).exists() and not note(toy).exists()
