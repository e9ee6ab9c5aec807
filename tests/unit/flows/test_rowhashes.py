# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/flows/rowhashes.py: what a guest brought, and what is told of it."""

import json

import pytest

from trove.datastores import rows
from trove.datastores.rows import CHANGED, UNREAD, Hashes, Table
from trove.flows import rowhashes
from trove.storage.backups import Names
from trove.storage.vault.directory import Directory
from trove.storage.vault.protocol import ROWS

NAMES = Names("p", "b")
HASHES = Hashes((Table(("shop", "goods"), 3, "f00"),), {CHANGED: 2})


@pytest.fixture
def vault(tmp_path):
    return Directory(str(tmp_path))


def test_what_a_guest_brought_is_kept_with_names_and_told_without(vault):
    vault.put(NAMES.of(1, ROWS), rows.write(HASHES))
    found = rowhashes.brought(vault, NAMES, 1)
    assert found == HASHES
    assert rows.read(rowhashes.kept(found)["rows"]) == HASHES
    assert rowhashes.told(found) == {"rows": {"tables": 1, CHANGED: 2}}


def test_where_nobody_asked_nothing_is_kept():
    assert rowhashes.kept(None) == rowhashes.told(None) == {}


def test_an_older_agent_brings_none_and_is_said_to(vault):
    found = rowhashes.brought(vault, NAMES, 1)
    assert rowhashes.told(found) == {"rows": {"none": rowhashes.OLD}}


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"\xff", b"[" * 100_000, b"x" * (2 * rows.LARGEST + 9)]
)
def test_what_a_guest_brings_otherwise_is_none_and_the_backup_is_well(vault, said):
    vault.put(NAMES.of(1, ROWS), said)
    found = rowhashes.brought(vault, NAMES, 1)
    assert found.none == "the guest brought something else" and not found.tables


def test_of_a_guests_word_only_numbers_are_told():
    done = {"tables": 3, "equal": 2, UNREAD: 1, "shop.goods": 9, "extra": "x"}
    assert rowhashes._counted(done, {CHANGED: 2, UNREAD: 1}) == {
        "tables": 3,
        "equal": 2,
        UNREAD: 2,
        CHANGED: 2,
    }
    wrong = {"tables": "3", "equal": True, UNREAD: -1, CHANGED: 2**40, "none": 7}
    assert rowhashes._counted(wrong, {}) == {"tables": 0, "equal": 0}
    said = rowhashes._counted({"none": "x" * 999}, {})
    assert said["none"] == "x" * rows.LONGEST
    assert len(json.dumps(said)) < 400
