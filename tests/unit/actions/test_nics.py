# SPDX-License-Identifier: Apache-2.0
"""A user's port: whose it may be, what is kept of it, and that it is one instance's."""

import dataclasses
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import DEMO, OTHER, World
from tests.unit.actions.test_instances import MEMBER, order
from trove import errors
from trove.actions import instances, nics
from trove.db import dialects
from trove.db.tables import Instance, Usage

PORT = {"port": "port-mine"}


def create(world: World, nic: dict[str, typing.Any]) -> Instance:
    return instances.create(world.services, MEMBER, DEMO, order(nic=nic)).instance


def test_what_is_kept_is_where_the_port_is(world: World) -> None:
    assert nics.checked(world.services, DEMO, PORT) == {
        "port": "port-mine",
        "network": "net-1",
        "subnet": "subnet-of-net-1",
        "virtual": ["10.1.0.50"],
    }
    assert nics.checked(world.services, DEMO, None) is None
    plain = {"network": "net-1", "address": "10.1.0.9"}
    assert nics.checked(world.services, DEMO, plain) == plain


def test_another_projects_port_is_as_one_that_is_not_there(world: World) -> None:
    """S7."""
    said = []
    for owner, port in ((OTHER, "port-mine"), (DEMO, "nowhere")):
        with pytest.raises(errors.Invalid) as refused:
            nics.checked(world.services, owner, {"port": port})
        said.append(str(refused.value).replace(port, "P"))
    assert said[0] == said[1] == "Port P cannot be found."


def test_addresses_of_several_subnets(world: World) -> None:
    seen = world.cloud.network.show_port("port-two")
    assert seen is not None
    split = dataclasses.replace(seen, subnets=("a", "b"))
    world.cloud.network.show_port = lambda id: split  # type: ignore[method-assign]
    with pytest.raises(errors.Invalid, match="several subnets"):
        nics.checked(world.services, DEMO, {"port": "port-two"})


def test_a_port_on_a_network_that_the_service_cannot_see(world: World) -> None:
    world.cloud.lend(DEMO, "net-9", "10.9.9.9", id="port-far")
    with pytest.raises(errors.Invalid, match="net-9 cannot be used: it is not shared"):
        nics.checked(world.services, DEMO, {"port": "port-far"})


def test_a_port_has_one_instance(world: World) -> None:
    first = create(world, PORT)
    assert first.port_id == "port-mine"
    with pytest.raises(nics.PortLent) as refused:
        create(world, PORT)
    assert first.id in str(refused.value)
    with world.database.reading() as tx:
        reserved = {row.resource: row.reserved for row in tx.scalars(sa.select(Usage))}
    assert reserved["instances"] == 1, "what was refused is not counted"


def test_two_that_both_looked_before_are_told_apart_by_the_database(
    world: World,
) -> None:
    create(world, PORT)
    other = create(world, {"network": "net-1"})
    with pytest.raises(dialects.Violated), world.database.transaction() as tx:
        tx.execute(
            sa.update(Instance)
            .where(Instance.id == other.id)
            .values(port_id="port-mine")
        )


def test_one_that_owns_nothing_any_more_has_no_port(world: World) -> None:
    first = create(world, PORT)
    world.change(first.id, port_id=None)  # what a delete leaves
    assert create(world, PORT).id != first.id
