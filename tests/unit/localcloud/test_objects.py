# SPDX-License-Identifier: Apache-2.0
import io

import pytest

from trove.localcloud import objects


@pytest.fixture
def store(tmp_path):
    made = objects.Objects(tmp_path)
    yield made
    made.close()


def put(store, name, data=b"x", **about):
    file, etag = store.receive(io.BytesIO(data), len(data))
    one = objects.Object(name, file, len(data), etag, "text/plain", store.now())
    for key, value in about.items():
        setattr(one, key, value)
    store.put("a", "c", one)
    return one


def names(store, **asked):
    listed = store.listed("a", "c", objects.Asked(**asked))
    return [one if isinstance(one, str) else one.name for one in listed]


def test_what_is_put_is_found_until_it_is_deleted(store):
    one = put(store, "o", b"hello", meta={"Lines": "1"})
    assert store.find("a", "c", "o") == one
    assert store.path(one).read_bytes() == b"hello"
    assert one.etag == "5d41402abc4b2a76b9719d911017c592"
    store.delete("a", "c", "o")
    assert store.find("a", "c", "o") is None
    assert not store.path(one).exists()


def test_the_newer_takes_the_place_of_the_older(store):
    old = put(store, "o", b"old")
    new = put(store, "o", b"new")
    assert store.path(store.find("a", "c", "o")).read_bytes() == b"new"
    assert not store.path(old).exists() and store.path(new).exists()


def test_a_list_is_cut_as_it_was_asked(store):
    for name in ("a/1", "a/2", "b", "b/1", "c"):
        put(store, name)
    assert names(store) == ["a/1", "a/2", "b", "b/1", "c"]
    assert names(store, prefix="b") == ["b", "b/1"]
    assert names(store, delimiter="/") == ["a/", "b", "b/", "c"]
    assert names(store, marker="a/2", limit=2) == ["b", "b/1"]
    assert names(store, end="b") == ["a/1", "a/2"]
    assert names(store, prefix="a/", delimiter="/") == ["a/1", "a/2"]
    assert names(store, delimiter="/", marker="a/") == ["b", "b/", "c"]


def test_what_has_expired_is_not_there_and_goes_at_the_next_start(tmp_path):
    moment = [1000.0]
    store = objects.Objects(tmp_path, clock=lambda: moment[0])
    one = put(store, "o", expires=1010.0)
    assert names(store) == ["o"]
    moment[0] = 1011.0
    assert names(store) == [] and store.find("a", "c", "o") is None
    store.close()
    objects.Objects(tmp_path, clock=lambda: moment[0]).close()
    assert not store.path(one).exists()


def test_less_than_was_announced_leaves_nothing(store, tmp_path):
    with pytest.raises(objects.Short):
        store.receive(io.BytesIO(b"abc"), 4)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_file_that_no_object_is_goes_at_the_next_start(tmp_path):
    store = objects.Objects(tmp_path)
    kept = put(store, "o")
    lost, _ = store.receive(io.BytesIO(b"lost"), 4)
    store.close()
    again = objects.Objects(tmp_path)
    assert again.path(kept).exists() and not (tmp_path / "data" / lost).exists()
    again.close()


def test_containers_are_counted(store):
    assert store.describe_container("a", "c", {"Color": "red"})
    assert not store.describe_container("a", "c", {"Size": "1"})
    put(store, "o", b"four")
    found = store.container("a", "c")
    assert (found.count, found.bytes) == (1, 4)
    assert found.meta == {"Color": "red", "Size": "1"}
    store.describe_container("a", "c", {"Color": ""})
    assert store.container("a", "c").meta == {"Size": "1"}
    store.delete_container("a", "c")
    assert store.containers("a") == []


def test_an_account_remembers_what_is_said_of_it(store):
    store.describe_account("a", {"Temp-Url-Key": "k"})
    store.describe_account("a", {"Color": "red"})
    assert store.account("a") == {"Temp-Url-Key": "k", "Color": "red"}
    assert store.account("b") == {}
