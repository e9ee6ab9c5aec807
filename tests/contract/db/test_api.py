# SPDX-License-Identifier: Apache-2.0
"""The API on the databases of production: races are lost politely, text is text."""

import concurrent.futures
import typing
import urllib.parse

import pytest

from tests.api.world import DEMO, World
from trove.db.queries import datastores, quotas, tokens
from trove.db.session import Database
from trove.db.tables import Instance
from trove.model import operations
from trove.model.states import Task

CREATE = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}

TEXTS = ["a'\"\\`%_;--", "ünï ☃ 😀", "a" * 255, "a\u202eb", "0", "NULL a"]


@pytest.fixture
def world(server: Database, tmp_path: typing.Any) -> World:
    return World(tmp_path, database=server, quotas={"instances": 50})


def at_once(count: int, work: typing.Callable[[int], int]) -> list[int]:
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_twins_with_one_key(world: World) -> None:
    def one(_: int) -> int:
        answer = world.ask(
            "POST",
            "instances",
            {"instance": CREATE},
            headers={"Idempotency-Key": "k"},
        )
        return answer.status_int

    assert at_once(6, one) == [200] * 6
    assert len(world.ask("GET", "instances").json["instances"]) == 1
    with world.database.reading() as tx:
        rows = quotas.rows(tx, DEMO, {})
    assert rows[0]["reserved"] == 1


def test_twins_of_what_is_no_operation(world: World) -> None:
    """One group, and the same answer to all; twins of another body are told so."""
    body = {"configuration": {"name": "fast", "values": {}}}
    other = {"configuration": {"name": "slow", "values": {}}}
    found = set()

    def one(number: int) -> int:
        answer = world.ask(
            "POST",
            "configurations",
            other if number == 5 else body,
            headers={"Idempotency-Key": "k"},
        )
        if answer.status_int == 200:
            found.add(answer.json["configuration"]["id"])
        return answer.status_int

    assert sorted(at_once(6, one)) in ([200] * 5 + [409], [200] + [409] * 5)
    assert len(found) == 1
    assert len(world.ask("GET", "configurations").json["configurations"]) == 1


def test_twins_of_a_change_in_a_guest(world: World) -> None:
    """The guest does it once; who comes while it is asked is told to come again."""
    id = world.active()
    world.clock = _now(world)
    world.finish(id)
    body = {"databases": [{"name": "shop"}]}

    def one(_: int) -> int:
        path, key = f"instances/{id}/databases", {"Idempotency-Key": "k"}
        return world.ask("POST", path, body, headers=key).status_int

    answers = at_once(6, one)
    assert 202 in answers and set(answers) <= {202, 503}
    assert world.desks.asked == ["create_databases"]
    assert one(0) == 202
    events = world.ask("GET", f"instances/{id}/events").json["events"]
    kinds = [each["type"] for each in events]
    assert kinds.count("instance.databases_create") == 1


@pytest.mark.parametrize("state", ["building", "active"])
def test_deletes_at_once(world: World, state: str) -> None:
    id = world.created() if state == "building" else world.active()
    answers = at_once(6, lambda _: world.ask("DELETE", f"instances/{id}").status_int)
    assert answers == [202] * 6
    kinds = [each.kind for each in world.operations(id)]
    assert kinds.count(operations.DELETE) == 1


def test_a_version_goes_while_instances_are_made_of_it(world: World) -> None:
    """Either the version stays, or no instance has it."""
    for number in range(8):
        name = f"v{number}"
        version = {
            "name": name,
            "datastore_name": "mariadb",
            "datastore_manager": "mariadb",
            "active": True,
            "image_tags": ["trove", "guest"],
        }
        made = world.ask(
            "POST", "mgmt/datastore-versions", {"version": version}, caller="admin"
        )
        assert made.status_int == 202, made.text
        id = _version(world, name)
        datastore = {"type": "mariadb", "version": name}

        def one(at: int, id: str = id, datastore: typing.Any = datastore) -> int:
            if at == 1:
                path = f"mgmt/datastore-versions/{id}"
                return world.ask("DELETE", path, caller="admin").status_int
            body = {"instance": {**CREATE, "datastore": datastore}}
            return world.ask("POST", "instances", body).status_int

        created, deleted, *others = at_once(4, one)
        assert {created, *others} <= {200, 400}
        kept = 200 in (created, *others)
        assert deleted == (400 if kept else 202), (created, deleted, others)
        assert (_version(world, name) == id) == kept


