# SPDX-License-Identifier: Apache-2.0
"""Every parser that reads somebody else's bytes: refused in our own words, or read.

Seeded, and bounded by a share of ``LONG`` or ``SHORT`` seconds each; the long one is
for ``TROVE_CHAOS=all`` (``bin/run-tests fuzz --long``).
"""

import contextlib
import json
import os
import time
import typing

import hypothesis
import pytest
from hypothesis import strategies as some

from trove import errors
from trove.api import paging, schemas, wire
from trove.api.resources.creation import CREATE, order
from trove.datastores import registry, rows, rules, values
from trove.rpc import codec, conductor, guest, passwords, screen, sealing, taskmanager

SHORT, LONG = 60.0, 600.0
PARSERS = 13
EACH = (LONG if os.environ.get("TROVE_CHAOS") == "all" else SHORT) / PARSERS

JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**70), 2**70)
    | some.floats()
    | some.text(max_size=30)
    | some.sampled_from(
        ["\x00", "\ud800", "$(id)", "`id`", "-x", "a\nb", "%s", "9" * 50]
    ),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(some.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)

KEYS = sorted(CREATE["properties"])
BODY = some.dictionaries(some.sampled_from(KEYS) | some.text(max_size=8), JSON)


def fuzz(given: typing.Any, check: typing.Callable[[typing.Any], None]) -> None:
    """Runs ``check`` on drawn values until the share is over; at least one round."""
    end = time.monotonic() + EACH
    rounds = 0
    while rounds == 0 or time.monotonic() < end:

        @hypothesis.seed(rounds)
        @hypothesis.settings(
            max_examples=400,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(given)
        def one(value: typing.Any) -> None:
            if time.monotonic() < end:
                check(value)

        one()
        rounds += 1


OURS = contextlib.suppress(errors.TroveError)


def _text(value: typing.Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def test_json_bodies() -> None:
    """S18: bytes, and JSON of any form."""
    schema = schemas.wrapped("instance", CREATE)

    def check(data: bytes) -> None:
        with OURS:
            body = wire.read(data, wire.JSON, schema)
            schemas.check(body, schema)
            order(body["instance"])

    whole = some.builds(lambda body: _text({"instance": body}), BODY)
    fuzz(some.binary(max_size=200) | some.builds(_text, JSON) | whole, check)


def test_xml_bodies() -> None:
    """S18: bytes, and XML made of what XML is made of."""
    schema = schemas.wrapped("instance", CREATE)
    piece = some.sampled_from(
        ["<", ">", "/>", "</", "instance", "name", '="', '"', "&", ";", "&#0;", "]]>"]
        + ["<![CDATA[", "<!DOCTYPE a [", "<!ENTITY b '", "<?xml ", "?>", " xmlns:x='u'"]
        + [
            "x:",
            "<volume size='1'/>",
            "<instance name='a'>",
            "</instance>",
            "\x00",
            "é",
        ]
    )
    made = some.lists(piece, max_size=25).map(lambda words: "".join(words).encode())

    def check(data: bytes) -> None:
        with OURS:
            body = wire.read(data, wire.XML, schema)
            schemas.check(body, schema)
            order(body["instance"])

    fuzz(some.binary(max_size=200) | made, check)


def test_what_is_written_can_be_read() -> None:
    """Answers with any text in them, in both forms."""

    def check(fault: str) -> None:
        body = {"instance": {"name": fault, "fault": {"message": fault}}}
        json.loads(wire.write(body, as_xml=False))
        wire.read(wire.write(body, as_xml=True), wire.XML, {"properties": {}})

    readable = some.text(some.characters(exclude_categories=["Cs"]), max_size=60)
    fuzz(readable, lambda text: _refused_or(check, text))


def _refused_or(check: typing.Callable[[str], None], text: str) -> None:
    with OURS:
        check(text)


METHODS = [
    method
    for interface in (conductor.Conductor, guest.Guest, taskmanager.TaskManager)
    for method in interface.methods().values()
]


def test_arguments_of_messages() -> None:
    """S13, S14: any JSON as the arguments of any method."""

    def check(drawn: tuple[typing.Any, dict[str, typing.Any]]) -> None:
        method, arguments = drawn
        with OURS:
            codec.weigh(arguments, codec.FROM_GUEST)
            method.read(arguments)

    names = sorted({p.name for method in METHODS for p in method.parameters})
    fields = ["boot", "seq", "service", "jobs", "id", "state", "result", "csr"]
    deep = some.dictionaries(some.sampled_from(fields), JSON, max_size=6)
    named = some.dictionaries(some.sampled_from(names), JSON | deep, max_size=6)
    fuzz(some.tuples(some.sampled_from(METHODS), named), check)


def test_envelopes_of_messages() -> None:
    """S13: what the screen lets pass has a form, and its sender's name is ours."""

    def check(drawn: tuple[dict[str, typing.Any], typing.Any]) -> None:
        message, sender = drawn
        if screen.fault_of_request(message, sender) is None:
            assert isinstance(message["method"], str)
            assert isinstance(message["args"], dict)
            screen.stamp(message, sender)
            assert message["_context_broker_user"] == sender
            assert set(message) <= (
                screen.ENVELOPE | screen.CONTEXT | {"_context_broker_user"}
            )
        screen.tidy_reply(dict(message))

    names = sorted(screen.ENVELOPE | screen.CONTEXT | {"failure", "result", "ending"})
    message = some.dictionaries(some.sampled_from(names) | some.text(max_size=5), JSON)
    fuzz(some.tuples(message, JSON), check)


def test_hashes_and_sealed_boxes() -> None:
    """S13: any text where a hash, a key or a box should be."""
    private, _ = sealing.keypair()

    def check(text: str) -> None:
        for read in (passwords.check_hash, sealing.check_public_key):
            with OURS:
                read(text)
        with OURS:
            sealing.unseal(private, text)

    fuzz(some.text(max_size=120), check)


@pytest.mark.parametrize("name", ["mariadb", "postgresql"])
def test_values_of_configuration(name: str) -> None:
    """S6: what passes is a known name with a value of its type, and no second line."""
    known = registry.get(name).parameters

    def check(drawn: dict[str, typing.Any]) -> None:
        with OURS:
            for own, value in values.check(known, drawn).items():
                assert own in known
                assert "\n" not in str(value) and "\x00" not in str(value)

    keys = some.sampled_from(sorted(known)) | some.text(max_size=10)
    fuzz(some.dictionaries(keys, JSON, max_size=4), check)


@pytest.mark.parametrize("name", ["mariadb", "postgresql"])
def test_files_of_rules(name: str) -> None:
    """S6: whatever a file says, a guest is bound by the policy."""
    policy = registry.get(name).policy
    names = some.sampled_from(sorted(policy)) | some.text(max_size=10)
    kinds = some.sampled_from(["integer", "string", "boolean", "float", "blob"])
    entry = some.fixed_dictionaries(
        {"name": names, "type": kinds, "restart_required": some.booleans()},
        optional={key: JSON for key in ("min", "max", "values", "members", "pattern")},
    )
    files = some.lists(entry, max_size=3).map(lambda told: {rules.ROOT: told}) | JSON

    def check(told: typing.Any) -> None:
        with OURS:
            said = rules.read(json.dumps(told), "f").rules
            for own, rule in rules.narrowed(policy, said).items():
                limit = policy[own]
                assert rule.get("pattern") == limit.pattern
                assert limit.max is None or rule["max"] <= limit.max
                assert limit.min is None or rule["min"] >= limit.min

    fuzz(files, check)


@pytest.mark.parametrize("name", ["mariadb", "postgresql"])
def test_names_and_passwords(name: str) -> None:
    """S5: what passes can be stored, and has no line of its own."""
    naming = registry.get(name).naming

    def check(text: str) -> None:
        for read in (naming.check_user, naming.check_database):
            with OURS:
                read(text)
                assert text.encode() and text == text.strip()
                assert not {"\n", "\r", "\x00", "\x1b"} & set(text)
        with OURS:
            naming.check_password(text)
            assert "\x00" not in text and text.encode()

    fuzz(some.text(max_size=90), check)


def test_hashes_of_rows() -> None:
    """What a guest brings of them is read as it was written, or not at all."""
    names = some.lists(some.text(max_size=9), min_size=1, max_size=4)
    line = some.tuples(names, some.integers(-1, 2**64), some.text(max_size=9))

    def check(said: typing.Any) -> None:
        with OURS:
            found = rows.read(json.dumps(said))
            assert rows.read(rows.write(found)) == found
            assert json.dumps(found.said()).isprintable()

    about = some.fixed_dictionaries({"left_out": some.just({}), "none": JSON})
    shaped = {"tables": some.lists(line | JSON, max_size=3), "about": about}
    fuzz(JSON | some.fixed_dictionaries(shaped), check)


def test_markers_and_limits() -> None:
    """Any words of a query."""

    def check(query: dict[str, str]) -> None:
        with OURS:
            assert 1 <= paging.wanted(query, 20).limit <= 20

    words = some.sampled_from(["limit", "marker"])
    fuzz(some.dictionaries(words, some.text(max_size=30) | some.just("%zz%41")), check)
