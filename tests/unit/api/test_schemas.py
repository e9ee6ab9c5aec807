# SPDX-License-Identifier: Apache-2.0
"""A body is refused with a reason that repeats no value."""

import typing

import pytest

from trove import errors
from trove.api import schemas


def refused(body: typing.Any, schema: typing.Any) -> str:
    with pytest.raises(errors.Invalid) as told:
        schemas.check(body, schema)
    return told.value.message


def test_where_and_why() -> None:
    schema = schemas.wrapped(
        "instance", {"type": "object", "properties": {"volume": schemas.VOLUME}}
    )
    said = refused({"instance": {"volume": {"size": 0}}}, schema)
    assert said == "Validation error: instance['volume']['size'] is less than 1"
    said = refused({"instance": {"volume": {}}}, schema)
    assert said == "Validation error: instance['volume'] lacks 'size'"
    assert refused([], schema) == "Validation error: body is not of type object"


def test_alien_keys_are_named_in_part() -> None:
    schema = {"type": "object", "additionalProperties": False, "properties": {}}
    said = refused({"a" * 5000: 1}, schema)
    assert len(said) < 200


def test_not_more_than_a_few_reasons() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert refused(["x"] * 1000, schema).count("not of type") == schemas.SHOWN


@pytest.mark.parametrize(
    "value, fine",
    [
        ("db", True),
        ("a", True),
        ("1 - ü", True),
        ("", False),
        ("-", False),
        ("ü", False),
        ("a\n", False),
        ("a" * 256, False),
    ],
)
def test_names(value: str, fine: bool) -> None:
    _check(value, schemas.NAME, fine)


@pytest.mark.parametrize(
    "value, fine",
    [
        (1, True),
        ("1", True),
        ("040", True),
        (0, False),
        ("0", False),
        ("1.5", False),
        (1.5, False),
        (True, False),
        (2**31, False),
        ("9" * 30, False),
        ("1\n", False),
        (None, False),
    ],
)
def test_sizes(value: typing.Any, fine: bool) -> None:
    _check(value, schemas.VOLUME_SIZE, fine)


@pytest.mark.parametrize(
    "value, fine",
    [
        ("10.0.0.0/8", True),
        ("1.2.3.4", True),
        ("1.2.3.4/0", True),
        ("2001:db8::/32", True),
        ("::/0", True),
        ("fe80::1%eth0", False),
        ("10.0.0.0/8; x", False),
        ("10.0.0.0/8\n", False),
    ],
)
def test_ranges(value: str, fine: bool) -> None:
    _check(value, schemas.CIDR, fine)


@pytest.mark.parametrize(
    "value, fine",
    [
        ("%", True),
        ("10.0.0.%", True),
        ("%.example", True),
        ("10.0.0.1", True),
        ("a-b", False),
        ("10.0.0.0/8", False),
        ("::1", False),
        ("", False),
    ],
)
def test_hosts(value: str, fine: bool) -> None:
    _check(value, schemas.HOST, fine)


@pytest.mark.parametrize(
    "value, fine",
    [
        ("6f3d5c2e-1111-4222-8333-444455556666", True),
        ("6F3D5C2E-1111-4222-8333-444455556666", True),
        ("6f3d5c2e11114222833344445555666", False),
        ("6f3d5c2e-1111-4222-8333-444455556666\n", False),
    ],
)
def test_ids(value: str, fine: bool) -> None:
    _check(value, schemas.UUID, fine)


def _check(value: typing.Any, schema: typing.Any, fine: bool) -> None:
    if fine:
        schemas.check(value, schema)
    else:
        refused(value, schema)
