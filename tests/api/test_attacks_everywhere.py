# SPDX-License-Identifier: Apache-2.0
"""S7, S8, S17, S18, S19 on every route there is: a new one is attacked by itself."""

import copy
import gc
import json
import pathlib
import sys
import tempfile
import time
import typing
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.api.test_attacks_projects import _fill, _made, _of, _owned
from tests.api.test_hostile import BOMB
from tests.api.test_policy_matrix import BODIES
from tests.api.world import OTHER, World
from tests.covered.units import UNITS, Unit
from trove.api.resource import ADMIN
from trove.datastores import protocol as engines
from trove.db.tables import Backup, Configuration, Instance, Module

Any = typing.Any

LISTS = [
    unit.name
    for unit in UNITS.values()
    if unit.route.op.many and unit.route.op.method == "GET"
]
LOOKS = [
    unit.name
    for unit in UNITS.values()
    if unit.route.op.view and unit.route.op.method == "GET"
]
SENDS = [unit.name for unit in UNITS.values() if unit.sends]


@pytest.fixture(scope="module")
def lasting() -> Iterator[World]:
    """One world for requests that are refused."""
    with tempfile.TemporaryDirectory() as directory:
        made = World(pathlib.Path(directory), quotas={})
        yield made
        made.close()


def _caller(unit: Unit) -> str:
    who = unit.action.who if unit.action else unit.route.op.who
    return "admin" if who == ADMIN else "member"


def _body(unit: Unit) -> Any:
    rule = unit.action.rule if unit.action else unit.route.op.rule
    body = copy.deepcopy(BODIES.get(rule, {unit.key: {}}))
    return body if not unit.key or unit.key in body else {unit.key: {}}


# -- S7 ------------------------------------------------------------------------------


def test_what_a_body_names_is_the_callers_own(world: World) -> None:
    """S7: a foreign id in a body, or below one's own, is as one that nothing has."""
    mine = world.active()
    theirs = world.active("stranger")
    group, module = world.group("stranger"), world.module("stranger")
    backup = world.backup(theirs, "stranger")
    path = f"instances/{mine}"

    def ordered(**about: Any) -> Any:
        order = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
        return {"instance": {**order, **about}}

    def saved(**about: Any) -> Any:
        return {"backup": {"name": "b", **about}}

    def kept(**about: Any) -> Any:
        return {"backup_strategy": {"swift_container": "c", **about}}

    for method, where, made in (
        ("POST", "instances", lambda id: ordered(configuration=id)),
        (
            "POST",
            "instances",
            lambda id: ordered(modules=[{"id": id}]),
        ),
        ("POST", "instances", lambda id: ordered(replica_of=id)),
        ("POST", "instances", lambda id: ordered(restorePoint={"backupRef": id})),
        ("POST", "backups", lambda id: saved(instance=id)),
        ("POST", "backups", lambda id: saved(instance=mine, parent_id=id)),
        ("POST", "backup_strategies", lambda id: kept(instance_id=id)),
        ("DELETE", "backups/%s", None),
        ("GET", "backups?instance_id=%s", None),
        ("GET", "backups?project_id=%s", None),
        ("GET", "backup_strategies?project_id=%s", None),
        ("PUT", path, lambda id: {"instance": {"configuration": id}}),
        ("PATCH", path, lambda id: {"instance": {"configuration": id}}),
        ("POST", f"{path}/modules", lambda id: {"modules": [{"id": id}]}),
        ("DELETE", f"{path}/modules/%s", None),
        ("GET", "operations?instance_id=%s", None),
        ("GET", "mgmt/instances?project_id=%s", None),
    ):
        for foreign in (theirs, group, module, backup):
            nobody = "00000000-0000-4000-8000-000000000000"
            told = [
                world.ask(method, where.replace("%s", id), made(id) if made else None)
                for id in (foreign, nobody)
            ]
            texts = [a.text.replace(foreign, "ID").replace(nobody, "ID") for a in told]
            assert told[0].status_int == told[1].status_int, (where, texts)
            assert texts[0] == texts[1]
            assert told[0].status_int != 202
    assert len(world.operations(mine)) == 1, "nothing was begun"


