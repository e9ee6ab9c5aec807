# SPDX-License-Identifier: Apache-2.0
"""S1, S23, S24: a secret goes to the one it is for, and nowhere else."""

import json
import logging
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import World
from trove.db.tables import Operation, Record

CANARY = "canary-7f3a-Zq9-never-to-be-seen"
TOKEN = "canary-token-51c2-of-the-caller"

USER = {"name": "u", "password": CANARY, "databases": [{"name": "d"}]}
GOOD = {
    "name": "a",
    "flavorRef": "1",
    "volume": {"size": 1},
    "databases": [{"name": "d"}],
    "users": [USER],
}

BODIES: list[typing.Any] = [
    {"instance": GOOD},
    {"instance": {**GOOD, "flavorRef": "no-such"}},
    {"instance": {**GOOD, "datastore": {"type": "no-such"}}},
    {"instance": {**GOOD, "volume": {"size": 0}}},
    {"instance": {**GOOD, "volume": {"size": 100000}}},
    {"instance": {**GOOD, "users": [USER, USER]}},
    {"instance": {**GOOD, "users": [{**USER, "databases": [{"name": "other"}]}]}},
    {"instance": {**GOOD, "users": [{**USER, "name": "root"}]}},
    {"instance": {**GOOD, "users": [{**USER, "name": 7}]}},
    {"instance": {**GOOD, "users": [{**USER, "password": CANARY * 40}]}},
    {"instance": {**GOOD, "users": [{"name": "u", CANARY: 1}, USER]}},
    {"instance": {**GOOD, "users": CANARY}},
    {"instance": {**GOOD, "users": [{**USER, "host": "bad host"}]}},
    {"instance": {"users": [USER]}},
    {"restart": {"users": [USER]}},
    {"instances": [GOOD]},
]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every line of every logger, the chattiest."""
    caplog.set_level(logging.DEBUG)
    return caplog


def _ask(world: World, *words: typing.Any, **about: typing.Any) -> typing.Any:
    return world.ask(*words, headers={"X-Auth-Token": TOKEN}, **about)


@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
def test_a_password_is_in_no_log_no_answer_no_list_and_no_column(
    world: World, said: pytest.LogCaptureFixture, xml: bool
) -> None:
    """S1, INV-17: whatever becomes of the request that brought it."""
    seen = []
    for body in BODIES:
        if xml and f'"{CANARY}": ' in json.dumps(body):
            continue  # no name of an element
        seen.append(_ask(world, "POST", "instances", body, xml=xml).text)
    broken = json.dumps(BODIES[0])[:-3].encode()
    for kind in ("application/json", "application/xml", "text/plain"):
        answer = _ask(world, "POST", "instances", data=broken, content_type=kind)
        seen.append(answer.text)
    seen.append(_ask(world, "POST", "instances/x/action", BODIES[0], xml=xml).text)
    for path in ("instances", "instances/detail", "limits"):
        seen.append(_ask(world, "GET", path, xml=xml).text)
    told = _told(said)
    assert [text for text in seen if CANARY in text] == []
    assert CANARY not in told and TOKEN not in told
    dump = _dump(world)
    assert CANARY not in dump and TOKEN not in dump


def test_a_password_is_sealed_until_the_work_ends_and_wiped_then(world: World) -> None:
    """S1: at rest it is a box that only the deployment's key opens."""
    made = world.ask("POST", "instances", {"instance": GOOD}).json["instance"]["id"]
    with world.database.reading() as tx:
        (opened,) = tx.scalars(sa.select(Operation.input)).all()
    assert opened["users"][0]["password"] == CANARY
    assert CANARY not in _dump(world)
    world.finish(made)
    with world.database.reading() as tx:
        assert tx.scalars(sa.select(Operation.input)).all() == [None]


def test_the_bells_message_is_an_id(world: World) -> None:
    """S1: what is sent to a taskmanager names the work and holds none of it."""
    world.ask("POST", "instances", {"instance": GOOD})
    assert CANARY not in "".join(world.rung)
    assert world.rung == [operation.id for operation in _operations(world)]


