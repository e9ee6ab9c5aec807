# SPDX-License-Identifier: Apache-2.0
"""Lists: their pages, their links, and what they cost."""

import typing
import urllib.parse

import pytest
import sqlalchemy as sa

from tests.api.world import World


def test_pages_lead_through_everything_once(world: World) -> None:
    made = {world.created(name=f"db{n}") for n in range(5)}
    found: list[str] = []
    path = "instances?limit=2&include_clustered=False"
    pages = 0
    while path:
        answer = world.ask("GET", path).json
        found += [each["id"] for each in answer["instances"]]
        pages += 1
        links = answer.get("links")
        assert links == answer.get("instances_links")
        if links is None:
            break
        assert [link["rel"] for link in links] == ["next"]
        href = urllib.parse.urlsplit(links[0]["href"])
        assert href.path == "/v1.0/demo0000/instances"
        query = dict(urllib.parse.parse_qsl(href.query))
        assert query["limit"] == "2" and query["include_clustered"] == "False"
        path = f"instances?{href.query}"
    assert pages == 3
    assert sorted(found) == sorted(made)


def test_a_page_is_bounded_by_the_operator(world: World) -> None:
    world.services.settings = type(world.services.settings)(
        default_datastore="mariadb", page_sizes={"instances": 2}
    )
    for n in range(3):
        world.created(name=f"db{n}")
    answer = world.ask("GET", "instances?limit=1000").json
    assert len(answer["instances"]) == 2
    assert "links" in answer


def test_a_page_is_newest_first(world: World) -> None:
    names = []
    for n in range(4):
        world.clock += 60
        world.created(name=f"db{n}")
        names.append(f"db{n}")
    shown = world.ask("GET", "instances").json["instances"]
    assert [each["name"] for each in shown] == names[::-1]


def test_links_begin_with_the_public_endpoint(world: World) -> None:
    world.services.settings = type(world.services.settings)(
        public_endpoint="https://db.example.org/"
    )
    links = world.ask("GET", "flavors/1").json["flavor"]["links"]
    assert links[0]["href"] == "https://db.example.org/v1.0/demo0000/flavors/1"
    assert links[1]["href"] == "https://db.example.org/flavors/1"


def test_head_is_get_without_the_body(world: World) -> None:
    id = world.active()
    whole = world.ask("GET", f"instances/{id}")
    head = world.ask("HEAD", f"instances/{id}")
    assert head.status_int == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]


@pytest.mark.parametrize("path", ["instances", "instances/detail"])
def test_a_list_costs_the_same_however_long(world: World, path: str) -> None:
    world.services.settings = type(world.services.settings)(
        default_datastore="mariadb", page_sizes={"instances": 200}, quotas={}
    )
    costs = []
    there = 0
    for count in (1, 20, 100):
        while there < count:
            world.finish(world.created(name=f"db{there}"))
            there += 1
        with Counted(world) as counted:
            answer = world.ask("GET", path)
        assert len(answer.json["instances"]) == count
        costs.append(counted.statements)
    assert costs[0] == costs[1] == costs[2] <= 3


def test_looking_asks_no_cloud_and_no_guest(world: World) -> None:
    id = world.active()
    asked: list[typing.Any] = []
    world.cloud.before = lambda *call, **about: asked.append(call)
    assert world.ask("GET", f"instances/{id}").status_int == 200
    assert world.ask("GET", "instances/detail").status_int == 200
    assert asked == []


def test_flavors_are_asked_for_once_a_minute(world: World) -> None:
    asked: list[typing.Any] = []
    world.cloud.before = lambda *call, **about: asked.append(call)
    for _ in range(5):
        assert world.ask("GET", "flavors").status_int == 200
    assert len(asked) == 1


class Counted:
    """How many statements the database was asked to carry out."""

    def __init__(self, world: World) -> None:
        self._engine = world.database.engine
        self.statements = 0

    def _count(self, *about: typing.Any) -> None:
        self.statements += 1

    def __enter__(self) -> "Counted":
        sa.event.listen(self._engine, "before_cursor_execute", self._count)
        return self

    def __exit__(self, *about: typing.Any) -> None:
        sa.event.remove(self._engine, "before_cursor_execute", self._count)
