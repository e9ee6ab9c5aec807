# SPDX-License-Identifier: Apache-2.0
"""Hashes of rows: who asks for them, what is told of them, and where there are none."""

import typing

import sqlalchemy as sa

from tests.api.test_backups import body, in_use, shown
from tests.api.test_snapshots import STILL, still
from tests.api.world import World
from trove.actions import turns
from trove.db.queries import backups, schedules, verifications
from trove.db.tables import DatastoreVersion

__all__ = ["still"]

ROWS = {"tables": 15, "changed_meanwhile": 3}
EQUAL = {"tables": 15, "equal": 15, "changed_meanwhile": 3}


def wish(world: World, id: str) -> typing.Any:
    """Whether what makes a backup is to hash rows."""
    with world.database.reading() as tx:
        row = backups.load(tx, id)
    (found,) = (
        o for o in world.operations(row.instance_id) if o.id == row.operation_id
    )
    return (found.input or {}).get("rows")


def of_valkey(world: World) -> str:
    id = world.active()
    with world.database.transaction() as tx:
        tx.execute(sa.update(DatastoreVersion).values(manager="valkey"))
    return id


def policy(world: World, id: str, **said: typing.Any) -> typing.Any:
    path = f"instances/{id}/backup_policy"
    return world.ask("PUT", path, {"backup_policy": said})


def test_nobody_has_rows_hashed_who_does_not_say_so(world: World) -> None:
    for said, found in ((None, None), (False, None), (True, True)):
        about = {} if said is None else {"row_hashes": said}
        answer = world.ask("POST", "backups", body(world.active(), **about))
        assert answer.status_int == 202, answer.text
        made = answer.json["backup"]["id"]
        assert wish(world, made) is found
        assert shown(world, made)["row_hashes"] is None, "nothing is known yet"


def test_the_same_key_is_of_the_same_wish(world: World) -> None:
    id, key = world.active(), {"Idempotency-Key": "k"}
    first = world.ask("POST", "backups", body(id), headers=key)
    again = world.ask("POST", "backups", body(id), headers=key)
    assert again.json == first.json and again.status_int == 202
    other = world.ask("POST", "backups", body(id, row_hashes=True), headers=key)
    assert other.status_int == 409


def test_a_policy_says_it_of_what_it_makes(world: World) -> None:
    id = world.active()
    for said, found in ((False, None), (True, True)):
        assert policy(world, id, verify_rows=said).status_int == 200
        with world.database.transaction() as tx:
            schedules.changes(tx, id, next_due=world.clock)
        taken = world.database.run(lambda tx: turns.take_turn(world.services, tx, id))
        with world.database.reading() as tx:
            made = backups.made_by(tx, str(taken))
        assert wish(world, made) is found
        world.back_up(made)
        world.clock += 24 * 3600
        world.finish(id)


def test_what_was_compared_is_told_without_a_name(world: World) -> None:
    made = world.backup(world.active(), row_hashes=True)
    with world.database.transaction() as tx:
        backups.changes(tx, made, about={"words": {}, "rows": ROWS})
    found = shown(world, made)
    assert (found["row_hashes"], found["verified_rows"]) == (ROWS, None)
    with world.database.transaction() as tx:
        verifications.wait(tx, made)
        verifications.verified(tx, made, 61.0, EQUAL)
    assert shown(world, made)["verified_rows"] == EQUAL
    answer = world.ask("GET", f"backups/{made}", xml=True)
    assert answer.status_int == 200 and 'changed_meanwhile="3"' in answer.text
    with world.database.transaction() as tx:
        verifications.wait(tx, made)
        verifications.failed(tx, made, "there was no server")
    found = shown(world, made)
    assert (found["row_hashes"], found["verified_rows"]) == (ROWS, None)


def test_a_datastore_that_has_no_rows_has_none(world: World) -> None:
    id = of_valkey(world)
    answer = world.ask("POST", "backups", body(id, row_hashes=True))
    assert answer.status_int == 501 and "hashes of rows" in answer.text
    assert in_use(world) == 0
    answer = policy(world, id, verify_rows=True)
    assert answer.status_int == 400 and "verify_rows" in answer.text
    assert policy(world, id, verify_rows=False).status_int == 200


def test_nor_has_a_snapshot_of_a_volume(still: World) -> None:
    id = still.active()
    answer = still.ask("POST", "backups", body(id, **STILL, row_hashes=True))
    assert answer.status_int == 400 and "not hashed" in answer.text
    assert in_use(still) == 0
