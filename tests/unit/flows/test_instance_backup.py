# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/flows/instance_backup.py: whose word counts, and how far."""

import types

import pytest

from trove.flows import instance_backup
from trove.flows.instance_backup import NotWhole
from trove.rpc.guest import Guest
from trove.storage import manifest
from trove.storage.backups import Names
from trove.storage.manifest import Part
from trove.storage.vault.directory import Directory
from trove.storage.vault.protocol import LIST

NAMES = Names("p", "b")
PARTS = (b"one", b"another")


@pytest.fixture
def vault(tmp_path):
    """A store with all of a backup."""
    made = Directory(str(tmp_path))
    for number, data in enumerate(PARTS):
        made.put(NAMES.of(1, number), data)
    listed = manifest.brought([Part.of(data) for data in PARTS])
    made.put(NAMES.of(1, LIST), listed)
    return made


def counted(vault):
    return instance_backup._compared(vault, NAMES, 1)


def test_what_is_all_there_is_counted(vault):
    assert counted(vault) == tuple(Part.of(data) for data in PARTS)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda v: v.delete([NAMES.of(1, 1)]), "part 1 is not there"),
        (lambda v: v.put(NAMES.of(1, 0), b"two"), "part 0 is another one"),
        (lambda v: v.put(NAMES.of(1, 0), b"three"), "part 0 has 5 bytes, not 3"),
        (lambda v: v.put(NAMES.of(1, 2), b"x"), "part 2 is nobody's"),
        (lambda v: v.delete([NAMES.of(1, LIST)]), "no list of its parts"),
        (lambda v: v.put(NAMES.of(1, LIST), b"[]"), "no list of its parts"),
        (lambda v: v.put(NAMES.of(1, LIST), b"\xff{"), "no list of its parts"),
    ],
)
def test_what_the_store_has_otherwise_is_no_backup(vault, spoil, says):
    spoil(vault)
    with pytest.raises(NotWhole, match=says):
        counted(vault)


def test_what_another_attempt_brought_is_not_looked_at(vault):
    vault.put(NAMES.of(2, 0), b"of another")
    assert counted(vault)


GOOD = {"attempt": 1, "size": 7, "words": {"lsn": "9"}}


def test_a_guests_word_that_can_be_one():
    assert instance_backup._said({**GOOD, "more": 1}) == GOOD
    assert instance_backup._said({**GOOD, "full": 1}) == GOOD
    full = {**GOOD, "full": True}
    assert instance_backup._said(full) == full


@pytest.mark.parametrize(
    "said",
    [
        {},
        {**GOOD, "attempt": 0},
        {**GOOD, "attempt": 4},
        {**GOOD, "attempt": "1"},
        {**GOOD, "size": 0},
        {**GOOD, "size": 2**60},
        {**GOOD, "size": 1.5},
        {**GOOD, "words": []},
        {**GOOD, "words": {"lsn": 9}},
        {**GOOD, "words": {"lsn": "9" * 2000}},
        {**GOOD, "words": {str(n): "x" for n in range(40)}},
    ],
)
def test_and_one_that_cannot(said):
    with pytest.raises(NotWhole, match="does not say"):
        instance_backup._said(said)


def test_where_its_log_goes_on_is_known_if_the_engine_says_so():
    goes_on = instance_backup._goes_on
    assert goes_on({"place": "17", "at": "1800000000.25", "lsn": "0/1"}) == {
        "place": 17,
        "moment": 1800000000.25,
    }
    wrong = [{}, {"place": "1"}, {"at": "1"}, {"place": "x", "at": "1"}]
    wrong += [{"place": "-1", "at": "1"}, {"place": str(2**53), "at": "1"}]
    wrong += [{"place": "1", "at": each} for each in ("nan", "inf", "-1", "1e300", "")]
    assert [goes_on(words) for words in wrong] == [{}] * len(wrong)


@pytest.mark.parametrize(
    ("manager", "parent", "method"),
    [
        ("mysql", None, "back_up"),
        ("mysql", "b0", "back_up_increment"),
        ("mariadb", "b0", "back_up"),
    ],
)
def test_older_agents_drop_an_order_that_they_would_get_wrong(manager, parent, method):
    """Such an order is not acknowledged, which ``guestjobs.refuse_old`` tells."""
    version = types.SimpleNamespace(manager=manager)
    ctx = types.SimpleNamespace(instance=lambda: None, version=lambda of: version)
    row = types.SimpleNamespace(parent_id=parent)
    assert instance_backup._method(ctx, row) == method
    new = method == "back_up_increment"
    assert (Guest.methods()[method].since == "1.11") == new
