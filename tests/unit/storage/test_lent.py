# SPDX-License-Identifier: Apache-2.0
"""A container that was lent, against the one-machine cloud's store."""

import pytest

from tests.objectstore import serving
from trove import errors
from trove.storage.lent import Lent, Place
from trove.storage.manifest import Part
from trove.storage.swift import Swift
from trove.storage.vault import carry
from trove.storage.vault.protocol import Stored


@pytest.fixture
def store(tmp_path):
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def mine(store):
    made = Swift(store.endpoint("p"), "p/member")
    yield made
    made.close()


@pytest.fixture
def there(mine):
    made = Lent(mine.lend("c"))
    yield made
    made.close()


NAMES = ["a", "a b/ü", "a/%2F..x", "q?x=1&temp_url_prefix="]


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_written_found_read_and_deleted(store, there, name):
    assert there.find(name) is None
    carry.put(there.writes(name, 60), b"data", 9)
    assert store.names("p", "c") == [name]
    part = Part.of(b"data")
    assert there.find(name) == Stored(name, part.size, part.md5)
    assert there.get(name, 4) == b"data"
    with pytest.raises(errors.Upstream, match="larger"):
        there.get(name, 3)
    assert there.delete(name) is True
    assert there.delete(name) is False
    with pytest.raises(errors.NotFound):
        there.get(name, 4)


def test_what_is_signed_for_a_guest_writes_that_object_alone(there):
    carry.put(there.writes("a", 60), b"data", 9)
    signed = there.writes("b", 60)
    with pytest.raises(errors.Forbidden):
        carry.get(signed, 4, 9)
    other = type(signed)(signed.url.replace("/c/b?", "/c/a?"))
    with pytest.raises(errors.Forbidden):
        carry.put(other, b"worse", 9)
    with pytest.raises(errors.Forbidden):
        carry.put(there.writes("b", -1), b"late", 9)


def test_some_bytes_of_an_object_are_read_and_no_others(there):
    carry.put(there.writes("a", 60), b"0123456789", 9)
    assert carry.get(there.reads("a", 60, 3, 4), 4, 9) == b"3456"
    assert carry.get(there.reads("a", 60, 0, 10), 10, 9) == b"0123456789"
    with pytest.raises(errors.Upstream):
        carry.get(there.reads("a", 60, 8, 4), 4, 9)  # it has become shorter
    with pytest.raises(errors.Upstream):
        carry.get(there.reads("a", 60, 10, 4), 4, 9)
    with pytest.raises(errors.NotFound):
        carry.get(there.reads("b", 60, 0, 4), 4, 9)


def test_nothing_of_another_container_is_reached(store, mine, there):
    mine.lend("d")
    other = Lent(Place(store.endpoint("p"), "d", mine.ensure("c")))
    for ask in (other.find, other.delete, lambda name: other.get(name, 9)):
        with pytest.raises(errors.Forbidden, match="lent"):
            ask("a")


def test_no_token_is_sent(store, there):
    """A token that is empty would be refused by a cloud that looks at it first."""
    asked = []
    front = store.application

    def watching(environ, start):
        asked.append("HTTP_X_AUTH_TOKEN" in environ)
        return front(environ, start)

    store.application = watching
    assert there.find("a") is None
    assert asked == [False]


def test_the_key_is_nobodys_to_read(mine):
    place = mine.lend("c")
    assert place.key == mine.ensure("c") and place.key not in repr(place)


def test_guests_reach_it_by_their_own_way(mine, store):
    place = Place(store.endpoint("p"), "c", "k", "https://10.0.0.1:8080")
    assert (
        Lent(place)
        .writes("a", 9)
        .url.startswith("https://10.0.0.1:8080/v1/AUTH_p/c/a?")
    )


def test_it_is_asked_before_each_request(mine):
    before = []
    there = Lent(mine.lend("c"), lambda: before.append(1))
    there.find("a")
    there.delete("a")
    assert len(before) == 2


def test_a_store_that_is_away_is_worth_another_try(store, there):
    store.refusing = True
    with pytest.raises(errors.Unavailable):
        there.find("a")


def test_a_name_that_is_another_place_is_none(there):
    for name in ("../d/a", "a//b", "/a", ""):
        with pytest.raises(errors.Invalid):
            there.writes(name, 9)
