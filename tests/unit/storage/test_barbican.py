# SPDX-License-Identifier: Apache-2.0
"""The client of Barbican, against the one-machine cloud's; hostile ones: tests/api."""

import itertools

import pytest

from tests.keymanager import serving
from trove import errors
from trove.storage.barbican import BINARY, TEXT, KeyManager


@pytest.fixture
def keys(tmp_path):
    with serving(tmp_path) as served:
        yield served


def client(keys, token="demo0000/member", address=None, **about):
    return KeyManager([address or keys.endpoint], token, **about)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_secret_is_read_by_its_address_or_id(keys, suffix):
    address = keys.store(b"\x00bin")
    mine = client(keys, address=keys.endpoint + suffix)
    for reference in (address, address.rpartition("/")[2]):
        assert mine.secret("container_ref", reference, BINARY, 100) == b"\x00bin"
    text = keys.store("pä ss".encode(), text=True)
    assert mine.secret("password_ref", text, TEXT, 100).decode() == "pä ss"
    mine.close()


def test_another_projects_is_nobodys(keys):
    theirs = client(keys, "other000/member")
    with pytest.raises(errors.Invalid, match="password_ref .* no secret"):
        theirs.secret("password_ref", keys.store(b"x"), TEXT, 100)


def test_a_giant_is_not_taken(keys):
    with pytest.raises(errors.Invalid, match="larger than 100 B"):
        client(keys).secret("container_ref", keys.store(b"x" * 101), BINARY, 100)


def test_one_that_comes_drop_by_drop_is_given_up(keys):
    """Each drop is in time; all of them are not."""
    clock = itertools.count(0, 15)

    def answers(environ, start):
        start("200 OK", [])
        return (b"x" * 4096 for _ in range(10))

    keys.answers = answers
    slow = client(keys, clock=lambda: next(clock))
    with pytest.raises(errors.Unavailable):
        slow.secret("container_ref", keys.store(b"x"), BINARY, 1 << 20)
