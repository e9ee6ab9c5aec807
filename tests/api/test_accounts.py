# SPDX-License-Identifier: Apache-2.0
"""Databases and users over HTTP: any name, any page, and a guest that says nothing."""

import typing
import urllib.parse

import pytest

from tests.api.test_lists import Counted
from tests.api.test_policy_matrix import BODIES
from tests.api.world import COPY, DEMO, World
from trove.api.resources import TABLE

NAMES = [
    "shop",
    "100%25",
    "100%",
    "%2525",
    "%40",
    "a/b",
    "a b",
    "a+b&c=d#e?f;g",
    "it's",
    'quo"te',
    "back`tick",
    "x'; DROP DATABASE shop; --",
    "ünï-✓",
    "..",
    "<b>&amp;",
    "u@%",
]
"""S5: each is a legal name of the engine's, and means something to somebody else."""


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_database_of_any_name(world: World, name: str, xml: bool) -> None:
    """S5: it is that name at the guest, in the list, in its own path, and then gone."""
    id = world.active()
    where = f"instances/{id}/databases"
    made = world.ask("POST", where, {"databases": [{"name": name}]}, xml=xml)
    assert made.status_int == 202, made.text
    assert world.desks.accounts[id].names == {name}
    assert world.ask("GET", where).json["databases"] == [{"name": name}]
    one = world.ask("GET", f"{where}/{_quoted(name)}")
    assert one.json == {"database": {"name": name}}
    assert world.ask("DELETE", f"{where}/{_quoted(name)}").status_int == 202
    assert world.desks.accounts[id].names == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_user_of_any_name(world: World, name: str) -> None:
    """S5: the path is ``name@host``, and the last @ is the one that parts them."""
    id = world.active()
    where = f"instances/{id}/users"
    body = {"users": [{"name": name, "password": "p'w\"%\\"}]}
    assert world.ask("POST", where, body).status_int == 202
    user = f"{where}/{_quoted(name + '@%')}"
    assert world.ask("GET", user).json["user"]["name"] == name
    changed = world.ask("PUT", user, {"user": {"password": "new"}})
    assert changed.status_int == 202
    assert world.desks.accounts[id].rows[name, "%"].password == "new"
    assert world.ask("DELETE", user).status_int == 202
    assert world.desks.accounts[id].rows == {}


def _follow(world: World, path: str, plural: str, once: bool) -> list[str]:
    """All pages: by the link, or by its marker as troveclient takes it out of it."""
    found: list[str] = []
    following = f"{path}?limit=1"
    for _ in range(99):
        answer = world.ask("GET", following).json
        found += [each["name"] for each in answer[plural]]
        assert answer.get("links") == answer.get(f"{plural}_links")
        if "links" not in answer:
            return found
        query = urllib.parse.urlsplit(answer["links"][0]["href"]).query
        if once:
            marker = dict(urllib.parse.parse_qsl(query))["marker"]
            query = f"limit=1&marker={marker}"
        following = f"{path}?{query}"
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("once", [False, True])
def test_a_marker_may_be_any_name(world: World, once: bool) -> None:
    """Who follows the links and who takes their markers both see every name once."""
    id = world.active()
    databases = [{"name": name} for name in NAMES]
    users = [{"name": name, "password": "p"} for name in NAMES]
    for plural, body in (("databases", databases), ("users", users)):
        path = f"instances/{id}/{plural}"
        assert world.ask("POST", path, {plural: body}).status_int == 202
        found = _follow(world, path, plural, once)
        assert sorted(found) == sorted(NAMES)


def test_a_users_marker_that_was_quoted_once_more(world: World) -> None:
    id = world.active()
    users = [{"name": name, "password": "p"} for name in ("a", "b")]
    world.ask("POST", f"instances/{id}/users", {"users": users})
    answer = world.ask("GET", f"instances/{id}/users?marker=a%2540%2525").json
    assert [user["name"] for user in answer["users"]] == ["b"]


@pytest.mark.parametrize("plural", ["databases", "users"])
def test_a_list_costs_the_same_however_long(world: World, plural: str) -> None:
    """Three statements and two questions to the guest, at the most."""
    world.services.settings = type(world.services.settings)(
        default_datastore="mariadb", page_sizes={plural: 500}
    )
    id, costs, there = world.active(), [], 0
    for count in (1, 20, 200):
        more = [{"name": f"n{n}", "password": "p"} for n in range(there, count)]
        world.ask("POST", f"instances/{id}/{plural}", {plural: more})
        there = count
        world.desks.asked.clear()
        with Counted(world) as counted:
            answer = world.ask("GET", f"instances/{id}/{plural}")
        assert len(answer.json[plural]) == count
        costs.append((counted.statements, len(world.desks.asked)))
    assert costs[0] == costs[1] == costs[2] <= (3, 2)


