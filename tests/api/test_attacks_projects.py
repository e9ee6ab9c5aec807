# SPDX-License-Identifier: Apache-2.0
"""S7, S8, S9, S10: project A never sees or affects project B (INV-18)."""

import itertools
import json
import pathlib
import re
import time
import typing

import pytest
import sqlalchemy as sa

from tests.api.test_policy_matrix import BODIES
from tests.api.world import ADMINS, CALLERS, COPY, DEMO, MODULE, OTHER, World
from trove.api import policy
from trove.api.resources import TABLE
from trove.api.table import Route
from trove.db.session import Database
from trove.db.tables import Record

OWNED = (
    "recycled-instances",
    "instances",
    "configurations",
    "modules",
    "operations",
    "backups",
)
"""What ends as another does comes before it."""
GOLDEN = pathlib.Path(__file__).with_name("policy_matrix.json")


def _owned(route: Route) -> bool:
    """Whether its ``{id}`` belongs to a project."""
    return any(f"{kind}/{{id}}" in route.path for kind in OWNED)


def _of(route: Route) -> str:
    """What kind of thing its ``{id}`` is."""
    return next((kind for kind in OWNED if f"{kind}/{{id}}" in route.path), "")


def _made(world: World, route: Route, owner: str, **about: typing.Any) -> str:
    """What a route is about, of that project."""
    if _of(route) == "configurations":
        return world.group(owner)
    if _of(route) == "modules":
        return world.module(owner)
    if _of(route) == "backups":
        return world.backup(world.active(owner, **about), owner)
    if _of(route) == "operations":
        return world.operations(world.active(owner, **about))[0].id
    if _of(route) == "recycled-instances":
        return world.recycled(owner, **about)
    return world.furnished(owner, **about)


def _routes() -> list[tuple[Route, str]]:
    return [
        (route, rule) for route in TABLE.routes for rule, _ in policy.rules_of(route.op)
    ]


def _named(it: typing.Any) -> str | None:
    return it.shown if isinstance(it, Route) else None


def _rows(world: World) -> str:
    """Everything in the database, but what only says that somebody asked."""
    found = []
    with world.database.engine.connect() as connection:
        for table in sorted(Record.metadata.tables):
            rows = connection.execute(sa.text(f"SELECT * FROM {table}"))
            found += sorted(repr(tuple(row)) for row in rows)
    return "\n".join(found)


def _fill(world: World, route: Route, ids: dict[str, str]) -> str:
    literal = {"flavor": "1", "datastore": "mariadb"}
    known = {
        "id": literal.get(route.resource.name, "1"),
        "version": world.versions["mariadb-10.11"],
        "project": DEMO,
        "name": "max_connections" if "parameters" in route.path else "shop",
        "user": "ann",
        "instance": "i",
        "module": MODULE,
        "copy": COPY,
    }
    return route.path.format(**{**known, **ids})


@pytest.mark.parametrize(
    "route, rule",
    [
        pair
        for pair in _routes()
        if _owned(pair[0]) and not pair[0].path.startswith("mgmt")
    ],
    ids=_named,
)
def test_every_id_of_another_project_is_not_there(
    world: World, route: Route, rule: str
) -> None:
    """S7: each id of the path, own and foreign in every combination; and by name.

    A foreign thing is answered exactly as a thing that does not exist, and nothing of
    the owner's changes.
    """
    own = _made(world, route, "member")
    foreign = _made(world, route, "stranger", name="their-db")
    before = _rows(world)
    names = ["id"]  # what is below it belongs to whom it belongs to
    named = ("their-db",) if _of(route) == "instances" else ()
    for kinds in itertools.product((own, foreign, *named), repeat=len(names)):
        if all(kind == own for kind in kinds):
            continue
        ids = dict(zip(names, kinds, strict=True))
        path = _fill(world, route, ids)
        answer = world.ask(route.op.method, path, BODIES.get(rule))
        if rule == "instance:reset_status":
            assert answer.status_int == 403  # asked before the id is looked at
            continue
        assert answer.status_int == 404, (path, answer.text)
        never = _fill(world, route, dict.fromkeys(names, "0" * 36))
        nothing = world.ask(route.op.method, never, BODIES.get(rule))
        assert _plain(answer.text, ids) == _plain(nothing.text, {"id": "0" * 36})
    assert _rows(world) == before


def _plain(text: str, ids: dict[str, str]) -> str:
    for id in ids.values():
        text = text.replace(id, "ID")
    return re.sub(r"req-[0-9a-f-]+", "req", text)


