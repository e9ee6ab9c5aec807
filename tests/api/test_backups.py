# SPDX-License-Identifier: Apache-2.0
"""Backups: quotas, keys, chains, containers, and whose they are (S7, S26)."""

import pathlib
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import ADMINS, DEMO, World
from trove.actions import recount
from trove.db.queries import backups, instances
from trove.db.tables import Backup, DatastoreVersion
from trove.model import operations
from trove.model.backups import LINKS, BackupState
from trove.model.states import Task

Plain = dict[str, typing.Any]
RESTORED: Plain = {"name": "again", "flavorRef": "1"}


def body(id: str, **about: typing.Any) -> Plain:
    return {"backup": {"name": "b", "instance": id, **about}}


def shown(world: World, id: str) -> Plain:
    answer = world.ask("GET", f"backups/{id}")
    assert answer.status_int == 200, answer.text
    return typing.cast(Plain, answer.json["backup"])


def restored(world: World, id: str, size: int = 1, **about: typing.Any) -> typing.Any:
    order = RESTORED | {"volume": {"size": size}, "restorePoint": {"backupRef": id}}
    return world.ask("POST", "instances", {"instance": order | about})


def in_use(world: World) -> int:
    quotas = world.ask("GET", f"mgmt/quotas/{DEMO}").json["quotas"]
    (found,) = (q for q in quotas if q["resource"] == "backups")
    assert found["reserved"] == 0
    return int(found["in_use"])


def agreed(world: World) -> bool:
    """Whether the counter of backups says what there is."""
    with world.database.reading() as tx:
        lines = recount.lines(tx)
    return all(line.agrees for line in lines if line.resource == "backups")


# -- made ---------------------------------------------------------------------------


def test_a_backup_is_one_operation_of_its_instance(world: World) -> None:
    id = world.active()
    made = world.ask("POST", "backups", body(id)).json["backup"]
    operation = world.operations(id)[-1]
    assert operation.kind == operations.BACK_UP
    assert operation.input == {"backup": made["id"]}
    assert world.rung[-1] == operation.id
    assert (made["size"], made["locationRef"], made["parent_id"]) == (None, None, None)
    assert made["created"] and made["updated"]
    with world.database.reading() as tx:
        assert instances.load(tx, id).task == Task.BACKING_UP


def test_a_project_has_so_many(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path, quotas={"backups": 1})
    id = world.active()
    world.backup(id)
    answer = world.ask("POST", "backups", body(id))
    assert answer.status_int == 413 and "backups" in answer.text
    assert in_use(world) == 1 and agreed(world)
    assert world.ask("GET", f"instances/{id}").json["instance"]["status"] == "ACTIVE"
    world.close()


def test_nothing_is_made_where_no_store_is_named(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path, backup_driver=None)
    answer = world.ask("POST", "backups", body(world.active()))
    assert answer.status_int == 501 and "not set up" in answer.text
    assert world.ask("GET", "backups").json == {"backups": []}
    world.close()


def test_the_same_key_is_the_same_backup(world: World) -> None:
    id = world.active()
    key = {"Idempotency-Key": "k"}
    first = world.ask("POST", "backups", body(id), headers=key)
    made = first.json["backup"]["id"]
    again = world.ask("POST", "backups", body(id), headers=key)
    assert (again.status_int, again.json["backup"]["id"]) == (202, made)
    world.back_up(made)
    xml = world.ask("POST", "backups", body(id), headers=key, xml=True)
    assert xml.status_int == 202 and made in xml.text
    other = world.ask("POST", "backups", body(id, description="x"), headers=key)
    assert other.status_int == 409
    with world.database.transaction() as tx:  # it is gone, and the instance with it
        backups.changes(tx, made, deleted_at=world.clock)
        instances.changes(tx, id, deleted_at=world.clock)
    late = world.ask("POST", "backups", body(id), headers=key)
    assert (late.status_int, late.json["backup"]["id"]) == (202, made)


def test_one_that_is_not_able_has_none_made(world: World) -> None:
    id = world.active()
    world.clock += 3600  # its guest has said nothing for an hour
    answer = world.ask("POST", "backups", body(id))
    assert answer.status_int == 422 and "not currently available" in answer.text
    assert in_use(world) == 0


def test_an_administrators_is_of_the_instances_project(world: World) -> None:
    id = world.active()
    key = {"Idempotency-Key": "k"}
    made, again = (
        world.ask("POST", "backups", body(id), caller="admin", headers=key)
        for _ in range(2)
    )
    assert made.json["backup"]["project_id"] == DEMO != ADMINS
    assert made.json == again.json
    assert shown(world, made.json["backup"]["id"])["status"] == "NEW"
    assert in_use(world) == 1 and agreed(world)


