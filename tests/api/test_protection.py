# SPDX-License-Identifier: Apache-2.0
"""Deletion protection: nothing is lost by a click."""

import pytest

from tests.api.world import World
from trove.db.tables import Event


def events(world: World, id: str) -> list[str]:
    with world.database.reading() as tx:
        rows = tx.query(Event).filter_by(object_id=id).order_by(Event.seq)
        return [row.kind for row in rows]


def protect(world: World, id: str, on: object, **about: object) -> int:
    body = {"instance": {"deletion_protection": on}}
    return world.ask("PATCH", f"instances/{id}", body, **about).status_int


def shown(world: World, id: str) -> bool:
    return "deletion_protection" in world.ask("GET", f"instances/{id}").json["instance"]


def test_what_is_protected_is_deleted_by_nobody(world: World) -> None:
    id = world.active(deletion_protection=True)
    assert shown(world, id)
    for caller in ("member", "admin"):
        answer = world.ask("DELETE", f"instances/{id}", caller=caller)
        assert answer.status_int == 422
        assert "deletion_protection" in answer.json["unprocessableEntity"]["message"]
    forced = {"reset_status": {"force_delete": 1}}
    assert world.ask("POST", f"instances/{id}/action", forced).status_int == 422
    assert world.ask("GET", f"instances/{id}").json["instance"]["status"] == "ACTIVE"
    assert [one.kind for one in world.operations(id)] == ["instance.create"]


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_it_is_put_on_and_taken_away_again(world: World, verb: str) -> None:
    id = world.active()
    assert not shown(world, id)
    for on in (True, True, False, False, 1, 0):
        body = {"instance": {"deletion_protection": on}}
        assert world.ask(verb, f"instances/{id}", body).status_int == 202
        assert shown(world, id) == bool(on)
    assert events(world, id)[-4:] == [
        "instance.protected",
        "instance.unprotected",
        "instance.protected",
        "instance.unprotected",
    ]
    assert world.ask("DELETE", f"instances/{id}").status_int == 202


def test_one_that_is_made_is_protected_from_its_first_moment(world: World) -> None:
    id = world.created(deletion_protection=True)
    assert world.ask("DELETE", f"instances/{id}").status_int == 422
    assert protect(world, id, False) == 202
    assert world.ask("DELETE", f"instances/{id}").status_int == 202


def test_one_that_is_being_deleted_is_not_protected_any_more(world: World) -> None:
    id = world.active()
    assert world.ask("DELETE", f"instances/{id}").status_int == 202
    assert protect(world, id, True) == 422
    assert not shown(world, id)


def test_another_projects_is_not_there_to_be_protected(world: World) -> None:
    id = world.active()
    assert protect(world, id, True, caller="stranger") == 404
    assert not shown(world, id)


@pytest.mark.parametrize("on", ["yes", 2, None, [], {"a": 1}, "true; DROP"])
def test_what_is_neither_is_a_400(world: World, on: object) -> None:
    id = world.active()
    assert protect(world, id, on) == 400
    body = {"name": "db", "flavorRef": "1", "volume": {"size": 1}}
    body["deletion_protection"] = on  # type: ignore[assignment]
    assert world.ask("POST", "instances", {"instance": body}).status_int == 400


def test_xml_says_it_too(world: World) -> None:
    id = world.active()
    body = {"instance": {"deletion_protection": "true"}}
    for on in ("true", "1"):
        body["instance"]["deletion_protection"] = on
        answer = world.ask("PUT", f"instances/{id}", body, xml=True)
        assert answer.status_int == 202, answer.text
        assert shown(world, id)
