# SPDX-License-Identifier: Apache-2.0
"""Bodies and paths made to hurt: each is refused with a 4xx, quickly, never a 5xx."""

import json
import tempfile
import typing
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies as some

from tests.api.world import World
from trove.api.resources.creation import CREATE

SECRET = "hunter2-must-not-be-told"

GOOD = {
    "name": "a",
    "flavorRef": "1",
    "volume": {"size": 1},
    "databases": [{"name": "d"}],
    "users": [{"name": "u", "password": SECRET, "databases": [{"name": "d"}]}],
    "nics": [{"network_id": "net-1"}],
    "access": {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]},
}

BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)).replace(
        "&a0;", "&a;"
    )
    + ']><instance name="&a9;"/>'
)

BODIES = {
    "deep lists": ("application/json", "[" * 100_000),
    "deep dicts": ("application/json", '{"instance":' * 9_000),
    "deep and closed": ("application/json", "[" * 40 + "]" * 40),
    "escapes without an end": ("application/json", '"' + '\\"' * 50_000),
    "a huge whole number": ("application/json", '{"instance": ' + "9" * 100_000 + "}"),
    "a size beyond all": (
        "application/json",
        '{"instance": {"name":"a","flavorRef":"1","volume":{"size":' + "9" * 30 + "}}}",
    ),
    "a flavor beyond all": (
        "application/json",
        '{"instance": {"name":"a","flavorRef":' + "9" * 30 + ',"volume":{"size":1}}}',
    ),
    "infinity": (
        "application/json",
        '{"instance": {"name":"a","flavorRef":"1","volume":{"size":1e999}}}',
    ),
    "not a number": (
        "application/json",
        '{"instance": {"name":"a","flavorRef":"1","volume":{"size":NaN}}}',
    ),
    "not UTF-8": ("application/json", b'{"instance": {"name": "\xff"}}'),
    "UTF-16": ("application/json", '{"instance": {}}'.encode("utf-16")),
    "only blanks": ("application/json", "   "),
    "a NUL": ("application/json", b'{"instance"\x00: {}}'),
    "an entity bomb": ("application/xml", BOMB),
    "a file": (
        "application/xml",
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><instance name="&b;"/>',
    ),
    "a DTD elsewhere": (
        "application/xml",
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><instance/>',
    ),
    "deep elements": ("application/xml", "<instance>" + "<a>" * 16_000),
    "an unknown encoding": (
        "application/xml",
        '<?xml version="1.0" encoding="klingon"?><instance/>',
    ),
    "a wide encoding": (
        "application/xml",
        '<?xml version="1.0" encoding="utf-32"?><instance/>',
    ),
    "an undefined entity": ("application/xml", "<instance>&nope;</instance>"),
    "a NUL in XML": ("application/xml", b"<instance name='a\x00'/>"),
    "an undeclared prefix": ("application/xml", "<x:instance/>"),
    "many attributes": (
        "application/xml",
        "<instance " + " ".join(f'a{n}="1"' for n in range(5_000)) + "/>",
    ),
}


@pytest.fixture(scope="module")
def lasting() -> Iterator[World]:
    """One world for many requests, with room for all that is accepted."""
    with tempfile.TemporaryDirectory() as directory:
        import pathlib

        made = World(pathlib.Path(directory), quotas={})
        yield made
        made.close()


@pytest.mark.parametrize("kind, body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("ask", ["POST instances", "POST instances/x/action"])
def test_refused(lasting: World, ask: str, kind: str, body: str | bytes) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    method, path = ask.split()
    answer = lasting.ask(method, path, data=data, content_type=kind)
    assert 400 <= answer.status_int < 500, answer.text
    assert len(answer.json) == 1
    assert "passwd" not in answer.text and "root:" not in answer.text


@pytest.mark.timeout(20)
def test_no_body_takes_long(lasting: World) -> None:
    for body in ('"' + '\\"' * 50_000, '{"a":' * 20_000, "<a>" * 30_000):
        for kind in ("application/json", "application/xml"):
            lasting.ask("POST", "instances", data=body.encode(), content_type=kind)


_ANYTHING = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(max_size=40)
    | some.sampled_from(
        ["\x00", "\ud800", "1", "%", "../..", "' OR 1=1 --", "a" * 5000]
    ),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.text(max_size=12), inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(["id", "name", "size"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)

_KEYS = sorted(CREATE["properties"])


@hypothesis.settings(
    max_examples=300, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(
    some.dictionaries(some.sampled_from(_KEYS), _ANYTHING, min_size=1, max_size=2)
)
def test_a_wrong_value_of_any_key_is_no_fault_of_ours(
    lasting: World, wrong: dict[str, typing.Any]
) -> None:
    body = {"instance": {**GOOD, **wrong}}
    answer = lasting.ask("POST", "instances", data=_json(body))
    assert answer.status_int < 500 or answer.status_int == 501, answer.text
    assert SECRET not in answer.text


@hypothesis.settings(
    max_examples=100, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(
    some.sampled_from(["restart", "resize", "reset_status", "explode"]), _ANYTHING
)
def test_no_action_breaks(lasting: World, action: str, wrong: typing.Any) -> None:
    answer = lasting.ask("POST", "instances/x/action", data=_json({action: wrong}))
    assert 400 <= answer.status_int < 500


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(some.text(min_size=1, max_size=60), some.text(max_size=30))
def test_no_path_or_query_breaks(lasting: World, name: str, query: str) -> None:
    import urllib.parse

    quoted = urllib.parse.quote(name.encode("utf-8", "surrogatepass"), safe="")
    asked = urllib.parse.quote(query.encode("utf-8", "surrogatepass"), safe="=&%")
    for path in (f"instances/{quoted}", f"datastores/{quoted}/versions/{quoted}"):
        answer = lasting.ask("GET", f"{path}?{asked}")
        assert answer.status_int < 500, answer.text


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(some.binary(max_size=200))
def test_no_bytes_break(lasting: World, data: bytes) -> None:
    for kind in ("application/json", "application/xml"):
        answer = lasting.ask("POST", "instances", data=data, content_type=kind)
        assert 400 <= answer.status_int < 500


def test_what_is_wrong_is_told_without_the_value(lasting: World) -> None:
    for users in (
        [{"name": "u", "password": [SECRET]}],
        [{"name": "", "password": SECRET}],
        [{"name": "u", "password": SECRET + "x" * 2000}],
        [{"name": "u", "password": SECRET, "databases": SECRET}],
        SECRET,
    ):
        body = {"instance": {**GOOD, "users": users}}
        answer = lasting.ask("POST", "instances", body)
        assert answer.status_int == 400
        assert SECRET not in answer.text


def _json(body: typing.Any) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")
