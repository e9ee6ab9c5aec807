# SPDX-License-Identifier: Apache-2.0
"""The policy of an instance's backups: shown, said, refused, and whose it is."""

import dataclasses
import pathlib
import typing

import pytest
import sqlalchemy as sa

from tests.api.test_moments import archived
from tests.api.world import DEMO, World
from trove.actions.archives import UNHEARD
from trove.datastores import registry
from trove.db.queries import backups, schedules
from trove.db.tables import BackupPolicy, Event

Plain = dict[str, typing.Any]
NONE: Plain = {
    "enabled": False,
    "window": None,
    "full_every_days": 1,
    "increment_every_hours": 6,
    "keep_days": 7,
    "verify": "never",
    "verify_rows": False,
    "point_in_time": True,
    "next_due": None,
    "last_run": None,
    "last_fault": None,
    "message": None,
}
ALL: Plain = {
    "enabled": True,
    "window": "23:59",
    "full_every_days": 365,
    "increment_every_hours": 24,
    "keep_days": 1,
    "verify": "every",
    "verify_rows": True,
    "point_in_time": False,
}


def put(world: World, id: str, said: typing.Any, **how: typing.Any) -> typing.Any:
    path = f"instances/{id}/backup_policy"
    return world.ask("PUT", path, {"backup_policy": said}, **how)


def shown(world: World, id: str, **how: typing.Any) -> Plain:
    answer = world.ask("GET", f"instances/{id}/backup_policy", **how)
    assert answer.status_int == 200, answer.text
    return typing.cast(Plain, answer.json["backup_policy"])


def policies(world: World) -> int:
    with world.database.reading() as tx:
        return len(schedules.page(tx, 99))


# -- shown and said -----------------------------------------------------------------


def test_one_that_nobody_said_is_off(world: World) -> None:
    """As of an instance that is older than policies."""
    id = world.active()
    assert shown(world, id) == NONE
    postgresql = world.active(datastore={"type": "postgresql"})
    assert shown(world, postgresql) == NONE | {"increment_every_hours": None}
    assert policies(world) == 0


def test_it_is_as_it_was_said(world: World) -> None:
    id = world.active()
    answer = put(world, id, ALL)
    assert answer.status_int == 200, answer.text
    assert answer.json["backup_policy"] == NONE | ALL | {
        "next_due": "2027-01-15T23:59:00"
    }
    assert shown(world, id) == answer.json["backup_policy"]
    kept = put(world, id, {"keep_days": 30}).json["backup_policy"]
    assert kept == answer.json["backup_policy"] | {"keep_days": 30}
    off = put(world, id, {"enabled": False}).json["backup_policy"]
    assert off == kept | {"enabled": False, "next_due": None}
    assert put(world, id, {}).json["backup_policy"] == off
    assert put(world, id, {"enabled": 1}).json["backup_policy"] == kept


def test_an_agent_that_is_too_old_for_the_log_is_told_of(world: World) -> None:
    id = world.active()
    put(world, id, {"enabled": True})
    archived(world, id, 0, 0, latest=None, first=None)
    world.clock += UNHEARD
    assert shown(world, id)["message"] is None
    world.clock += 1
    assert "older release" in shown(world, id)["message"]
    assert (
        put(world, id, {"point_in_time": False}).json["backup_policy"]["message"]
        is None
    )
    off = {"point_in_time": True, "enabled": False}
    assert put(world, id, off).json["backup_policy"]["message"] is None


def test_a_verification_that_could_not_be_tried_is_told_of(world: World) -> None:
    """Of the last one that is over: as by an image whose agent is too old for it."""
    id = world.active()
    put(world, id, {"verify": "every"})
    made = []
    for moment, fault in ((1.0, "its agent is of an older release"), (2.0, None)):
        made.append(world.backup(id))
        world.finish(id)
        with world.database.transaction() as tx:
            backups.changes(
                tx,
                made[-1],
                verification="UNKNOWN" if fault else "RUNNING",
                verify_fault=fault,
                verify_asked=moment,
            )
    assert "of an older release" in shown(world, id)["message"]
    put(world, id, {"verify": "never"})
    assert shown(world, id)["message"] is None
    put(world, id, {"verify": 1})
    assert "of an older release" in shown(world, id)["message"]
    with world.database.transaction() as tx:
        backups.changes(tx, made[-1], verification="VERIFIED")
    assert shown(world, id)["message"] is None