OURS = [
    ("GET", "root"),
    ("GET", "events"),
    ("GET", "backups"),
    ("GET", "archives"),
    ("GET", "backup_policy"),
    ("PUT", "backup_policy"),
    ("POST", "ssl"),
    ("GET", "modules"),
    ("POST", "modules"),
    ("DELETE", "{module}"),
]
"""What asks no guest while a user waits: it is read from the control database alone,
refused, or an operation."""


def _asking() -> list[typing.Any]:
    return [
        pytest.param(route, id=route.shown)
        for route in TABLE.routes
        if route.path.startswith("instances/{id}/") and not route.op.deeds
        if (route.op.method, route.path.rpartition("/")[2]) not in OURS
    ]


@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize("route", _asking())
def test_a_silent_guest_is_told_of(world: World, route: typing.Any, xml: bool) -> None:
    """A 503 in the envelope, in both formats, and nothing is changed."""
    id = world.furnished()
    world.desks.silent.add(id)
    path = route.path.format(id=id, name="shop", user="ann", copy=COPY)
    answer = world.ask(route.op.method, path, BODIES.get(route.op.rule), xml=xml)
    assert answer.status_int == 503, answer.text
    assert "serviceUnavailable" in answer.text
    assert f"The guest of instance {id} does not answer" in answer.text


@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize("route", _asking())
def test_an_engine_that_fails_is_told_of(
    world: World, route: typing.Any, xml: bool
) -> None:
    """A 503 as well: it is no fault of the service; but not in the engine's words."""
    id = world.furnished()
    world.desks.sick.add(id)
    path = route.path.format(id=id, name="shop", user="ann", copy=COPY)
    answer = world.ask(route.op.method, path, BODIES.get(route.op.rule), xml=xml)
    assert answer.status_int == 503, answer.text
    assert "serviceUnavailable" in answer.text
    assert "The database engine of the instance did not do this" in answer.text
    assert answer.headers["X-Openstack-Request-Id"] in answer.text
    assert "hunter2" not in answer.text


def test_without_a_broker_every_guest_is_silent(world: World) -> None:
    id = world.active()
    world.services._guests = None
    assert world.ask("GET", f"instances/{id}/users").status_int == 503


def test_a_refused_name_never_reaches_the_guest(world: World) -> None:
    """S5: what cannot be is refused here; the guest is not even asked."""
    id = world.active()
    for name in ("", "mysql", "MySQL", "x" * 65, "a\tb", "a\x1bb", "sys"):
        body = {"databases": [{"name": name}]}
        answer = world.ask("POST", f"instances/{id}/databases", body)
        assert answer.status_int == 400, name
    for name in ("", "root", "ROOT", "x" * 200, "a\nb"):
        body = {"users": [{"name": name, "password": "p"}]}
        assert world.ask("POST", f"instances/{id}/users", body).status_int == 400, name
    assert world.desks.asked == []


def test_who_changed_what_is_in_the_history_of_the_instance(world: World) -> None:
    id = world.furnished()
    for method, path, body in (
        ("POST", "databases", {"databases": [{"name": "new"}]}),
        ("POST", "users", {"users": [{"name": "bob", "password": "s3cret-word"}]}),
        ("PUT", "users/bob/databases", {"databases": [{"name": "new"}]}),
        ("PUT", "users/bob", {"user": {"password": "an0ther-word"}}),
        ("DELETE", "users/bob/databases/new", None),
        ("DELETE", "users/bob", None),
        ("DELETE", "databases/new", None),
    ):
        answer = world.ask(method, f"instances/{id}/{path}", body)
        assert answer.status_int == 202, answer.text
    refused = world.ask("DELETE", f"instances/{id}/databases/none")
    assert refused.status_int == 404
    answer = world.ask("GET", f"instances/{id}/events")
    told = {each["type"]: each.get("details") for each in answer.json["events"]}
    who = {"user": f"user-of-{DEMO}"}
    assert told["instance.databases_create"] == {"databases": ["new"], **who}
    assert told["instance.users_create"] == {"users": ["bob"], **who}
    assert told["instance.user_grant"]["of"] == "bob@%"
    assert told["instance.users_change"] == {"users": ["bob@%"], **who}
    assert told["instance.user_revoke"]["databases"] == ["new"]
    assert told["instance.user_delete"] == {"of": "bob@%", **who}
    assert told["instance.database_delete"] == {"database": "new", **who}
    assert "word" not in answer.text