@pytest.mark.parametrize("route, rule", _routes(), ids=_named)
def test_the_path_of_another_project_is_forbidden(
    world: World, route: Route, rule: str
) -> None:
    """S7: the project in the path is the token's, for an admin too."""
    theirs = _made(world, route, "stranger")
    path = _fill(world, route, {"id": theirs} if _owned(route) else {})
    for caller in ("member", "admin"):
        answer = world.ask(
            route.op.method,
            f"/v1.0/{OTHER}/{path}",
            BODIES.get(rule),
            caller=caller,
        )
        assert answer.status_int == 403, (caller, answer.text)


FILTERS = (
    "project_id",
    "tenant_id",
    "tenant",
    "project",
    "all_tenants",
    "all_projects",
    "deleted",
    "include_clustered",
    "name",
    "status",
    "marker",
    "id",
    "owner",
    "user_id",
    "is_admin",
    "limit",
    "q",
    "filter",
)


@pytest.mark.parametrize(
    "path", ["instances", "instances/detail", "limits", "operations"]
)
def test_no_filter_brings_another_projects_rows(world: World, path: str) -> None:
    """S8: a list is the same or smaller with any filter, and never another's."""
    mine = world.active()
    theirs = world.active("stranger", name="their-db")
    for name, value in itertools.product(
        FILTERS, (OTHER, ADMINS, "1", "true", "*", "%", theirs, "their-db", "", "null")
    ):
        query = f"{path}?{name}={value}&{name}={OTHER}"
        answer = world.ask("GET", query)
        assert answer.status_int in (200, 400, 404), (query, answer.text)
        assert theirs not in answer.text and "their-db" not in answer.text
        if answer.status_int == 200 and path.startswith("instances"):
            assert {row["id"] for row in answer.json["instances"]} <= {mine}


def test_a_body_cannot_say_whose_it_is(world: World) -> None:
    """S8: ``project_id`` and its like in a body move nothing elsewhere."""
    extra = dict.fromkeys(("project", "project_id", "tenant_id", "tenant", "id"), OTHER)
    made = world.created(**extra)
    assert made != OTHER
    assert world.ask("GET", "instances", caller="stranger").json["instances"] == []
    usage = world.ask("GET", f"mgmt/quotas/{OTHER}", caller="stranger").json["quotas"]
    assert {row["in_use"] + row["reserved"] for row in usage} == {0}


# -- S9 ----------------------------------------------------------------------------

WHO = ("reader", "member", "manager", "admin", "service", "roleless", "nobody")


def _matrix(world: World) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    known: dict[tuple[str, str, str], str] = {}
    for route, rule in _routes():
        cells = {}
        for who, whose in itertools.product(WHO, ("own", "foreign")):
            project = (CALLERS[who] or (DEMO, ""))[0]
            owner = {DEMO: "member", ADMINS: "admin"}[project]
            owner = owner if whose == "own" else "stranger"
            ids = {"project": project if whose == "own" else OTHER}
            if _owned(route):
                at = (owner, route.op.method, _of(route))
                if route.op.method != "GET" or at not in known:
                    known[at] = _made(world, route, owner)
                ids["id"] = known[at]
            path = _fill(world, route, ids)
            answer = world.ask(route.op.method, path, BODIES.get(rule), caller=who)
            cells[f"{who} {whose}"] = str(answer.status_int)
        found[f"{route.shown} {rule}"] = cells
    return found


def test_the_matrix_of_callers_and_routes_is_the_golden_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S9: route x caller x own or foreign; a change is a change of this file.

    ``service`` is a caller with the role ``service`` alone: it may nothing here. A
    ``manager`` is in Keystone a member with one role more, and may what a member may.
    """
    monkeypatch.setitem(CALLERS, "service", (DEMO, "service"))
    monkeypatch.setitem(CALLERS, "manager", (DEMO, "manager,member,reader"))
    moment = time.time()  # it stands still: on a busy machine reports would grow old
    database = Database("sqlite://", clock=lambda: moment)
    Record.metadata.create_all(database.engine)
    world = World(tmp_path, database=database, quotas={})
    world.clock = moment
    found = _matrix(world)
    world.close()
    for cells in found.values():
        for whose in ("own", "foreign"):
            may = {cells[f"{who} {whose}"] != "403" for who in ("manager", "member")}
            assert len(may) == 1
    assert found == json.loads(GOLDEN.read_text()), json.dumps(found, indent=1)


def test_every_route_asks_a_rule_that_is_registered() -> None:
    """S9: no op without a rule, no rule without a default."""
    registered = {rule.name for rule in policy.list_rules()}
    for route, rule in _routes():
        assert rule and rule in registered, route.shown
    assert all(policy.rules_of(route.op) for route in TABLE.routes)
