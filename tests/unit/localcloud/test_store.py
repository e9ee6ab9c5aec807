# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.localcloud import store, things


def volume(id, created=1.0):
    return things.Volume(id, "p", "data", created, created, 1, "available")


def test_what_is_written_is_there_after_a_restart(tmp_path):
    first = store.Store(tmp_path / "cloud.sqlite")
    with first.transaction() as tx:
        tx.put(volume("v1"))
    first.close()
    second = store.Store(tmp_path / "cloud.sqlite")
    with second.transaction() as tx:
        assert tx.get(things.Volume, "v1").name == "data"
    second.close()


def test_a_transaction_counts_whole_or_not_at_all(rows):
    with pytest.raises(ZeroDivisionError), rows.transaction() as tx:
        tx.put(volume("v1"))
        raise ZeroDivisionError
    with rows.transaction() as tx:
        assert tx.all(things.Volume) == []


def test_things_of_a_kind_come_oldest_first(rows):
    with rows.transaction() as tx:
        tx.put(volume("b", 2.0))
        tx.put(volume("a", 3.0))
        tx.put(volume("c", 1.0))
        assert [row.id for row in tx.all(things.Volume)] == ["c", "b", "a"]
        assert tx.all(things.Server) == []


def test_only_root_reads_the_file(tmp_path, rows):
    assert (tmp_path / "cloud.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_random_word_is_not_the_same_twice():
    assert store.random_word(24) != store.random_word(24)
    assert len(store.random_word(24)) == 24
