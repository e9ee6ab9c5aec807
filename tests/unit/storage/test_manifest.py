# SPDX-License-Identifier: Apache-2.0
"""A manifest that was touched is refused; a list of parts that lies is found out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove import errors
from trove.storage import manifest
from trove.storage.frames import Broken
from trove.storage.manifest import Manifest, Part

KEY = b"k" * 32
PARTS = (Part.of(b"one"), Part.of(b"two"))
WHOLE = Manifest("b", "i", "p", "d", 7, PARTS, "parent", {"version": "1.2.3"})


def written(what=WHOLE, key=KEY):
    data = manifest.write(what, "1", key)
    return data, manifest.digest(data)


def read(data, sha256, key=KEY):
    return manifest.read(data, sha256, lambda ring: {"1": key}[ring])


def test_what_was_written_is_read():
    data, sha256 = written()
    assert read(data, sha256) == WHOLE
    assert WHOLE.stored == 6


@given(st.data())
def test_a_bit_that_was_turned_anywhere_is_found(draw):
    data, sha256 = written()
    where = draw.draw(st.integers(0, 8 * len(data) - 1))
    other = bytearray(data)
    other[where // 8] ^= 1 << where % 8
    with pytest.raises(Broken, match="another one"):
        read(bytes(other), sha256)


@given(st.data())
def test_the_signature_alone_would_find_it_too(draw):
    """The database of before a disaster may know another hash, or an attacker's."""
    data, _ = written()
    where = draw.draw(st.integers(0, 8 * (len(data) - 1) - 1))
    other = bytearray(data)
    other[where // 8] ^= 1 << where % 8
    with pytest.raises((Broken, errors.Invalid, KeyError)):
        read(bytes(other), manifest.digest(bytes(other)))


def test_who_does_not_have_the_key_writes_none():
    data, sha256 = written(key=b"x" * 32)
    with pytest.raises(Broken, match="not signed"):
        read(data, sha256)


def test_another_format_is_not_read():
    data, sha256 = written(Manifest("b", "i", "p", "d", 7, PARTS, format=2))
    with pytest.raises(Broken, match="format is 2"):
        read(data, sha256)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"ring": "1", "manifest": {}}', b"\xff", b"[" * 10**5]
)
def test_what_is_no_manifest_says_so(body):
    data = body + b"\n" + b"0" * 64 + b"\n"
    with pytest.raises(Broken):
        read(data, manifest.digest(data))


def test_a_guests_list_is_read():
    assert manifest.of_guest(manifest.brought(PARTS)) == PARTS


GOOD = ["a" * 64, "b" * 32]


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        "x",
        None,
        [[]],
        [[1]],
        [["1", *GOOD]],
        [[True, *GOOD]],
        [[0, *GOOD]],
        [[-1, *GOOD]],
        [[1.5, *GOOD]],
        [[2**40, *GOOD]],
        [[1, GOOD[0] + "\n", GOOD[1]]],
        [[1, "A" * 64, GOOD[1]]],
        [[1, GOOD[0], 5]],
        [[1, *GOOD, 1]],
        [{"size": 1}],
    ],
)
def test_a_guests_list_that_is_none_is_refused(said):
    with pytest.raises(errors.Invalid):
        manifest.of_guest(json.dumps(said).encode())


def test_a_guests_list_has_bounds(monkeypatch):
    with pytest.raises(errors.Invalid):
        manifest.of_guest(b"[" * 10**6)
    with pytest.raises(errors.Invalid):
        manifest.of_guest(b"\xff\xfe")
    monkeypatch.setattr(manifest, "PARTS", 1)
    with pytest.raises(errors.Invalid):
        manifest.of_guest(manifest.brought(PARTS))
    monkeypatch.setattr(manifest, "LARGEST", 10)
    with pytest.raises(errors.Invalid, match="too long"):
        manifest.of_guest(manifest.brought(PARTS[:1]))


HAS = [(number, part.size, part.md5) for number, part in enumerate(PARTS)]


@pytest.mark.parametrize(
    ("has", "says"),
    [
        (HAS, None),
        (HAS[::-1], None),
        (HAS[:1], "part 1 is not there"),
        ([], "part 0 is not there"),
        ([HAS[0], (1, 4, HAS[1][2])], "part 1 has 4 bytes, not 3"),
        ([HAS[0], (1, 3, HAS[0][2])], "part 1 is another one"),
        ([*HAS, (2, 3, HAS[0][2])], "part 2 is nobody's"),
    ],
)
def test_the_store_is_compared_with_the_list(has, says):
    found = manifest.missing(PARTS, iter(has))
    assert found == says if says is None else says in found
