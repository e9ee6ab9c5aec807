# SPDX-License-Identifier: Apache-2.0
"""S3, S4, S15, S17, S19: a word that a user or a guest chose is a word, and only that.

It is refused, or stored as it was sent; nothing runs, fills in, fetches or obeys it.
"""

import io
import itertools
import json
import logging
import sys
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import World, from_xml
from trove.api.resources import TABLE
from trove.api.schemas import HOST
from trove.cmd.manage_output import Output
from trove.db.tables import Operation
from trove.rpc import conductor, guest, taskmanager
from trove.service import loglines

EVIL = {
    "a substitution": "x$(touch /tmp/trove-was-here)",
    "a backtick": "x`touch /tmp/trove-was-here`",
    "a semicolon": "x;touch /tmp/trove-was-here",
    "an ampersand": "x&&touch /tmp/trove-was-here",
    "a pipe": "x|touch /tmp/trove-was-here",
    "a newline": "x\ntouch /tmp/trove-was-here",
    "a carriage return": "x\rtouch /tmp/trove-was-here",
    "a NUL": "x\x00y",
    "an option": "-x",
    "a long option": "--defaults-file=/etc/passwd",
    "a path": "../../../../etc/passwd",
    "a quote": "x'; DROP TABLE instances; --",
    "a double quote": 'x"; DROP TABLE instances; --',
    "a template": "x{{ 7 * 7 }}{% for a in b %}",
    "a format": "x%(secret)s%s%n{0.__class__}",
    "a variable": "x${HOME}$HOME%HOME%",
    "a comment": "x/*!50000 SELECT 1 */#",
    "a section": "x]\n[broker]\npassword=y",
    "an escape": "x\x1b]0;owned\x07\x1b[31m",
    "markup": "x<script>alert(1)</script>",
    "right to left": "x\u202eab",
    "half a pair": "x\ud800",
}

PLACES: dict[str, typing.Callable[[str], dict[str, typing.Any]]] = {
    "name": lambda word: {"name": word},
    "flavorRef": lambda word: {"flavorRef": word},
    "volume type": lambda word: {"volume": {"size": 1, "type": word}},
    "database": lambda word: {"databases": [{"name": word}]},
    "character set": lambda word: {"databases": [{"name": "d", "character_set": word}]},
    "collate": lambda word: {"databases": [{"name": "d", "collate": word}]},
    "user": lambda word: {"users": [{"name": word, "password": "p"}]},
    "password": lambda word: {"users": [{"name": "u", "password": word}]},
    "host": lambda word: {"users": [{"name": "u", "password": "p", "host": word}]},
    "datastore": lambda word: {"datastore": {"type": word}},
    "version": lambda word: {"datastore": {"version": word}},
    "zone": lambda word: {"availability_zone": word},
    "region": lambda word: {"region_name": word},
    "network": lambda word: {"nics": [{"network_id": word}]},
    "subnet": lambda word: {"nics": [{"subnet_id": word}]},
    "locality": lambda word: {"locality": word},
    "cidr": lambda word: {"access": {"allowed_cidrs": [word]}},
}

GOOD: dict[str, typing.Any] = {
    "name": "a",
    "flavorRef": "1",
    "volume": {"size": 1},
}


@pytest.mark.parametrize("word", EVIL.values(), ids=list(EVIL))
def test_a_users_word_is_refused_or_kept_as_it_is(world: World, word: str) -> None:
    """S3, S4: in every field that takes a text."""
    world.services.settings = type(world.services.settings)(
        default_datastore="mariadb", quotas={}
    )
    for place, made in PLACES.items():
        asked = made(word)
        body = {"instance": {**GOOD, **asked}}
        data = json.dumps(body).encode("utf-8", "surrogatepass")
        answer = world.ask("POST", "instances", data=data)
        assert answer.status_int in (200, 400, 404), (place, answer.text)
        if answer.status_int != 200:
            continue
        id = answer.json["instance"]["id"]
        assert _stored(world, id, word), place
    assert _count(world) >= 0


