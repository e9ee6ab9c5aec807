# SPDX-License-Identifier: Apache-2.0
"""The client of Swift, against the one-machine cloud's."""

import urllib.parse

import pytest
import requests

from tests.objectstore import serving
from trove import errors
from trove.storage import swift
from trove.storage.swift import Swift


@pytest.fixture
def store(tmp_path):
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def mine(store):
    made = Swift(store.endpoint("p"), "p/member")
    yield made
    made.close()


def test_a_containers_key_stays_and_is_shown_to_its_owner_only(store, mine):
    key = mine.ensure("c")
    assert mine.ensure("c") == key
    other = Swift(store.endpoint("p"), "q/member")
    with pytest.raises(errors.Forbidden):
        other.ensure("c")


def test_below_a_signed_prefix_anybody_writes_and_does_nothing_else(store, mine):
    url, query = mine.signed("c", "a/log", mine.ensure("c"), 60)
    put = requests.put(f"{url}/1?{query}", data=b"x", timeout=10)
    assert put.status_code == 201
    for verb in ("GET", "DELETE", "POST"):
        answer = requests.request(verb, f"{url}/1?{query}", timeout=10)
        assert answer.status_code == 401, verb
    other = url.replace("a/log", "b/log")
    assert requests.put(f"{other}/1?{query}", timeout=10).status_code == 401
    assert store.names("p", "c") == ["a/log/1"]


def test_a_signature_ends(store, mine):
    url, query = mine.signed("c", "a", mine.ensure("c"), -1)
    assert requests.put(f"{url}/1?{query}", timeout=10).status_code == 401


def test_guests_may_have_another_way_to_the_store(store):
    other = Swift(store.endpoint("p"), "p/member", guests="https://10.0.0.1:8080")
    url, query = other.signed("c", "a b", "k", 60)
    assert url == "https://10.0.0.1:8080/v1/AUTH_p/c/a b"
    assert urllib.parse.parse_qs(query)["temp_url_prefix"] == ["a b"]


def test_all_of_a_prefix_goes_however_much_it_is(store, mine, monkeypatch):
    monkeypatch.setattr(swift, "PAGE", 2)
    url, query = mine.signed("c", "", mine.ensure("c"), 60)
    for name in ("a/1", "a/2", "a/3", "b/1", "a_meta"):
        assert requests.put(f"{url}{name}?{query}", timeout=10).status_code == 201
    mine.delete("c", ("a/", "a_meta"))
    assert store.names("p", "c") == ["b/1"]
    mine.delete("none", ("a/",))


def test_a_store_that_is_not_there_is_unavailable(mine, store):
    store.refusing = True
    with pytest.raises(errors.Upstream):
        mine.ensure("c")
    gone = Swift("http://127.0.0.1:1/v1/AUTH_p", "p/member")
    with pytest.raises(errors.Unavailable):
        gone.ensure("c")