def test_what_is_not_said_is_as_for_a_new_one(world: World) -> None:
    id = world.active()
    said = put(world, id, {}).json["backup_policy"]
    assert said["enabled"] and said["window"] and said["next_due"]
    assert said | {"enabled": False, "window": None, "next_due": None} == NONE


def test_a_window_is_any_minute_by_chance(world: World) -> None:
    windows = {
        put(world, world.active(), {}).json["backup_policy"]["window"] for _ in range(9)
    }
    assert len(windows) > 1


def test_a_change_says_when_the_next_one_is(world: World) -> None:
    """The world begins at 2027-01-15T08:00."""
    id = world.active()
    for said, due in (
        ({"window": "06:00"}, "2027-01-15T12:00:00"),
        ({"increment_every_hours": 1}, "2027-01-15T09:00:00"),
        ({"increment_every_hours": None}, "2027-01-16T06:00:00"),
        ({"window": "08:01"}, "2027-01-15T08:01:00"),
        ({"window": "08:00"}, "2027-01-16T08:00:00"),
    ):
        assert put(world, id, said).json["backup_policy"]["next_due"] == due


def test_it_is_the_same_in_xml(world: World) -> None:
    id = world.active()
    answer = put(world, id, ALL | {"increment_every_hours": None}, xml=True)
    assert answer.status_int == 200, answer.text
    assert "<backup_policy " in answer.text and 'window="23:59"' in answer.text
    assert shown(world, id)["increment_every_hours"] is None
    other = put(world, id, {"enabled": "false", "increment_every_hours": 2}, xml=True)
    assert other.status_int == 200, other.text
    said = shown(world, id)
    assert (said["enabled"], said["increment_every_hours"]) == (False, 2)


@pytest.mark.parametrize("xml", [False, True])
def test_how_often_backups_are_verified(world: World, xml: bool) -> None:
    id = world.active()
    for said in (7, "every", 168, 1, "never"):
        answer = put(world, id, {"verify": said}, xml=xml)
        assert answer.status_int == 200, answer.text
        assert shown(world, id)["verify"] == said
    put(world, id, {"verify": "3"})
    assert put(world, id, {"keep_days": 9}).json["backup_policy"]["verify"] == 3


def test_an_operator_says_how_often_where_nobody_does(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path, schedule_by_default=True, verify_by_default=2)
    assert shown(world, world.active())["verify"] == 2
    assert shown(world, world.active(backup_policy={"verify": "never"}))["verify"] == (
        "never"
    )
    world.close()


def test_a_change_is_an_event_of_its_instance(world: World) -> None:
    id = world.active()
    put(world, id, {"keep_days": 9})
    with world.database.reading() as tx:
        kind = Event.kind == "instance.backup_policy"
        (event,) = tx.scalars(sa.select(Event).where(kind))
    assert event.object_id == id
    assert event.payload == {"keep_days": 9, "user": f"user-of-{DEMO}"}


def test_a_scheduled_backup_says_so(world: World) -> None:
    made = world.backup(world.active())
    assert world.ask("GET", f"backups/{made}").json["backup"]["scheduled"] is False


# -- refused ------------------------------------------------------------------------

