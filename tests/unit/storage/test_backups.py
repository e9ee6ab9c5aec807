# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/storage/backups.py: what objects are called, and where they are."""

import pytest

from trove import errors
from trove.storage.backups import BackupStorage, Names
from trove.storage.keys import Keyring
from trove.storage.vault.protocol import LIST

NAMES = Names("project", "backup")


def test_all_of_a_backup_begins_with_its_own_name():
    objects = [NAMES.manifest, NAMES.of(1, 0), NAMES.of(2, LIST)]
    assert all(one.startswith(NAMES.prefix) for one in objects)
    assert len(set(objects)) == 3
    assert NAMES.prefix.endswith("/")  # no id is the beginning of another's


def test_a_part_has_its_number_back():
    for number in (0, 7, 999_999):
        assert NAMES.number(1, NAMES.of(1, number)) == number
    assert NAMES.number(2, NAMES.of(1, 7)) is None
    assert NAMES.number(1, NAMES.of(1, LIST)) is None
    assert NAMES.number(1, NAMES.manifest) is None
    assert sorted([NAMES.of(1, 10), NAMES.of(1, 9)])[0] == NAMES.of(1, 9)


def test_a_store_is_opened_for_a_backup_and_no_other_driver(tmp_path):
    opened = []

    def arguments(container):
        opened.append(container)
        return {"path": str(tmp_path)}

    storage = BackupStorage("directory", Keyring({"1": b"k" * 32}), arguments)
    asked = []
    vault = storage.vault("directory", "nightly", "b1", lambda: asked.append(1))
    vault.put("p/b1/x", b"1")
    assert [one.name for one in vault.listed("p/")] == ["p/b1/x"]
    assert opened == ["nightly-b1"] and asked
    with pytest.raises(errors.Unsupported, match="s3"):
        storage.vault("s3", "nightly", "b1")
