# SPDX-License-Identifier: Apache-2.0
"""Accounts: who may be asked, how a page is made of what a guest gives at once."""

import pytest
import sqlalchemy as sa

from tests.api.world import World
from trove import errors
from trove.actions import accounts
from trove.actions.accounts import Running
from trove.context import Context
from trove.db.tables import Guest
from trove.model.operations import NewUser

ANN = Context(user="ann", project="demo0000")


def running(world: World, id: str) -> Running:
    return Running(world.services, ANN, id, "demo0000")


@pytest.mark.parametrize("service", ["healthy", "running", "read_only"])
def test_a_database_that_runs_is_asked(world: World, service: str) -> None:
    id = world.active()
    world.finish(id, service)
    assert running(world, id).databases(5, None) == ([], None)


@pytest.mark.parametrize("service", ["stopped", "crashed", "starting", "new", "failed"])
def test_a_database_that_does_not_run_is_not(world: World, service: str) -> None:
    id = world.active()
    world.finish(id, service)
    with pytest.raises(errors.InstanceNotReady):
        running(world, id)
    assert world.desks.asked == []


def test_a_guest_that_was_not_heard_of_for_long_is_not_asked(world: World) -> None:
    id = world.active()
    world.clock += 1000
    with pytest.raises(errors.InstanceNotReady):
        running(world, id)


def test_without_a_key_to_seal_for_no_password_leaves(world: World) -> None:
    id = world.active()
    with world.database.transaction() as tx:
        tx.execute(sa.delete(Guest).where(Guest.instance_id == id))
    with pytest.raises(errors.InstanceNotReady):
        running(world, id).create_users([NewUser("ann", "p")])
    assert world.desks.asked == []


class Few:
    """A guest whose answers hold ``most`` names."""

    def __init__(self, count: int, most: int) -> None:
        self.names = [f"n{number:03}" for number in range(count)]
        self.most, self.asked = most, 0

    def list_databases(self, limit: int, after: str | None) -> tuple[str, ...]:
        self.asked += 1
        rest = [name for name in self.names if after is None or name > after]
        return tuple(rest[: min(limit, self.most)])


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 12])
@pytest.mark.parametrize("most", [1, 3, 99])
def test_pages_lead_through_everything_once(
    world: World, count: int, most: int
) -> None:
    asked = running(world, world.active())
    asked.guest = guest = Few(count, most)
    found: list[str] = []
    pages, after = 0, None
    while pages == 0 or after is not None:
        before = guest.asked
        page, after = asked.databases(5, after)
        assert len(page) <= 5
        assert guest.asked - before <= accounts.ROUNDS
        found += page
        pages += 1
        assert pages < 20
    assert found == guest.names


@pytest.mark.parametrize(
    "given, who",
    [
        ("ann", ("ann", "%")),
        ("ann@%", ("ann", "%")),
        ("ann@", ("ann", "%")),
        ("ann@10.0.%", ("ann", "10.0.%")),
        ("a@b@10.0.0.1", ("a@b", "10.0.0.1")),
        ("100%25@%", ("100%25", "%")),
    ],
)
def test_who_a_path_names(world: World, given: str, who: tuple[str, str]) -> None:
    asked = running(world, world.active())
    with pytest.raises(errors.UserNotFound, match=f"User {'@'.join(who)} cannot"):
        asked.user(given)


@pytest.mark.parametrize("given", ["", "@%", "root@%", "a@" + "9" * 300, "a@b\x1b"])
def test_who_no_path_can_name(world: World, given: str) -> None:
    asked = running(world, world.active())
    with pytest.raises(errors.Invalid):
        asked.user(given)
    assert world.desks.asked == []
