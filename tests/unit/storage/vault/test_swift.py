# SPDX-License-Identifier: Apache-2.0
"""A vault in Swift: its key, its URLs, and what it asks of the store."""

import urllib.parse

import pytest

from tests.answering import serving as answering
from tests.objectstore import serving
from trove import errors
from trove.storage.account import KEY, given
from trove.storage.vault import carry
from trove.storage.vault.protocol import Signed, Stored
from trove.storage.vault.swift import Swift

TOKEN = given("p/member")


@pytest.fixture
def store(tmp_path):
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def vault(store):
    made = Swift(store.endpoint("p"), TOKEN, "c")
    made.ensure()
    store.asked.clear()
    yield made
    made.close()


def test_the_key_is_asked_for_once(store, vault):
    for _ in range(3):
        vault.writes("a/1", 60)
        vault.reads("a/1", 60)
    assert store.asked == []
    vault.ensure()
    assert store.asked == ["HEAD /v1/AUTH_p/c"]
    other = Swift(store.endpoint("p"), TOKEN, "c")
    carry.put(other.writes("a/1", 60), b"x", 20)
    other.close()
    assert vault.get("a/1", 1) == b"x"


def test_a_new_key_beside_the_old_one_ends_no_url(store, vault):
    """As the middleware has it: the old one becomes the second."""
    before = vault.writes("a/1", 60)
    old = store.objects.container("AUTH_p", "c").meta["Temp-Url-Key"]
    words = {"Temp-Url-Key": "another", "Temp-Url-Key-2": old}
    store.objects.describe_container("AUTH_p", "c", words)
    carry.put(before, b"x", 20)
    vault.ensure()
    assert vault.reads("a/1", 60).url != before.url
    assert carry.get(vault.reads("a/1", 60), 1, 20) == b"x"
    store.objects.describe_container("AUTH_p", "c", {"Temp-Url-Key-2": ""})
    with pytest.raises(errors.Forbidden):
        carry.put(before, b"y", 20)
    assert carry.get(vault.reads("a/1", 60), 1, 20) == b"x"


def test_guests_may_have_another_way_to_the_store(store):
    vault = Swift(store.endpoint("p"), TOKEN, "c", guests="https://10.0.0.1:8080")
    url = urllib.parse.urlsplit(vault.writes("a b/ü", 60).url)
    vault.close()
    assert url.scheme + url.netloc == "https10.0.0.1:8080"
    assert url.path == "/v1/AUTH_p/c/a%20b/%C3%BC"
    ours = Signed(f"{store.url}{url.path}?{url.query}")
    carry.put(ours, b"x", 20)


def test_nothing_ends_by_itself(store, vault):
    vault.put("a/1", b"x")
    carry.put(vault.writes("a/2", 60), b"x", 20)
    for name in ("a/1", "a/2"):
        assert store.objects.find("AUTH_p", "c", name).expires is None


def test_what_was_changed_on_the_way_is_not_kept():
    with answering() as server:
        server.deed = lambda request: (request.body(), request.say(422))
        vault = Swift(server.url + "/v1/AUTH_p", TOKEN, "c")
        with pytest.raises(errors.Upstream, match="422"):
            vault.put("a/1", b"x")
        vault.close()
        assert server.heard[0]["ETag"] == "9dd4e461268c8034f5c8564e155c67a6"
        assert not any(name.startswith("X-Delete") for name in server.heard[0])


@pytest.fixture
def odd():
    """A vault of a server that does what a test says."""
    with answering() as server:
        vault = Swift(server.url + "/v1/AUTH_p", TOKEN, "c")
        yield server, vault
        vault.close()


def test_what_broke_off_is_not_all_of_it(odd):
    server, vault = odd
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123"
    server.deed = lambda request: request.wfile.write(text)
    with pytest.raises(errors.Unavailable):
        vault.get("a/1", 10)


def test_no_more_is_read_than_was_asked_for(odd):
    server, vault = odd
    text = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1 << 20)
    server.deed = lambda request: [request.wfile.write(text) for _ in range(1000)]
    with pytest.raises(errors.Upstream, match="larger than 10 B"):
        vault.get("a/1", 10)


def test_a_list_says_what_the_store_says(odd):
    server, vault = odd
    rows = b'[{"subdir": "a/"}, {"name": "a/1", "bytes": 7, "hash": "f00"}]'
    server.deed = lambda request: request.say(200, b"[]" if asked() else rows)
    asked = lambda: len(server.asked) > 1  # noqa: E731
    assert list(vault.listed("a/")) == [Stored("a/1", 7, "f00")]
    server.deed = lambda request: request.say(200, rows)
    with pytest.raises(errors.Upstream, match="no end"):
        list(vault.listed("a/"))
    for text in (
        b"{",
        b"{}x",
        b'{"name": 1}',
        b'[{"name": "a", "bytes": "x"}]',
        b"[1]",
    ):
        server.deed = lambda request, text=text: request.say(200, text)
        with pytest.raises(errors.Upstream, match="no list"):
            list(vault.listed("a/"))


def test_a_container_without_a_key_signs_nothing(odd):
    server, vault = odd
    server.deed = lambda request: request.say(201 if request.command == "PUT" else 204)
    with pytest.raises(errors.Forbidden, match="the object store of this service"):
        vault.writes("a/1", 60)
    assert KEY in server.heard[1]