HOSTILE: list[Plain] = [
    *({"window": each} for each in ("24:00", "7:00", "07:60", "", "07:00\n", "٠٧:٠٠")),
    *({"window": each} for each in (None, 420, ["07:00"], "07:00:00", "a" * 10**5)),
    *({"keep_days": each} for each in (0, -1, 366, None, "7", 1.5, True, 10**30)),
    *({"full_every_days": each} for each in (0, 366, None, "1", {})),
    *({"increment_every_hours": each} for each in (0, 25, -1, "6", 0.5, False)),
    *({"verify": each} for each in (0, 169, -1, 1.5, None, True, "", "0", "169")),
    *({"verify": each} for each in ("always", "every\n", "7 ", "٧", ["every"], {})),
    *({"verify_rows": each} for each in (None, 2, "yes", [])),
    *({"enabled": each} for each in (None, 2, "yes", "true", [])),
    {"next_due": "2020-01-01T00:00:00"},
    {"last_fault": "x"},
    {"message": "x"},
    {"project": "other"},
    {"minute": 5},
]


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: str(said)[:40])
def test_what_is_no_policy_is_refused(world: World, said: Plain) -> None:
    """Whoever says it of an instance, or of a new one."""
    id = world.active()
    assert put(world, id, ALL).status_int == 200
    before = shown(world, id)
    answer = put(world, id, said)
    assert answer.status_int == 400 and next(iter(said)) in answer.text
    assert shown(world, id) == before
    order = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    new = {"instance": order | {"backup_policy": said}}
    assert world.ask("POST", "instances", new).status_int == 400


@pytest.mark.parametrize("said", [None, [], "x", 5, True])
def test_what_is_no_object_is_refused(world: World, said: typing.Any) -> None:
    assert put(world, world.active(), said).status_int == 400


def test_a_datastore_without_increments(world: World) -> None:
    id = world.active(datastore={"type": "postgresql"})
    answer = put(world, id, {"increment_every_hours": 6})
    assert answer.status_int == 400 and "postgresql 15.8" in answer.text
    answer = put(world, id, {"increment_every_hours": None, "keep_days": 3})
    assert answer.json["backup_policy"]["increment_every_hours"] is None
    assert put(world, id, {}).status_int == 200


def test_a_later_version_of_it_has_increments(world: World) -> None:
    world.offer("postgresql", "17")
    id = world.active(datastore={"type": "postgresql", "version": "17"})
    assert shown(world, id)["increment_every_hours"] == 6
    said = put(world, id, {"increment_every_hours": 2}).json["backup_policy"]
    assert said["increment_every_hours"] == 2


