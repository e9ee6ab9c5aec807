# SPDX-License-Identifier: Apache-2.0
"""What an administrator is told of an instance when the cloud has a bad day."""

import pytest

from tests.api.world import IMAGE, World
from trove.cloud import protocol


def test_a_silent_cloud_is_told_as_such(world: World) -> None:
    """Only what was seen: the rest of the instance is shown all the same."""
    id = world.active()

    def silent(name: str, said: object) -> None:
        raise protocol.Passing(f"{name}: no answer")

    world.cloud.before = silent
    answer = world.ask("GET", f"mgmt/instances/{id}", caller="admin")
    assert answer.status_int == 200, answer.text
    shown = answer.json["instance"]
    assert shown["server"]["status"] == "UNKNOWN"
    assert (shown["status"], shown["volume"]["size"]) == ("ACTIVE", 1)


def test_a_deleted_instance_is_found_when_it_is_asked_for(world: World) -> None:
    id = world.active()
    world.change(id, deleted_at=world.clock)
    path = f"mgmt/instances/{id}"
    assert world.ask("GET", path, caller="admin").status_int == 404
    shown = world.ask("GET", f"{path}?deleted=true", caller="admin").json["instance"]
    assert (shown["deleted"], shown["deleted_at"]) == (True, "2027-01-15T08:00:00")
    listed = world.ask("GET", "mgmt/instances?deleted=true", caller="admin").json
    assert [each["id"] for each in listed["instances"]] == [id]


@pytest.mark.parametrize("enabled", [True, False])
def test_who_is_root_is_told(world: World, enabled: bool) -> None:
    id = world.furnished() if enabled else world.active()
    answer = world.ask("GET", f"mgmt/instances/{id}", caller="admin")
    shown = answer.json["instance"]
    assert (shown["root_enabled"] is not None) == enabled
    assert shown["root_enabled_by"] == ("user-of-demo0000" if enabled else None)


@pytest.mark.parametrize("noun", ["hwinfo", "diagnostics", "rpc_ping"])
def test_a_guest_that_does_not_hear_is_told_as_such(world: World, noun: str) -> None:
    id = world.active()
    world.desks.silent.add(id)
    answer = world.ask("GET", f"mgmt/instances/{id}/{noun}", caller="admin")
    assert answer.status_int == 503 and id in answer.text


def test_what_a_guest_says_of_its_machine(world: World) -> None:
    id = world.active()
    path = f"mgmt/instances/{id}"
    hardware = world.ask("GET", f"{path}/hwinfo", caller="admin").json["hwinfo"]
    assert hardware["num_cpus"] >= 1 and hardware["mem_total"] > 100
    own = world.ask("GET", f"{path}/diagnostics", caller="admin").json["diagnostics"]
    assert set(own) == {
        "version",
        "threads",
        "fdSize",
        "vmSize",
        "vmPeak",
        "vmRss",
        "vmHwm",
    }
    assert 0 < own["vmRss"] <= own["vmHwm"]


NEWER = "5f3d5c2e-1111-4222-8333-444455556666"


def booted(world: World, id: str) -> None:
    """It has a server in the cloud, of the image that there was first."""
    order = protocol.Boot("db", IMAGE, "1", ports=(), volume=None, user_data="")
    server = world.cloud.compute.boot(f"server-{id}", order)
    world.change(id, server_id=server.id)


def test_an_upgrade_to_the_newest_image_is_refused_until_there_is_one(
    world: World,
) -> None:
    """Then it is had at once, whatever a create still believes."""
    id = world.active()
    booted(world, id)
    path, body = f"mgmt/instances/{id}/upgrade", {"upgrade": {}}
    for query in ("", "?dry_run=1"):
        answer = world.ask("POST", path + query, body, caller="admin")
        assert answer.status_int == 400
        assert f"newest image of the version 10.11 already ({IMAGE})" in answer.text
    assert [each.kind for each in world.operations(id)] == ["instance.create"]
    image = protocol.Image(NEWER, "guest", ("trove", "guest"))
    world.cloud.world.images[NEWER] = image
    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = world.ask("POST", path, body, caller="admin", headers=key)
        assert answer.status_int == 202, answer.text
    *_, operation = world.operations(id)
    assert len(world.operations(id)) == 2
    version = world.versions["mariadb-10.11"]
    assert operation.input | {"image": NEWER, "version_id": version} == operation.input
    assert (operation.kind, operation.project) == ("instance.upgrade", "demo0000")
    (event,) = [
        each
        for each in world.ask("GET", f"instances/{id}/events").json["events"]
        if each["type"] == "instance.upgrade.accepted"
    ]
    assert event["details"]["user"] == "user-of-admins00"


@pytest.mark.parametrize(
    "columns, status, says",
    [({"volume_size": None}, 400, "no volume"), ({"task": "FAILED"}, 422, "ERROR")],
)
def test_what_cannot_be_built_anew_is_not_upgraded(
    world: World, columns: dict[str, object], status: int, says: str
) -> None:
    id = world.active()
    world.change(id, **columns)
    path = f"mgmt/instances/{id}/upgrade"
    answer = world.ask("POST", path, {"upgrade": {}}, caller="admin")
    assert (answer.status_int, says in answer.text) == (status, True), answer.text


def test_a_silent_cloud_upgrades_nothing(world: World) -> None:
    id = world.active()

    def silent(name: str, said: object) -> None:
        raise protocol.Passing(f"{name}: no answer")

    world.cloud.before = silent
    path = f"mgmt/instances/{id}/upgrade"
    answer = world.ask("POST", path, {"upgrade": {}}, caller="admin")
    assert answer.status_int >= 500, answer.text
    assert [each.kind for each in world.operations(id)] == ["instance.create"]
