# SPDX-License-Identifier: Apache-2.0
"""What an administrator is told of an instance when the cloud has a bad day."""

import pytest

from tests.api.world import World
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