def _stored(world: World, id: str, word: str) -> bool:
    """Whether the word is in the row or in the order, letter by letter."""
    with world.database.reading() as tx:
        operation = tx.scalars(
            sa.select(Operation).where(Operation.object_id == id)
        ).one()
        row = tx.execute(
            sa.text("SELECT * FROM instances WHERE id = :id"), {"id": id}
        ).one()
    found = [*_texts(operation.input), *(str(cell) for cell in row)]
    for cell in row:
        if isinstance(cell, str) and cell[:1] in '{["':
            found += _texts(json.loads(cell))
    return word in found


def _texts(value: typing.Any) -> list[str]:
    if isinstance(value, dict):
        return list(itertools.chain(*map(_texts, value.values())))
    if isinstance(value, list | tuple):
        return list(itertools.chain(*map(_texts, value)))
    return [value] if isinstance(value, str) else []


def _count(world: World) -> int:
    with world.database.engine.connect() as connection:
        statement = sa.text("SELECT count(*) FROM instances")
        return int(connection.execute(statement).scalar_one())


# -- S17 ---------------------------------------------------------------------------

ADDRESSES = (
    "url",
    "uri",
    "href",
    "endpoint",
    "location",
    "webhook",
    "callback",
    "link",
)


def _keys(schema: typing.Any) -> typing.Iterator[str]:
    if isinstance(schema, dict):
        for key, inner in schema.get("properties", {}).items():
            yield key
            yield from _keys(inner)
        for key in ("items", "additionalProperties"):
            yield from _keys(schema.get(key))
        for key in ("anyOf", "oneOf", "allOf"):
            for inner in schema.get(key, ()):
                yield from _keys(inner)


def _schemas() -> typing.Iterator[typing.Any]:
    for route in TABLE.routes:
        yield route.op.body
        for deeds in route.op.deeds.values():
            for deed in deeds:
                yield deed.body


