# SPDX-License-Identifier: Apache-2.0
"""Names: what is a path below nothing else, in every store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove import errors
from trove.storage.vault import names

GOOD = ["a", "a/b", ".a", "...", "a..b", " ", "ä/日本", "a" * 255, "a/" * 511 + "aa"]
BAD = ["", "/", "a/", "/a", "a//b", ".", "..", "a/..", "./a", "a\x00b", "a\x7f", "\n"]
BAD += [
    "\ud800",
    "a" * 256,
    "ü" * 128,
    "a/" * 512 + "a",
    ".unfinished-1",
    "a/.unfinished-",
]


@pytest.mark.parametrize("name", GOOD)
def test_a_name(name):
    assert names.checked(name) == name


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_no_name(name):
    with pytest.raises(errors.Invalid) as told:
        names.checked(name)
    assert told.value.message.isascii() and told.value.message.isprintable()


@pytest.mark.parametrize("text", ["a", "a/", "a/b", "a/b/", "a/.", "a/..", ".", "a/."])
def test_a_prefix(text):
    assert names.prefix(text) == text


@pytest.mark.parametrize(
    "text", ["", "/", "//", "a//", "/a", "../", "./a", "a/../b", "\n"]
)
def test_no_prefix(text):
    with pytest.raises(errors.Invalid):
        names.prefix(text)


@given(st.text(st.sampled_from("a./\x00ü-"), max_size=12))
def test_all_that_names_begin_with_are_prefixes(text):
    try:
        names.checked(text)
    except errors.Invalid:
        return
    for end in range(1, len(text) + 1):
        names.prefix(text[:end])
