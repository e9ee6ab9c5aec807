# SPDX-License-Identifier: Apache-2.0
"""Every list that is declared costs the same, however much there is (no N+1)."""

import contextlib
import pathlib
import typing
from collections.abc import Iterator

import sqlalchemy as sa

from tests.api.test_attacks_projects import _fill, _routes
from tests.api.world import World
from trove.datastores import protocol as engines

COUNTS = (1, 20, 200)
PAGES = dict.fromkeys(
    ("instances", "configurations", "databases", "users", "modules", "backups"), 1000
)
MOST = 6
"""Statements of the dearest list."""
GROWING = {
    "GET instances": "instances",
    "GET instances/detail": "instances",
    "GET instances/{id}/databases": "databases",
    "GET instances/{id}/users": "users",
    "GET mgmt/instances": "instances",
    "GET recycled-instances": "recycled",
    "GET configurations": "configurations",
    "GET modules": "modules",
    "GET backups": "backups",
    "GET instances/{id}/backups": "backups",
    "GET backup_strategies": "strategies",
    "GET modules/{id}/instances": "instances",
    "GET instances/{id}/modules": "modules",
    "GET configurations/{id}/instances": "instances",
    "GET datastores/{id}/versions": "versions",
    "GET mgmt/datastore-versions": "versions",
    "GET operations": "operations",
    "GET instances/{id}/events": "events",
}
"""Those that the world below makes longer; another must only not get dearer."""


class Crowd:
    """A world with as many of everything as is asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = {"id": ""}
        self.group = world.group(max_connections=50)
        self.module = world.module()
        self.there = 0

    def grow(self, count: int) -> None:
        """Instances with the group, groups, versions, operations, events, accounts."""
        world = self.world
        image = {"image_tags": ["guest"], "active": True}
        for n in range(self.there, count):
            module = {"id": self.module}
            id = world.created(
                name=f"db{n}", configuration=self.group, modules=[module]
            )
            world.finish(id)
            self.ids["id"] = self.ids["id"] or id
            if n:
                self.another_module()
            world.backup(self.ids["id"], incremental=n % 2)
            world.recycled(modules=[module])
            strategy = {"swift_container": "c", "instance_id": id}
            said = world.ask("POST", "backup_strategies", {"backup_strategy": strategy})
            assert said.status_int == 202, said.text
            self.event(n)
            if n:
                world.group(max_connections=50 + n)
            about = {"datastore_name": "mariadb", "datastore_manager": "mariadb"}
            body = {"version": {**about, **image, "name": f"v{n}", "version": f"1.{n}"}}
            made = world.ask("POST", "mgmt/datastore-versions", body, caller="admin")
            assert made.status_int == 202, made.text
        for n in range(count):  # the guest of the memory begins anew with each restart
            self.account(n)
        self.there = count

    def another_module(self) -> None:
        """Of the first instance."""
        id = self.ids["id"]
        body = {"modules": [{"id": self.world.module()}]}
        answer = self.world.ask("POST", f"instances/{id}/modules", body)
        assert answer.status_int == 200, answer.text
        self.world.finish(id)

    def account(self, n: int) -> None:
        accounts = self.world.desks.accounts[self.ids["id"]]
        accounts.create_databases([engines.Database(f"d{n:03}")])
        user = engines.Account(f"u{n:03}", "%", (f"d{n:03}",), "p")
        accounts.create_accounts([user])

    def event(self, n: int) -> None:
        path = f"instances/{self.ids['id']}"
        renamed = self.world.ask("PATCH", path, {"instance": {"name": f"n{n}"}})
        assert renamed.status_int == 202, renamed.text
        restarted = self.world.ask("POST", f"{path}/action", {"restart": {}})
        assert restarted.status_int == 202, restarted.text
        self.world.finish(self.ids["id"])

    def ids_of(self, path: str) -> dict[str, str]:
        if path.startswith("configurations"):
            return {"id": self.group}
        if path.startswith("modules"):
            return {"id": self.module}
        if path.startswith("instances"):
            return {**self.ids, "user": "u000"}
        return {"id": "mariadb"}


@contextlib.contextmanager
def counted(world: World) -> Iterator[dict[str, int]]:
    """The statements of the database, and the calls to the cloud, in the block."""
    found = {"statements": 0, "calls": 0}

    def statement(*about: typing.Any) -> None:
        found["statements"] += 1

    def call(*about: typing.Any, **named: typing.Any) -> None:
        found["calls"] += 1

    engine, before = world.database.engine, world.cloud.before
    sa.event.listen(engine, "before_cursor_execute", statement)
    world.cloud.before = call
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", statement)
        world.cloud.before = before


def _items(answer: typing.Any) -> int:
    (rows,) = (value for key, value in answer.items() if not key.endswith("links"))
    return len(rows)


def test_every_list_costs_the_same_however_much_there_is(
    tmp_path: pathlib.Path,
) -> None:
    world = World(tmp_path, page_sizes=PAGES, quotas={})
    crowd = Crowd(world)
    lists = [
        route for route, _ in _routes() if route.op.many and route.op.method == "GET"
    ]
    costs: dict[str, list[tuple[int, int]]] = {}
    lengths: dict[str, list[int]] = {}
    for count in COUNTS:
        crowd.grow(count)
        for route in lists:
            path = _fill(world, route, crowd.ids_of(route.path))
            caller = "admin" if route.path.startswith("mgmt") else "member"
            world.ask("GET", path, caller=caller)  # flavors, policies: once a while
            with counted(world) as found:
                answer = world.ask("GET", path, caller=caller)
            assert answer.status_int == 200, (path, answer.text)
            name = f"GET {route.path}"
            costs.setdefault(name, []).append((found["statements"], found["calls"]))
            lengths.setdefault(name, []).append(_items(answer.json))
    world.close()
    assert {name: cost for name, cost in costs.items() if len(set(cost)) > 1} == {}
    assert {name: cost for name, cost in costs.items() if cost[0][0] > MOST} == {}
    for name in GROWING:
        one, some, many = lengths[name]
        assert one < some < many, (name, lengths[name])
