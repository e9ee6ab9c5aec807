# SPDX-License-Identifier: Apache-2.0
"""What a datastore version may have, and what a request for anything else is told."""

import typing

import sqlalchemy as sa

from tests.api.world import World
from trove.db.tables import DatastoreVersion


def narrow(world: World, **columns: typing.Any) -> None:
    with world.database.transaction() as tx:
        tx.execute(sa.update(DatastoreVersion).values(**columns))


def listed(world: World, what: str) -> list[str]:
    path = f"datastores/mariadb/versions/10.11/{what}"
    answer = world.ask("GET", path)
    assert answer.status_int == 200, answer.text
    return [each["name"] for each in answer.json[what.replace("-", "_")]]


def create(world: World, **about: typing.Any) -> typing.Any:
    body = {"name": "db", "flavorRef": "1", "volume": {"size": 1}, **about}
    return world.ask("POST", "instances", {"instance": body})


def test_all_where_none_is_said(world: World) -> None:
    assert listed(world, "flavors") == ["tiny", "small", "big"]
    assert listed(world, "volume-types") == ["fast", "lvm"]


def test_some_where_some_are(world: World) -> None:
    narrow(world, flavors=["2"], volume_types=["fast"])
    assert listed(world, "flavors") == ["small"]
    assert listed(world, "volume-types") == ["fast"]


def test_an_instance_is_made_of_what_is_offered(world: World) -> None:
    narrow(world, flavors=["2"], volume_types=["type-2"])
    refused = create(world)
    assert refused.status_int == 400 and "cannot have the flavor 1" in refused.text
    fast = {"size": 1, "type": "fast"}
    assert create(world, flavorRef="2", volume=fast).status_int == 200
    slow = create(world, flavorRef="2", volume={"size": 1, "type": "lvm"})
    assert slow.status_int == 400 and "volume type lvm" in slow.text


def test_a_volume_type_that_no_cloud_has(world: World) -> None:
    refused = create(world, volume={"size": 1, "type": "floppy"})
    assert refused.status_int == 400 and "floppy" in refused.text


def test_another_flavor_is_among_them_too(world: World) -> None:
    id = world.active()
    narrow(world, flavors=["1", "m1.big"])
    path = f"instances/{id}/action"
    refused = world.ask("POST", path, {"resize": {"flavorRef": "2"}})
    assert refused.status_int == 400 and "flavor 2" in refused.text
    taken = world.ask("POST", path, {"resize": {"flavorRef": "m1.big"}})
    assert taken.status_int == 202