# -- S8 ------------------------------------------------------------------------------

FILTERS = (
    *("project_id", "tenant_id", "tenant", "all_tenants", "all_projects", "deleted"),
    *("instance_id", "datastore", "include_clustered", "count_only", "from_guest"),
    *("marker", "id", "name", "owner", "is_admin", "include_contents", "q"),
)


@pytest.mark.parametrize("name", LISTS)
def test_no_filter_makes_a_list_longer(world: World, name: str) -> None:
    """S8: with any parameter it is the same, smaller or refused; never another's."""
    unit = UNITS[name]
    if _caller(unit) == "admin":
        assert world.ask("GET", _fill(world, unit.route, {"id": "i"})).status_int == 403
        return
    theirs = {
        "instances": world.furnished("stranger", name="their-db"),
        "configurations": world.group("stranger"),
        "modules": world.module("stranger"),
    }
    theirs["backups"] = world.backup(theirs["instances"], "stranger")
    theirs["operations"] = world.operations(theirs["instances"])[0].id
    ids = {"id": _made(world, unit.route, "member")} if _owned(unit.route) else {}
    path = _fill(world, unit.route, {"id": "mariadb", **ids})
    plain = world.ask("GET", path)
    assert plain.status_int == 200, plain.text
    had = {json.dumps(row, sort_keys=True) for row in _rows(plain.json)}
    values = (OTHER, "true", theirs.get(_of(unit.route), "their-db"))
    for filter in FILTERS:
        for value in values:
            answer = world.ask("GET", f"{path}?{filter}={value}&{filter}={value}")
            assert answer.status_int in (200, 400, 403, 404), answer.text
            for id in (*theirs.values(), "their-db"):
                said = answer.text.replace(value, "") if id == value else answer.text
                assert id not in said, (filter, value)
            if answer.status_int == 200 and filter not in ("count_only", "from_guest"):
                rows = _rows(answer.json)
                assert len(rows) <= len(had)
                if filter != "include_contents":
                    assert {json.dumps(row, sort_keys=True) for row in rows} <= had


def _rows(answer: Any) -> list[Any]:
    (rows,) = (value for key, value in answer.items() if not key.endswith("links"))
    return typing.cast(list[Any], rows)


# -- S17 -----------------------------------------------------------------------------

ADDRESSES = ("http://0x7f000001:1/1", "file:///etc/1")


def _leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*way, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, (*way, at))
    else:
        yield way