def test_no_key_of_any_request_takes_an_address() -> None:
    """S17: nobody can have this service fetch, call or look up anything.

    ``flavorRef``, ``backupRef`` and ``configuration`` may be written as a link; what
    counts is the id at its end, and nothing is asked of the link.
    """
    keys = {key for schema in _schemas() for key in _keys(schema)}
    assert {"name", "flavorRef", "size"} <= keys
    found = {key for key in keys for word in ADDRESSES if word in key.lower()}
    # of an upgrade by an administrator; it is named to be refused with a sentence
    assert found == {"location"}


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/1",
        "http://2130706433/1",
        "http://0x7f000001/1",
        "http://[::ffff:127.0.0.1]/1",
        "file:///etc/1",
        "gopher://127.0.0.1:5672/1",
    ],
)
def test_a_link_is_cut_to_the_id_at_its_end(world: World, address: str) -> None:
    """S17: no connection is made, whatever the link says (an audit hook listens)."""
    asked: list[typing.Any] = []

    def hook(event: str, arguments: tuple[typing.Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo") and listening:
            asked.append((event, arguments))

    listening = [True]
    sys.addaudithook(hook)
    body = {"instance": {**GOOD, "flavorRef": address}}
    answer = world.ask("POST", "instances", body)
    restore = {"restorePoint": {"backupRef": address}}
    world.ask("POST", "instances", {"instance": {**GOOD, **restore}})
    listening.clear()
    assert answer.json["instance"]["flavor"]["id"] == "1"
    assert asked == []


def test_no_header_of_a_request_takes_an_address_either(world: World) -> None:
    """S17: a Host of one's own ends in the links that are shown, and is not visited."""
    headers = {"Host": "169.254.169.254", "Referer": "http://169.254.169.254/"}
    answer = world.ask("GET", "flavors/1", headers=headers)
    assert answer.status_int == 200


# -- S19 ---------------------------------------------------------------------------

SAID = (
    "<script>alert(1)</script>\r\n2026-01-01 INFO forged "
    "\x1b[2J\x1b]0;owned\x07 &amp; ]]>"
)


def test_a_guests_fault_is_text_in_json_and_in_xml(world: World) -> None:
    """S19: no tag, no second header, no control character leaves the API as such."""
    id = world.active()
    world.change(id, fault=SAID, fault_at=world.clock, task="FAILED")
    as_json = world.ask("GET", f"instances/{id}")
    assert as_json.json["instance"]["fault"]["message"] == SAID
    assert as_json.content_type == "application/json"
    assert not [byte for byte in as_json.body if byte < 32]
    as_xml = world.ask("GET", f"instances/{id}", xml=True)
    assert b"<script" not in as_xml.body and b"\x1b" not in as_xml.body
    told = from_xml(as_xml.body)["instance"]["fault"]["message"]
    assert told.startswith("<script>alert(1)</script>")
    assert as_json.headers["X-Content-Type-Options"] == "nosniff"


def test_what_a_user_sends_is_text_in_its_error(world: World) -> None:
    """S19: an id, a method and a query that come back in a sentence."""
    for path in ("instances/<script>alert(1)<%2fscript>", "instances?limit=<script>"):
        for xml in (False, True):
            answer = world.ask("GET", path, xml=xml)
            assert answer.status_int in (400, 404)
            assert answer.content_type == f"application/{'xml' if xml else 'json'}"
            if xml:
                assert b"<script" not in answer.body


def test_a_log_line_is_one_line_without_escapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S19: in the log of every daemon (``service/loglines.py``)."""
    monkeypatch.setattr(logging, "_logRecordFactory", logging.getLogRecordFactory())
    loglines.be_plain()
    heard = io.StringIO()
    logger = logging.Logger("trove.test")
    logger.addHandler(logging.StreamHandler(heard))
    logger.warning("operation %s: %s", "op", SAID)
    logger.error(SAID)
    lines = heard.getvalue().splitlines()
    assert len(lines) == 2
    assert "\x1b" not in heard.getvalue() and "\x07" not in heard.getvalue()
    assert "\\r\\n2026-01-01 INFO forged" in lines[0]


@pytest.mark.parametrize("as_json", [False, True])
def test_an_operators_terminal_is_not_steered(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """S19: trove-manage, in tables, facts, sentences and errors."""
    shown = io.StringIO()
    output = Output(as_json, shown)
    output.rows([{"id": "1", "fault": SAID}], ["id", "fault"])
    output.facts({"fault": SAID})
    output.say(f"op: {SAID}", fault=SAID)
    output.error(SAID)
    told = shown.getvalue() + capsys.readouterr().err
    assert "\x1b" not in told and "\x07" not in told and "\r" not in told
    assert not [line for line in told.splitlines() if line.startswith("2026-01-01")]


# -- S15 ---------------------------------------------------------------------------


def test_a_host_pattern_is_matched_whole() -> None:
    """S15's sort of mistake, here: a pattern that ends before a newline."""
    assert HOST["pattern"].startswith(r"\A") and HOST["pattern"].endswith(r"\Z")
    loose = [
        schema["pattern"]
        for schema in _with_pattern(list(_schemas()))
        if not schema["pattern"].endswith(r"\Z")
    ]
    assert loose == []


def _with_pattern(schema: typing.Any) -> typing.Iterator[typing.Any]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema
        for inner in schema.values():
            yield from _with_pattern(inner)
    elif isinstance(schema, list | tuple):
        for inner in schema:
            yield from _with_pattern(inner)


def test_no_message_names_a_class_or_carries_a_token() -> None:
    """S3, S24: what crosses the wire is declared, and no declared field is a token."""
    fields = {
        parameter.name
        for interface in (
            conductor.Conductor,
            guest.Guest,
            taskmanager.TaskManager,
        )
        for method in interface.methods().values()
        for parameter in method.parameters
    }
    assert not {name for name in fields if "token" in name or "class" in name}