HOSTILE = ["", ".", "..", "../x", ".hidden", "a/b", "a b", "a;b", "$(id)", "a\nb", "'"]
HOSTILE += ["a" * 201, "ä", "a\n", "a%2Fb", "a?b", "`id`"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_container_is_a_plain_name(world: World, name: str) -> None:
    id = world.active()
    answer = world.ask("POST", "backups", body(id, swift_container=name))
    assert answer.status_int == 400 and "container" in answer.text
    strategy = {"backup_strategy": {"swift_container": name}}
    assert world.ask("POST", "backup_strategies", strategy).status_int == 400
    assert world.ask("GET", "backups").json == {"backups": []}


def test_where_a_backup_goes(world: World) -> None:
    """Its own word, the instance's, the project's, the operator's: in this order."""
    id, other = world.active(), world.active()

    def where(id: str, **about: typing.Any) -> str:
        with world.database.reading() as tx:
            return backups.load(tx, world.backup(id, **about)).container

    def say(**about: str) -> None:
        answer = world.ask("POST", "backup_strategies", {"backup_strategy": about})
        assert answer.status_int == 202

    assert where(id) == "database_backups"
    say(swift_container="all")
    assert where(id) == where(other) == "all"
    say(swift_container="own", instance_id=id)
    assert (where(id), where(other)) == ("own", "all")
    assert where(id, swift_container="a.b-c_D") == "a.b-c_D"


# -- chains -------------------------------------------------------------------------


def test_an_increment_stands_on_the_newest_that_is_whole(world: World) -> None:
    id = world.active()
    first = world.backup(id)
    second = world.backup(id, incremental=True)
    failed = world.backup(id, incremental=1)
    world.back_up(failed, state=BackupState.FAILED, fault="The guest was gone.")
    third = world.backup(id, incremental=1)
    parents = [shown(world, each)["parent_id"] for each in (first, second, third)]
    assert parents == [None, first, second]
    said = shown(world, failed)
    assert (said["status"], said["fault"]["message"]) == (
        "FAILED",
        "The guest was gone.",
    )
    answer = world.ask("POST", "backups", body(id, parent_id=failed))
    assert answer.status_int == 422 and "FAILED" in answer.text


def test_a_chain_that_is_as_long_as_one_may_be(world: World) -> None:
    """The next one is full; who asks for another increment is told why not."""
    id = world.active()
    made = [world.backup(id, incremental=1) for _ in range(LINKS)]
    assert shown(world, made[-1])["parent_id"] == made[-2]
    answer = world.ask("POST", "backups", body(id, parent_id=made[-1]))
    assert answer.status_int == 422 and str(LINKS) in answer.text
    full = world.backup(id, incremental=1)
    assert shown(world, full)["parent_id"] is None
    assert shown(world, world.backup(id, incremental=1))["parent_id"] == full


def test_no_increment_on_another_instances_or_versions(world: World) -> None:
    id, other = world.active(), world.active()
    theirs = world.backup(other)
    answer = world.ask("POST", "backups", body(id, parent_id=theirs))
    assert answer.status_int == 400 and "another instance" in answer.text
    strangers = world.backup(world.active("stranger"), caller="stranger")
    answer = world.ask("POST", "backups", body(id, parent_id=strangers))
    assert answer.status_int == 404
    mine = world.backup(id)
    world.change(id, version_id=world.versions["mariadb-10.6"])
    answer = world.ask("POST", "backups", body(id, parent_id=mine))
    assert answer.status_int == 400 and "must be full" in answer.text
    assert shown(world, world.backup(id, incremental=1))["parent_id"] is None


def test_some_versions_of_a_datastore_have_no_increments(world: World) -> None:
    id = world.active(datastore={"type": "postgresql", "version": "15"})
    full = world.backup(id)
    assert shown(world, world.backup(id, incremental=1))["parent_id"] is None
    answer = world.ask("POST", "backups", body(id, parent_id=full))
    assert answer.status_int == 501 and "postgresql 15.8" in answer.text


def test_a_version_says_whether_it_has_increments(world: World) -> None:
    world.offer("postgresql", "17")
    for path, has in (
        ("datastores/postgresql/versions/15", False),
        ("datastores/postgresql/versions/17", True),
        (f"datastores/versions/{world.versions['mariadb-10.11']}", True),
    ):
        answer = world.ask("GET", path)
        assert answer.json["version"]["incremental_backups"] is has, path
    listed = world.ask("GET", "datastores/postgresql/versions").json["versions"]
    assert {v["name"]: v["incremental_backups"] for v in listed} == {
        "15": False,
        "17": True,
    }


def test_no_increment_begins_at_a_backup_that_says_no_place(world: World) -> None:
    """Its agent was of an older release, or its volume full."""
    world.offer("postgresql", "17")
    id = world.active(datastore={"type": "postgresql", "version": "17"})
    old = world.backup(id)
    answer = world.ask("POST", "backups", body(id, parent_id=old))
    assert answer.status_int == 422 and "next one must be full" in answer.text
    first = world.backup(id, incremental=1)
    assert shown(world, first)["parent_id"] is None
    with world.database.transaction() as tx:
        backups.changes(tx, first, about={"words": {"manifest": "a" * 64}})
    assert shown(world, world.backup(id, incremental=1))["parent_id"] == first
    # that one is the newest by now, and says nothing
    assert shown(world, world.backup(id, incremental=1))["parent_id"] is None
    assert shown(world, world.backup(id, parent_id=first))["parent_id"] == first


# -- taken away ---------------------------------------------------------------------


def _chain(world: World) -> tuple[str, list[str]]:
    """An instance; a full one, two increments of it, and one of the first of them."""
    id = world.active()
    a = world.backup(id)
    b = world.backup(id, parent_id=a)
    c = world.backup(id, parent_id=a)
    d = world.backup(id, parent_id=b)
    return id, [a, b, c, d]


def test_what_stands_on_a_backup_goes_before_it(world: World) -> None:
    _, (a, b, c, d) = _chain(world)
    assert world.ask("DELETE", f"backups/{b}").status_int == 202
    (operation,) = world.operations(b)
    assert operation.kind == operations.DELETE_BACKUP
    assert operation.object_type == operations.BACKUP
    assert operation.input == {"backups": [d, b]}
    assert world.rung[-1] == operation.id
    states = {each: shown(world, each)["status"] for each in (a, b, c, d)}
    assert states == {a: "COMPLETED", b: "DELETING", c: "COMPLETED", d: "DELETING"}
    answer = world.ask("DELETE", f"backups/{a}")
    assert answer.status_int == 422 and "is being deleted" in answer.text
    for each in (b, d):  # on its way already
        assert world.ask("DELETE", f"backups/{each}").status_int == 202
    assert len(world.operations(b)) == 1 and world.operations(d) == []
    with world.database.transaction() as tx:
        for each in (b, d):
            backups.changes(tx, each, deleted_at=world.clock)
    assert world.ask("DELETE", f"backups/{a}").status_int == 202
    order = (world.operations(a)[0].input or {})["backups"]
    assert order == [c, a]


@pytest.mark.parametrize("state", ["FAILED", "DELETE_FAILED", "RESTORED"])
def test_what_did_not_work_out_can_be_deleted(world: World, state: str) -> None:
    made = world.backup(world.active())
    world.back_up(made, state=state)
    assert world.ask("DELETE", f"backups/{made}").status_int == 202
    assert shown(world, made)["status"] == "DELETING"


def test_a_delete_that_did_not_end_is_not_begun_twice(world: World) -> None:
    """Its operation is there still, though the backup says that it could not go."""
    made = world.backup(world.active())
    assert world.ask("DELETE", f"backups/{made}").status_int == 202
    world.back_up(made, state=BackupState.DELETE_FAILED)
    answer = world.ask("DELETE", f"backups/{made}")
    assert answer.status_int == 422 and "its last delete is not over" in answer.text


def test_a_backup_outlives_its_instance(world: World) -> None:
    id = world.active()
    made = world.backup(id)
    with world.database.transaction() as tx:
        instances.changes(tx, id, deleted_at=world.clock)
    assert shown(world, made)["instance_id"] == id
    assert world.ask("GET", f"instances/{id}/backups").status_int == 404
    assert restored(world, made).status_int == 200
    assert agreed(world)


def test_the_version_of_a_backup_stays(world: World) -> None:
    """No other one reads it. Of a backup whose version is gone none is told."""
    id = world.active()
    made = world.backup(id)
    with world.database.transaction() as tx:
        instances.changes(tx, id, deleted_at=world.clock)
    version = world.versions["mariadb-10.11"]
    path = f"mgmt/datastore-versions/{version}"
    answer = world.ask("DELETE", path, caller="admin")
    assert answer.status_int == 400 and "a backup" in answer.text
    with world.database.transaction() as tx:
        tx.execute(sa.delete(DatastoreVersion).where(DatastoreVersion.id == version))
    assert "datastore" not in shown(world, made)


# -- restored -----------------------------------------------------------------------


def test_a_restore_is_a_create_of_the_backups_version(world: World) -> None:
    """Also when that is hidden from users by now."""
    id = world.active()
    world.change(id, version_id=world.versions["mariadb-10.6"])
    made = world.backup(id)
    answer = restored(world, made, users=[{"name": "ann", "password": "p"}])
    assert answer.status_int == 200, answer.text
    said = answer.json["instance"]
    assert said["datastore"]["version"] == "10.6"
    (operation,) = world.operations(said["id"])
    assert operation.kind == operations.CREATE
    assert (operation.input or {})["restore"] == made
    with world.database.reading() as tx:
        assert instances.load(tx, said["id"]).restored_from == made


def test_a_volume_must_hold_what_is_in_the_backup(world: World) -> None:
    made = world.backup(world.active())
    world.back_up(made, size=2**30 + 1)
    answer = restored(world, made, size=1)
    assert answer.status_int == 403 and "at the least" in answer.text
    assert restored(world, made, size=2).status_int == 200
    world.back_up(made, size=2**30)
    assert restored(world, made, size=1).status_int == 200


def test_an_increment_restores_with_all_that_it_stands_on(world: World) -> None:
    _, (a, b, _c, d) = _chain(world)
    assert restored(world, d).status_int == 200
    for each in (a, b, d):
        answer = world.ask("DELETE", f"backups/{each}")
        assert answer.status_int == 422 and "is being made of it" in answer.text


def test_nothing_is_made_of_what_stands_on_nothing(world: World) -> None:
    _, (a, b, _c, d) = _chain(world)
    world.back_up(b, state=BackupState.DELETE_FAILED)
    answer = restored(world, d)
    assert answer.status_int == 409 and b in answer.text
    assert restored(world, a).status_int == 200
    with world.database.transaction() as tx:
        backups.changes(tx, b, deleted_at=world.clock)
    assert restored(world, d).status_int == 409


def test_a_restore_of_another_projects_is_an_administrators(world: World) -> None:
    made = world.backup(world.active())
    order = {"instance": RESTORED | {"volume": {"size": 1}}}
    order["instance"]["restorePoint"] = {"backupRef": made}
    assert world.ask("POST", "instances", order, caller="stranger").status_int == 404
    assert world.ask("POST", "instances", order, caller="admin").status_int == 200


def test_a_dry_run_of_a_restore_keeps_nothing(world: World) -> None:
    made = world.backup(world.active())
    order = RESTORED | {"volume": {"size": 1}, "restorePoint": {"backupRef": made}}
    answer = world.ask("POST", "instances?dry_run=1", {"instance": order})
    assert answer.status_int == 200 and answer.json["dry_run"]["operations"]
    assert world.ask("DELETE", f"backups/{made}").status_int == 202


# -- looked at ----------------------------------------------------------------------


def test_pages_lead_through_all(world: World) -> None:
    id = world.active()
    made = [world.backup(id) for _ in range(5)]
    for path in ("backups", f"instances/{id}/backups"):
        seen: list[str] = []
        following = f"{path}?limit=2"
        while following:
            page = world.ask("GET", following).json
            seen += [each["id"] for each in page["backups"]]
            links = [x["href"] for x in page.get("links", ()) if x["rel"] == "next"]
            following = links[0].partition(f"/{DEMO}/")[2] if links else ""
        assert seen == made[::-1]
    assert world.ask("GET", "backups?limit=2&marker=99").json == {"backups": []}


def test_where_backups_go_in_xml(world: World) -> None:
    """As it came in: an element of this name, with attributes."""
    strategy = {"backup_strategy": {"swift_container": "c"}}
    made = world.ask("POST", "backup_strategies", strategy, xml=True)
    listed = world.ask("GET", "backup_strategies", xml=True)
    for answer in (made, listed):
        assert (
            "<backup_strategy " in answer.text and 'swift_container="c"' in answer.text
        )


@pytest.mark.parametrize("size, said", [(0, 0.0), (1, 0.001), (2**29, 0.5)])
def test_a_size_is_in_gigabytes(world: World, size: int, said: float) -> None:
    made = world.backup(world.active())
    world.back_up(made, size=size)
    assert shown(world, made)["size"] == said


def test_another_projects_backup_is_not_there(world: World) -> None:
    """S7, S26: not shown, not deleted, not stood on, not restored; and as if none."""
    made = world.backup(world.active())
    never = "6f3d5c2e-1111-4222-8333-444455556666"
    for method in ("GET", "DELETE"):
        theirs = world.ask(method, f"backups/{made}", caller="stranger")
        none = world.ask(method, f"backups/{never}", caller="stranger")
        assert theirs.status_int == none.status_int == 404
        assert theirs.text.replace(made, never) == none.text
    with world.database.reading() as tx:
        row = tx.get_one(Backup, made)
        assert (row.state, row.deleted_at) == (BackupState.COMPLETED, None)
