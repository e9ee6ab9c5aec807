# SPDX-License-Identifier: Apache-2.0
"""Archives of an instance: how far they are, where the gaps are, and whose."""

import typing

from tests.api.test_moments import START, archived, at, based, closed
from tests.api.world import World
from trove.actions.archives import UNHEARD
from trove.db.queries import archives, instances


def shown(world: World, id: str, **how: typing.Any) -> list[dict[str, typing.Any]]:
    answer = world.ask("GET", f"instances/{id}/archives", **how)
    assert answer.status_int == 200, answer.text
    return typing.cast(list[dict[str, typing.Any]], answer.json["archives"])


def test_how_far_it_is_and_where_the_gaps_are(world: World) -> None:
    id = world.active()
    assert shown(world, id) == []
    first = archived(world, id, 50, 200, stored=77)
    based(world, id, 100)
    closed(world, first)
    second = archived(world, id, 250, 400)
    world.clock = START + 425
    said = {"archive": second, "waiting": 4096}
    with world.database.transaction() as tx:
        archives.heard(tx, id, second, said, False)
    after, before = shown(world, id)
    assert (before["id"], before["status"], before["gap"]) == (first, "CLOSED", True)
    assert (before["stored"], before["lag"]) == (77, None)
    assert before["message"] == "a piece was lost" and before["ended"]
    assert before["earliest_restorable_time"] == at(START + 100)
    assert before["latest_restorable_time"] == at(START + 200)
    assert (after["id"], after["status"], after["gap"]) == (second, "OPEN", False)
    assert (after["lag"], after["waiting"]) == (25, 4096)
    assert after["heard"] == at(START + 425) and after["message"] is None
    assert after["latest_restorable_time"] is None, "there is no backup in it yet"
    xml = world.ask("GET", f"instances/{id}/archives", xml=True).text
    assert "<archives" in xml and f'<archive id="{second}"' in xml


def test_an_agent_that_says_nothing_is_told_of(world: World) -> None:
    id = world.active()
    archived(world, id, 0, 0, latest=None, first=None)
    world.clock = START + UNHEARD - 1
    assert shown(world, id)[0]["message"] is None
    world.clock = START + UNHEARD + 1
    (row,) = shown(world, id)
    assert "older release" in row["message"] and row["lag"] == UNHEARD + 1


def test_it_is_shown_of_one_that_is_gone(world: World) -> None:
    id = world.active()
    archived(world, id, 0, 100)
    with world.database.transaction() as tx:
        instances.changes(tx, id, deleted_at=world.clock)
    assert len(shown(world, id)) == 1


def test_another_projects_is_not_there(world: World) -> None:
    """S7."""
    id = world.active()
    archived(world, id, 0, 100)
    never = "6f3d5c2e-1111-4222-8333-444455556666"
    theirs = world.ask("GET", f"instances/{id}/archives", caller="stranger")
    none = world.ask("GET", f"instances/{never}/archives", caller="stranger")
    assert theirs.status_int == none.status_int == 404
    assert theirs.text.replace(id, never) == none.text
    assert len(shown(world, id, caller="admin")) == 1
    assert len(shown(world, id, caller="reader")) == 1