def test_a_datastore_without_backups(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = registry.get("valkey")
    can = dataclasses.replace(valkey.can, back_up=False)
    bare = dataclasses.replace(valkey, name="bare", can=can)
    monkeypatch.setitem(registry._all(), "bare", bare)  # as an entry point would
    world = World(tmp_path, schedule_by_default=True)
    version = {"name": "1", "datastore_name": "bare", "datastore_manager": "bare"}
    version |= {"active": True, "image_tags": ["trove"]}
    path = "mgmt/datastore-versions"
    made = world.ask("POST", path, {"version": version}, caller="admin")
    assert made.status_int in (200, 202), made.text
    order: Plain = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    order |= {"datastore": {"type": "bare", "version": "1"}}
    answer = world.ask("POST", "instances", {"instance": order})
    assert answer.status_int == 200, answer.text
    id = answer.json["instance"]["id"]
    assert policies(world) == 0
    assert put(world, id, {"enabled": True}).status_int == 501
    look = world.ask("GET", f"instances/{id}/backup_policy")
    assert look.status_int == 501 and "backups" in look.text
    for said, status in ((True, 501), ({"keep_days": 3}, 501), (False, 200)):
        order |= {"name": f"{said}", "backup_policy": said}
        answer = world.ask("POST", "instances", {"instance": order})
        assert answer.status_int == status, answer.text
    world.close()


def test_where_no_store_is_named_none_is_enabled(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path, backup_driver=None, schedule_by_default=True)
    id = world.active()
    assert policies(world) == 0
    assert put(world, id, {}).status_int == 501
    assert put(world, id, {"enabled": False, "keep_days": 2}).status_int == 200
    assert shown(world, id)["keep_days"] == 2
    order = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    new = {"instance": order | {"backup_policy": True}}
    assert world.ask("POST", "instances", new).status_int == 501
    world.close()


def test_another_projects_is_not_there(world: World) -> None:
    """S7, S26."""
    id = world.active()
    put(world, id, ALL)
    before = shown(world, id)
    never = "6f3d5c2e-1111-4222-8333-444455556666"
    path = "instances/{}/backup_policy"
    for method, body in (("GET", None), ("PUT", {"backup_policy": {"enabled": False}})):
        theirs = world.ask(method, path.format(id), body, caller="stranger")
        none = world.ask(method, path.format(never), body, caller="stranger")
        assert theirs.status_int == none.status_int == 404
        assert theirs.text.replace(id, never) == none.text
    assert put(world, id, {"enabled": False}, caller="reader").status_int == 403
    assert shown(world, id) == before
    assert put(world, id, {"keep_days": 5}, caller="admin").status_int == 200
    with world.database.reading() as tx:
        assert tx.get_one(BackupPolicy, id).project == DEMO


def test_of_a_deleted_instance_nothing_is_said(world: World) -> None:
    id = world.active()
    put(world, id, ALL)
    world.change(id, deleted_at=world.clock)
    assert world.ask("GET", f"instances/{id}/backup_policy").status_int == 404
    assert put(world, id, {}).status_int == 404


# -- at create ------------------------------------------------------------------------


@pytest.mark.parametrize("default", [True, False])
def test_a_create_says_it_or_the_operator(
    tmp_path: pathlib.Path, default: bool
) -> None:
    world = World(tmp_path, schedule_by_default=default, quotas={})
    assert shown(world, world.active())["enabled"] is default
    assert shown(world, world.active(backup_policy=None))["enabled"] is default
    assert shown(world, world.active(backup_policy=True))["enabled"] is True
    assert shown(world, world.active(backup_policy={}))["enabled"] is True
    off = world.active(backup_policy=False)
    assert shown(world, off) == NONE
    said = shown(world, world.active(backup_policy=ALL))
    assert {name: said[name] for name in ALL} == ALL
    rest = {"enabled": False, "keep_days": 3}
    assert shown(world, world.active(backup_policy=rest))["keep_days"] == 3
    world.close()


def test_a_create_in_xml_says_it(world: World) -> None:
    order: Plain = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    for said, enabled in ((True, True), ("false", False), ({"keep_days": 3}, True)):
        body = {"instance": order | {"backup_policy": said}}
        answer = world.ask("POST", "instances", body, xml=True)
        assert answer.status_int == 200, answer.text
        (id,) = {
            row["id"]
            for row in world.ask("GET", "instances").json["instances"]
            if row["id"] in answer.text
        }
        assert shown(world, id)["enabled"] is enabled


def test_a_key_stands_for_the_policy_too(world: World) -> None:
    order: Plain = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    key = {"Idempotency-Key": "k"}

    def ask(**about: typing.Any) -> typing.Any:
        return world.ask("POST", "instances", {"instance": order | about}, headers=key)

    first = ask(backup_policy={"keep_days": 3})
    again = ask(backup_policy={"keep_days": 3})
    assert first.json["instance"]["id"] == again.json["instance"]["id"]
    assert policies(world) == 1
    assert ask(backup_policy={"keep_days": 4}).status_int == 409
    assert ask().status_int == 409


def test_a_dry_run_refuses_as_the_thing_does_and_leaves_none(world: World) -> None:
    path = f"instances/{world.active()}/backup_policy?dry_run=1"
    answer = world.ask("PUT", path, {"backup_policy": {"keep_days": 3}})
    assert answer.json == {"dry_run": {"operations": [], "quota": []}}
    wrong = world.ask("PUT", path, {"backup_policy": {"keep_days": 0}})
    assert wrong.status_int == 400
    assert policies(world) == 0
    order: Plain = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    body = {"instance": order | {"backup_policy": True}}
    assert world.ask("POST", "instances?dry_run=1", body).status_int == 200
    assert policies(world) == 0
