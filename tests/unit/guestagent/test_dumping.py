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
from trove.rpc.messages import ExportOrder
from trove.storage import dumps, pipeline
from trove.storage.lent import Lent
from trove.storage.swift import Swift
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
        if "want" in facts and facts["want"] not in self.wanted:
            self.wanted.append(facts["want"])
            threading.Thread(target=self._allow, args=(facts,)).start()

    def _allow(self, facts):
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
    toy.data.mkdir(exist_ok=True)
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
    folder = toy.data / "databases"
    folder.mkdir(exist_ok=True)
    (folder / name.replace("/", "%2F")).write_bytes(data)


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
