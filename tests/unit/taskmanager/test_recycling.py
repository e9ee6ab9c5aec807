# SPDX-License-Identifier: Apache-2.0
"""The recycle bin is emptied: what is over goes once, and nothing before its time."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.api.world import DEMO, World
from trove import errors
from trove.actions import recycled
from trove.context import Context
from trove.db.tables import Operation
from trove.model import operations
from trove.taskmanager import recycling
from trove.taskmanager.recycling import Recycling

DAY = 86400.0
MEMBER = Context(project=DEMO, user="u")


@pytest.fixture
def house(tmp_path: pathlib.Path) -> Iterator[World]:
    made = World(tmp_path, quotas={})
    yield made
    made.close()


def ended(house: World) -> list[str]:
    """The instances that a round has begun to take away."""
    rung: list[str] = []
    Recycling(house.database, rung.append).round()
    with house.database.reading() as tx:
        found = [tx.get_one(Operation, one) for one in rung]
    assert all(one.kind == operations.RECLAIM for one in found)
    return [one.object_id for one in found]


def kept(house: World, seconds: float) -> str:
    id = house.active()
    house.recycle(id, seconds)
    return id


def test_what_is_over_goes_and_nothing_before(house: World) -> None:
    first, last = kept(house, 2 * DAY), kept(house, 3 * DAY)
    assert ended(house) == []
    house.clock += 2 * DAY
    assert ended(house) == [first]
    assert ended(house) == []
    house.clock += DAY
    assert ended(house) == [last]


def test_so_many_at_once(house: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "BATCH", 2)
    ids = [kept(house, DAY + n) for n in range(3)]
    house.clock += 2 * DAY
    assert ended(house) == ids[:2]
    assert ended(house) == ids[2:]


def test_what_comes_back_is_left_alone(house: World) -> None:
    id = kept(house, DAY)
    house.clock += DAY
    recycled.undelete(house.services, MEMBER, id, DEMO)
    assert ended(house) == []
    house.clock += DAY
    assert ended(house) == []


def test_one_whose_turn_was_taken_meanwhile_is_nobodys_fault(house: World) -> None:
    """Between the look and the turn: another taskmanager, its user, an undelete."""
    id = kept(house, DAY)
    with house.database.transaction() as tx:
        assert recycled.take_turn(tx, id) is None, "before its time"
    house.clock += DAY
    with house.database.transaction() as tx:
        assert recycled.take_turn(tx, "nobody") is None
        assert recycled.take_turn(tx, id) is not None
    with house.database.transaction() as tx:
        assert recycled.take_turn(tx, id) is None
    with pytest.raises(errors.InstanceBusy):
        recycled.undelete(house.services, MEMBER, id, DEMO)
    recycled.reclaim(house.services, MEMBER, id, DEMO)
    kinds = [one.kind for one in house.operations(id)]
    assert kinds.count(operations.RECLAIM) == 1
