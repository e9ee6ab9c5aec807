# SPDX-License-Identifier: Apache-2.0
"""An account of Swift: what is asked for is what was meant, by a token that is good."""

import pytest
import requests

from tests.objectstore import serving
from trove import errors
from trove.storage import account


class Tokens:
    """Gives ``old`` until it is told that this is refused."""

    def __init__(self, old, new):
        self._told, self._new = old, new
        self.asked = []

    def __call__(self, *, fresh):
        self.asked.append(fresh)
        if fresh:
            self._told = self._new
        return self._told


@pytest.fixture
def store(tmp_path):
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def opened(store):
    made = []

    def opens(token, endpoint=""):
        made.append(
            account.Account(endpoint or store.endpoint("p"), token, True, "the store")
        )
        return made[-1]

    yield opens
    for one in made:
        one.close()


def test_a_name_with_dots_is_a_name_and_no_way_upwards(store, opened):
    """A guest that writes below a prefix may call a thing ``../../another/thing``."""
    mine = opened(account.given("p/member"))
    mine.key("precious")
    mine.ask("PUT", "precious/thing", data=b"x", ok=(201,))
    key, name = mine.key("c"), "i/log/../../../precious/thing"
    query = account.signature(key, "PUT", "prefix:/v1/AUTH_p/c/i/", 60)
    path = f"{store.url}/v1/AUTH_p/c/{name}"
    request = requests.Request("PUT", store.url, data=b"y").prepare()
    words = "&".join(f"{word}={value}" for word, value in query.items())
    request.url = f"{path}?{words}&temp_url_prefix=i/"
    with requests.Session() as guest:
        assert guest.send(request, timeout=10).status_code == 201
    assert store.names("p", "c") == [name]
    mine.delete("c", ("i/",))
    assert store.names("p", "c") == []
    assert store.names("p", "precious") == ["thing"]


def test_a_token_that_is_refused_is_renewed_and_the_request_is_whole(store, opened):
    tokens = Tokens("", "p/member")
    mine = opened(tokens)
    mine.key("c")
    assert tokens.asked == [False, True, False, False]
    store.asked.clear()
    again = opened(Tokens("", "p/member"))
    again.ask("PUT", account.below("c", "a b"), data=b"x" * 1000, ok=(201,))
    assert store.asked == ["PUT /v1/AUTH_p/c/a b"] * 2
    assert store.text("p", "a b", "c") == "x" * 1000


def test_one_that_stays_refused_is_not_sent_again(store, opened):
    for token in (account.given(""), Tokens("", "")):
        store.asked.clear()
        with pytest.raises(errors.Forbidden):
            opened(token).key("c")
        assert len(store.asked) == 1


def test_one_who_has_no_right_is_not_asked_who_he_is(store, opened):
    tokens = Tokens("q/member", "q/member")
    with pytest.raises(errors.Forbidden, match="use the store"):
        opened(tokens).key("c")
    assert tokens.asked == [False]


def test_an_address_of_the_catalogue_may_be_quoted(opened):
    mine = opened(account.given("t"), "https://s.example/v1/AUTH_%41/")
    assert mine.address("") == ("https://s.example/v1/AUTH_%41", "/v1/AUTH_A")
    assert mine.address("http://g:1") == ("http://g:1/v1/AUTH_%41", "/v1/AUTH_A")