def test_a_datastore_goes_while_a_version_of_it_is_made(world: World) -> None:
    """No version is left without its datastore."""
    version = {
        "name": "1",
        "datastore_name": "short-lived",
        "datastore_manager": "mariadb",
        "active": True,
        "image_tags": ["trove"],
    }

    def one(at: int) -> int:
        if at:
            path = "datastores/short-lived"
            return world.ask("DELETE", path, caller="admin").status_int
        body = {"version": version}
        path = "mgmt/datastore-versions"
        return world.ask("POST", path, body, caller="admin").status_int

    for _ in range(8):
        with world.database.transaction() as tx:
            datastores.register(tx, "short-lived")
        made, deleted = at_once(2, one)
        assert (made, deleted in (202, 400)) == (202, True)
        id = _version(world, "1")
        assert id is not None
        path = f"mgmt/datastore-versions/{id}"
        assert world.ask("DELETE", path, caller="admin").status_int == 202


def _version(world: World, name: str) -> str | None:
    listed = world.ask("GET", "mgmt/datastore-versions", caller="admin").json
    return next((v["id"] for v in listed["versions"] if v["name"] == name), None)


def test_restarts_at_once(world: World) -> None:
    id = world.active()
    world.clock = _now(world)
    world.finish(id)

    def one(_: int) -> int:
        body = {"restart": {}}
        return world.ask("POST", f"instances/{id}/action", body).status_int

    assert sorted(at_once(6, one)) == [202] + [422] * 5


@pytest.mark.parametrize("turn", range(8))
def test_a_delete_and_its_protection_are_never_both_accepted(
    world: World, turn: int
) -> None:
    id = world.active()
    asks = [
        ("DELETE", f"instances/{id}", None),
        ("PATCH", f"instances/{id}", {"instance": {"deletion_protection": True}}),
    ]
    answers = at_once(4, lambda n: world.ask(*asks[(n + turn) % 2]).status_int)
    asked = [asks[(n + turn) % 2][0] for n in range(4)]
    took = {verb for verb, answer in zip(asked, answers, strict=True) if answer == 202}
    assert len(took) == 1 and set(answers) <= {202, 422}
    with world.database.reading() as tx:
        row = tx.get_one(Instance, id)
        assert (row.task == Task.DELETING) == ("DELETE" in took)
        assert row.deletion_protection == ("PATCH" in took)


def test_a_restart_and_a_delete_and_a_rename_at_once(world: World) -> None:
    id = world.active()
    world.clock = _now(world)
    world.finish(id)
    asks = [
        ("POST", f"instances/{id}/action", {"restart": {}}),
        ("DELETE", f"instances/{id}", None),
        ("PUT", f"instances/{id}", {"instance": {"name": "b"}}),
    ]
    answers = at_once(9, lambda n: world.ask(*asks[n % 3]).status_int)
    assert set(answers) <= {202, 422}
    kinds = [each.kind for each in world.operations(id)]
    assert kinds.count(operations.DELETE) == 1


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_a_name(world: World, text: str) -> None:
    id = world.created(name=text if len(text) == 255 else text + "a")
    shown = world.ask("GET", f"instances/{id}").json["instance"]
    assert shown["name"].startswith(text[:254])
    quoted = urllib.parse.quote(shown["name"], safe="")
    assert world.ask("GET", f"instances/{quoted}").json["instance"]["id"] == id
    for path in (
        f"instances/{quoted}x",
        f"datastores/{quoted}",
        f"datastores/mariadb/versions/{quoted}",
        f"datastores/versions/{quoted}",
    ):
        assert world.ask("GET", path).status_int == 404
    assert world.ask("GET", f"instances?marker={quoted}").status_int == 200


def test_a_page_and_its_next(world: World) -> None:
    made = {world.created(name=f"db{n}") for n in range(3)}
    first = world.ask("GET", "instances?limit=2").json
    query = urllib.parse.urlsplit(first["links"][0]["href"]).query
    second = world.ask("GET", f"instances?{query}").json
    found = [each["id"] for each in first["instances"] + second["instances"]]
    assert set(found) == made and len(found) == 3


def _now(world: World) -> float:
    from trove.db.session import now

    with world.database.reading() as tx:
        return now(tx)


def test_old_keys_are_forgotten_and_no_others(world: World) -> None:
    for number in range(3):
        with world.database.transaction() as tx:
            tokens.hold(tx, DEMO, f"k{number}", "hash").created = float(number)
    with world.database.transaction() as tx:
        assert tokens.forget(tx, 2.0, 100) == 2
        assert tokens.forget(tx, 2.0, 100) == 0
    with world.database.reading() as tx:
        kept = [tokens.look(tx, DEMO, f"k{number}", "hash") for number in range(3)]
    assert [row is not None for row in kept] == [False, False, True]
