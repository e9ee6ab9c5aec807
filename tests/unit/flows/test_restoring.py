# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/flows/restoring.py: what is no backup of ours has no server."""

import types

import pytest

from trove import errors
from trove.flows import restoring
from trove.rpc.guest import Guest
from trove.storage import manifest
from trove.storage.backups import BackupStorage, Names
from trove.storage.frames import Broken
from trove.storage.keys import Keyring
from trove.storage.manifest import Manifest, Part

PART = Part.of(b"data")
NAMES = Names("p", "b")
RING = Keyring({"1": b"k" * 32})


@pytest.fixture
def stored(tmp_path):
    """A backup in a store: the store, and the row."""
    storage = BackupStorage("directory", RING, lambda name: {"path": str(tmp_path)})
    whole = Manifest("b", "i", "p", "toy", 9, (PART,), about={"attempt": 2})
    data = manifest.write(whole, *RING.signing("p"))
    storage.vault("directory", "c", "b").put(NAMES.manifest, data)
    wrapped = RING.wrap("p", b"d" * 32)
    row = types.SimpleNamespace(
        id="b",
        project="p",
        driver="directory",
        container="c",
        manifest=manifest.digest(data),
        ring=wrapped.ring,
        key=wrapped.key,
    )
    return storage, row, data


def link(storage, row):
    claim = types.SimpleNamespace(guard=lambda seconds: None)
    settings = types.SimpleNamespace(call_timeout=20.0)
    ctx = types.SimpleNamespace(storage=storage, claim=claim, settings=settings)
    return restoring._link(ctx, row)


def test_what_is_whole_is_a_link(stored):
    storage, row, data = stored
    assert link(storage, row) == {
        "backup": "b",
        "size": len(data),
        "parts": 1,
        "attempt": 2,
    }


def test_a_manifest_that_was_changed_is_none(stored):
    storage, row, data = stored
    other = data.replace(b'"instance":"i"', b'"instance":"j"')
    storage.vault("directory", "c", "b").put(NAMES.manifest, other)
    with pytest.raises(Broken, match="another one than was written"):
        link(storage, row)


def test_nor_one_whose_hash_was_changed_with_it(stored):
    """Who writes the database and the store has no key to sign with."""
    storage, row, data = stored
    other = data.replace(b'"instance":"i"', b'"instance":"j"')
    storage.vault("directory", "c", "b").put(NAMES.manifest, other)
    row.manifest = manifest.digest(other)
    with pytest.raises(Broken, match="not signed by this service"):
        link(storage, row)


def test_nor_one_that_is_not_there(stored):
    storage, row, _ = stored
    storage.vault("directory", "c", "b").delete([NAMES.prefix])
    with pytest.raises(errors.NotFound):
        link(storage, row)


def test_a_key_of_another_ring_opens_nothing(stored):
    storage, row, _ = stored
    other = BackupStorage("directory", Keyring({"1": b"x" * 32}), storage._arguments)
    with pytest.raises((Broken, errors.Upstream)):
        link(other, row)


def test_a_key_that_was_changed_is_said_before_there_is_a_server(stored):
    storage, row, _ = stored
    row.key = row.key[:-1] + ("0" if row.key[-1] != "0" else "1")
    with pytest.raises(errors.Upstream, match="cannot be opened"):
        link(storage, row)


def test_where_backups_are_not_set_up_it_says_so(stored):
    with pytest.raises(errors.Unsupported):
        link(None, stored[1])


@pytest.mark.parametrize(
    ("manager", "links", "method"),
    [
        ("mysql", 1, "restore"),
        ("mysql", 2, "restore_chain"),
        ("postgresql", 1, "restore"),
        ("postgresql", 2, "restore_chain"),
        ("mariadb", 2, "restore"),
    ],
)
def test_older_agents_never_take_a_full_backup_for_its_chain(
    stored, manager, links, method
):
    """By an order that they do not know; what they know, they are asked as ever."""
    version = types.SimpleNamespace(manager=manager)
    ctx = types.SimpleNamespace(instance=lambda: None, version=lambda of: version)
    assert restoring._method(ctx, [stored[1]] * links) == method
    new = method == "restore_chain"
    assert (Guest.methods()[method].since == "1.11") == new