def _put(body: Any, way: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(body)
    at = made
    for step in way[:-1]:
        at = at[step]
    at[way[-1]] = value
    return made


CONNECTED: list[Any] = []
LISTENING = [False]


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if LISTENING[0] and event in ("socket.connect", "socket.getaddrinfo", "open"):
        if event != "open" or str(arguments[0]).startswith("/etc/1"):
            CONNECTED.append((event, arguments))


sys.addaudithook(_hook)


@pytest.mark.parametrize("name", SENDS)
def test_no_value_of_any_body_is_fetched(world: World, name: str) -> None:
    """S17: an address in each place where a request has a value: nobody goes there."""
    unit = UNITS[name]
    ids = {"id": _made(world, unit.route, "member")} if _owned(unit.route) else {}
    path, body = _fill(world, unit.route, ids), _body(unit)
    CONNECTED.clear()
    for way in _leaves(body):
        for address in ADDRESSES:
            LISTENING[0] = True
            answer = world.ask(
                unit.route.op.method,
                path,
                _put(body, way, address) if way else body,
                caller=_caller(unit),
            )
            LISTENING[0] = False
            assert answer.status_int < 500 or answer.status_int == 501, answer.text
    assert CONNECTED == []


# -- S18 -----------------------------------------------------------------------------

_N = 20_000
BOMBS = {
    "deep JSON": ("json", "[" * _N),
    "deep and closed JSON": ("json", '{"a":' * _N + "1" + "}" * _N),
    "deep XML": ("xml", "<a>" * _N),
    "deep and closed XML": ("xml", "<a>" * _N + "</a>" * _N),
    "a billion laughs": ("xml", BOMB),
    "a file": ("xml", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/1">]><a>&b;</a>'),
}


@pytest.mark.parametrize("name", SENDS)
def test_a_bomb_is_refused_by_every_route(lasting: World, name: str) -> None:
    """S18: 400 in the envelope, before anything is looked for; in bounded time."""
    unit = UNITS[name]
    path = _fill(lasting, unit.route, {"id": "no-such-thing"})
    gc.collect()  # what the tests before left is none of its time
    for what, (kind, text) in BOMBS.items():
        began = time.process_time()
        answer = lasting.ask(
            unit.route.op.method,
            path,
            data=text.encode(),
            content_type=f"application/{kind}",
            caller=_caller(unit),
        )
        assert answer.status_int == 400, (what, answer.text)
        assert list(answer.json) == ["badRequest"] and len(answer.body) < 2000
        assert time.process_time() - began < 5


# -- S19 -----------------------------------------------------------------------------

SAID = "<script>alert(1)</script>\r\nX-Forged: 1\x1b[2J\x1b]0;owned\x07 &amp; ]]>"
WRITTEN = "<script>alert(1)</script> &amp; ]]> \u202e"
"""The same without what no name may have."""


def _spoilt(world: World) -> dict[str, str]:
    """A world in which everything that holds a text holds this one."""
    id = world.furnished()
    group, module = world.group(), world.module()
    body = {"modules": [{"id": module}]}
    assert world.ask("POST", f"instances/{id}/modules", body).status_int == 200
    world.finish(id)
    world.applied(id, module, SAID)
    backup, gone = world.backup(id), world.recycled()
    accounts = world.desks.accounts[id]
    accounts.create_databases([engines.Database(WRITTEN)])
    accounts.create_accounts([engines.Account(WRITTEN, "%", (WRITTEN,), "p")])
    with world.database.transaction() as tx:
        for table, names in (
            (Instance, ("name", "fault")),
            (Configuration, ("name", "description")),
            (Module, ("name", "description")),
            (Backup, ("name", "description", "location", "fault", "verify_fault")),
        ):
            tx.execute(sa.update(table).values(dict.fromkeys(names, SAID)))
    world.change(id, fault_at=world.clock)
    return {
        "instances": id,
        "configurations": group,
        "modules": module,
        "backups": backup,
        "recycled-instances": gone,
        "operations": world.operations(id)[0].id,
    }


def test_no_view_lets_a_text_be_more_than_text(world: World) -> None:
    """S19: of every route that shows something, in both languages."""
    ids = _spoilt(world)
    shown = set()
    for name in LOOKS:
        unit = UNITS[name]
        own = {"id": ids[_of(unit.route)]} if _owned(unit.route) else {}
        for xml in (False, True):
            path = _fill(world, unit.route, own)
            answer = world.ask("GET", path, caller=_caller(unit), xml=xml)
            assert answer.status_int < 500, (path, answer.text)
            raw = [byte for byte in answer.body if byte < 32 and byte not in b"\t\n"]
            assert raw == [], path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "X-Forged" not in answer.headers
            if xml:
                assert b"<script" not in answer.body and b"]]>" not in answer.body
            if b"alert(1)" in answer.body:
                shown.add(name)
    assert {
        "GET instances",
        "GET instances/{id}",
        "GET instances/{id}/databases",
        "GET instances/{id}/users",
        "GET instances/{id}/modules",
        "GET configurations",
        "GET configurations/{id}",
        "GET modules/{id}",
        "GET modules/{id}/instances",
        "GET backups",
        "GET backups/{id}",
        "GET recycled-instances",
        "GET recycled-instances/{id}",
        "GET mgmt/instances",
    } <= shown