def test_nothing_of_the_caller_but_who_it_is_stays(world: World) -> None:
    """S24: no user token is stored; the work runs as the service, decided at accept."""
    _ask(world, "POST", "instances", {"instance": GOOD})
    columns = {
        column.name for table in Record.metadata.tables.values() for column in table.c
    }
    secret = {name for name in columns if "trust" in name or name.endswith("token")}
    assert secret == {"client_token"}  # the Idempotency-Key
    (operation,) = _operations(world)
    assert TOKEN not in json.dumps(operation.input)
    assert operation.client_token is None
    assert TOKEN not in _dump(world)


def test_the_password_of_root_is_told_once_and_kept_nowhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """S23: to who asked, no-store; not in a row, a log, or readable in a message."""
    caplog.set_level(logging.DEBUG)
    id = world.active()
    mine = world.ask("POST", f"instances/{id}/root")
    given = world.ask("POST", f"instances/{id}/root", {"password": CANARY})
    secrets = [answer.json["user"]["password"] for answer in (mine, given)]
    assert secrets[1] == CANARY and len(secrets[0]) >= 24
    assert world.desks.accounts[id].root == CANARY
    for answer in (mine, given):
        assert answer.headers["Cache-Control"] == "no-store"
    later = [
        world.ask("GET", path, caller=caller).text
        for path, caller in (
            (f"instances/{id}/root", "member"),
            (f"instances/{id}", "member"),
            (f"instances/{id}/users", "member"),
            (f"mgmt/instances/{id}/root", "admin"),
        )
    ]
    everywhere = [_dump(world), _told(caplog), json.dumps(world.desks.said), *later]
    assert not [s for s in secrets for text in everywhere if s in text]
    events = [row for row in _dump(world).split("\n") if "instance.root_enable" in row]
    # an event each, and the row that was written before its guest was asked
    assert len(events) == 4 and all("user-of-demo0000" in row for row in events)


@pytest.mark.parametrize("xml", [False, True])
def test_passwords_of_users_leave_sealed_for_the_guest(
    world: World, caplog: pytest.LogCaptureFixture, xml: bool
) -> None:
    """S1: neither the database, nor a log, nor the wire to a taskmanager has them."""
    caplog.set_level(logging.DEBUG)
    id = world.active()
    answers = [
        world.ask(method, f"instances/{id}/{path}", body, xml=xml)
        for method, path, body in (
            ("POST", "users", {"users": [{"name": "u", "password": CANARY}]}),
            ("PUT", "users", {"users": [{"name": "u", "password": CANARY + "2"}]}),
            ("PUT", "users/u", {"user": {"password": CANARY + "3"}}),
            ("POST", "users", {"users": [{"name": "u", "password": CANARY}]}),
            ("PUT", "users/none", {"user": {"password": CANARY}}),
        )
    ]
    assert [answer.status_int for answer in answers] == [202, 202, 202, 400, 404]
    assert world.desks.accounts[id].rows["u", "%"].password == CANARY + "3"
    said = json.dumps(world.desks.said)
    assert CANARY not in _dump(world) + _told(caplog) + said
    assert not [answer for answer in answers if CANARY in answer.text]


def _operations(world: World) -> list[Operation]:
    with world.database.reading() as tx:
        return list(tx.scalars(sa.select(Operation)))


def _told(said: pytest.LogCaptureFixture) -> str:
    lines = []
    for record in said.records:
        lines.append(record.getMessage())
        lines.append(repr(record.__dict__))
    return "\n".join(lines) + said.text


def _dump(world: World) -> str:
    """Every cell of every table, as it lies there."""
    rows = []
    with world.database.engine.connect() as connection:
        for table in Record.metadata.tables:
            rows += [
                repr(tuple(row))
                for row in connection.execute(sa.text(f"SELECT * FROM {table}"))
            ]
    return "\n".join(rows)
