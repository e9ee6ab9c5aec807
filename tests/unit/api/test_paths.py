# SPDX-License-Identifier: Apache-2.0
"""A path is what the client wrote, and never two things to two readers."""

import typing

import pytest

from trove import errors
from trove.api import paths


def environ(path: str, **about: typing.Any) -> dict[str, typing.Any]:
    return {"SCRIPT_NAME": "", "PATH_INFO": path, **about}


def test_one_slash_at_the_end_is_nothing() -> None:
    assert paths.segments(environ("/v1.0/t/instances/")) == ["v1.0", "t", "instances"]
    assert paths.segments(environ("/")) == []
    assert paths.segments(environ("")) == []


@pytest.mark.parametrize("server", paths.RAW)
def test_an_encoded_slash_is_part_of_a_name(server: str) -> None:
    given = environ("/t/u/a/b@%", **{server: "/t/u/a%2Fb%40%25?x=1"})
    assert paths.segments(given) == ["t", "u", "a/b@%"]


def test_dots_and_extensions_are_part_of_a_name() -> None:
    given = environ("/t/u/bob.txt", RAW_URI="/t/u/bob%2etxt")
    assert paths.segments(given) == ["t", "u", "bob.txt"]


def test_a_raw_path_that_says_something_else_is_not_believed() -> None:
    given = environ("/v1.0/mine/x", RAW_URI="/v1.0/theirs/x")
    assert paths.segments(given) == ["v1.0", "mine", "x"]


def test_scheme_and_host_before_a_path() -> None:
    given = environ("/t/a/b", RAW_URI="http://h:1/t/a%2Fb")
    assert paths.segments(given) == ["t", "a/b"]


def test_below_a_prefix() -> None:
    given = {"SCRIPT_NAME": "/db", "PATH_INFO": "/t/a/b", "RAW_URI": "/db/t/a%2Fb"}
    assert paths.segments(given) == ["t", "a/b"]


def test_letters_beyond_ascii() -> None:
    as_wsgi = "/t/ü".encode().decode("latin-1")
    assert paths.segments(environ(as_wsgi)) == ["t", "ü"]
    assert paths.segments(environ(as_wsgi, RAW_URI="/t/%C3%BC")) == ["t", "ü"]
    assert paths.segments(environ(as_wsgi, RAW_URI=as_wsgi)) == ["t", "ü"]


@pytest.mark.parametrize("path", ["/t/\x00", "/t/\xff", "/t/" + "a" * 5000])
def test_what_no_name_can_be(path: str) -> None:
    with pytest.raises(errors.NotFound):
        paths.segments(environ(path))


def test_quoted() -> None:
    assert paths.quoted(environ("/t/a b")) == "/t/a%20b"
