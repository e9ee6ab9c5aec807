# SPDX-License-Identifier: Apache-2.0
"""What the objects of a dump are called, and its list."""

import json

import pytest

from trove import errors
from trove.storage import dumps
from trove.storage.dumps import EACH, MOST, Dumped, Names
from trove.storage.manifest import Part
from trove.storage.vault import names as objects
from trove.storage.vault.protocol import LIST

NAMES = Names("nightly", ("shop", "parts/0/x", "..", "100%2F"), ".sql.zst")
PARTS = (Part.of(b"one"), Part.of(b"another"))
SHA = "ab" * 32


def test_each_database_has_one_object_beside_the_others():
    assert [NAMES.object(n) for n in range(4)] == [
        "nightly/shop.sql.zst",
        "nightly/parts%2F0%2Fx.sql.zst",
        "nightly/...sql.zst",
        "nightly/100%252F.sql.zst",
    ]
    for number in range(4):
        assert objects.checked(NAMES.object(number))


def test_a_number_is_a_part_of_a_database_or_the_list():
    assert NAMES.of(0) == "nightly/parts/0/0000000"
    assert NAMES.of(EACH - 1) == "nightly/parts/0/0009999"
    assert NAMES.of(3 * EACH + 7) == "nightly/parts/3/0000007"
    assert NAMES.of(4 * EACH) is None
    assert NAMES.of(LIST) == NAMES.list == "nightly/dump.json"
    assert NAMES.of(LIST + 1) is None


def test_the_most_databases_have_numbers_before_the_list():
    most = Names("n", tuple(map(str, range(MOST))), ".dump")
    assert most.of(LIST - 1) == f"n/parts/{MOST - 1}/{EACH - 1:07}"


def test_a_dump_is_fetched_in_pieces():
    size = dumps.PIECE
    assert dumps.piece(1, 0) == (0, 1) and dumps.piece(1, 1) is None
    assert dumps.piece(size, 0) == (0, size) and dumps.piece(size, 1) is None
    assert dumps.piece(size + 1, 1) == (size, 1) and dumps.piece(size, -1) is None
    assert dumps.piece(0, 0) is None


def written(**about):
    found = [Dumped(name, PARTS, SHA) for name in NAMES.databases]
    return json.loads(dumps.write(NAMES, {"instance": "i"}, found)) | about


def said(data):
    return dumps.read(json.dumps(data).encode(), NAMES)


def test_a_list_is_read_as_it_was_written():
    found = said(written())
    assert [one.database for one in found] == list(NAMES.databases)
    assert found[0] == Dumped("shop", PARTS, SHA) and found[0].size == 10
    row = written()["databases"][1]
    assert (row["object"], row["bytes"]) == ("nightly/parts%2F0%2Fx.sql.zst", 10)


def test_a_list_of_other_databases_is_none():
    few = written()["databases"][:3]
    for rows in (few, [*few, few[0]], []):
        with pytest.raises(errors.Invalid, match="other databases"):
            said(written(databases=rows))


@pytest.mark.parametrize(
    "row",
    [
        {"database": "shop", "sha256": SHA, "parts": []},
        {"database": "shop", "sha256": "short", "parts": [[1, SHA, "c" * 32]]},
        {"database": "shop", "sha256": SHA, "parts": [[1, SHA, "c" * 32]] * (EACH + 1)},
        {"database": "shop", "sha256": SHA, "parts": [[-1, SHA, "c" * 32]]},
        {"database": "shop"},
        "shop",
        None,
    ],
)
def test_what_a_guest_makes_up_is_refused(row):
    few = written()["databases"][1:]
    with pytest.raises(errors.Invalid):
        said(written(databases=[row, *few]))


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b'{"databases": 1}', b"[" * 9999]
)
def test_what_is_no_list_is_refused(data):
    with pytest.raises(errors.Invalid):
        dumps.read(data, NAMES)
