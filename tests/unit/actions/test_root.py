# SPDX-License-Identifier: Apache-2.0
"""Root: who asked is written down before the guest is asked."""

import typing

import pytest

from tests.api.world import World
from trove import errors
from trove.actions import root
from trove.actions.accounts import Running
from trove.context import Context

ANN = Context(user="ann", project="demo0000")


class Guest:
    """Looks whether the deed is written when it is asked, and fails as it is told."""

    def __init__(self, world: World, id: str, fault: Exception | None) -> None:
        self.world, self.id, self.fault = world, id, fault
        self.found: list[typing.Any] = []

    def _asked(self) -> None:
        self.found.append(root.history(self.world.services, self.id, None)[1])
        if self.fault is not None:
            raise self.fault

    def enable_root(self, sealed: typing.Any) -> None:
        self._asked()

    def disable_root(self) -> None:
        self._asked()


def running(world: World, id: str, fault: Exception | None = None) -> Running:
    found = Running(world.services, ANN, id, None)
    found.guest = Guest(world, id, fault)
    return found


def test_it_is_written_before_it_is_asked(world: World) -> None:
    asked = running(world, world.active())
    root.enable(world.services, ANN, asked, None)
    (deed,) = asked.guest.found
    assert (deed.user, deed.deed, deed.state) == ("ann", "enable", "asked")


@pytest.mark.parametrize(
    "fault, left",
    [
        (errors.Conflict("no"), False),
        (errors.GuestSilent(instance="i"), True),
        (errors.EngineFailed(why="no"), True),
    ],
)
def test_what_a_fault_leaves(world: World, fault: Exception, left: bool) -> None:
    """A refusal is no root; when nobody knows, somebody may be root."""
    id = world.active()
    with pytest.raises(type(fault)):
        root.enable(world.services, ANN, running(world, id, fault), None)
    assert root.enabled(world.services, running(world, id)) is left


def test_a_disabling_that_nobody_answered_is_none(world: World) -> None:
    id = world.active()
    root.enable(world.services, ANN, running(world, id), "p")
    silent = running(world, id, errors.GuestSilent(instance=id))
    with pytest.raises(errors.GuestSilent):
        root.disable(world.services, ANN, silent)
    assert root.enabled(world.services, running(world, id))
    refused = running(world, id, errors.Conflict("no"))
    with pytest.raises(errors.Conflict):
        root.disable(world.services, ANN, refused)
    assert root.enabled(world.services, running(world, id))
    root.disable(world.services, ANN, running(world, id))
    assert not root.enabled(world.services, running(world, id))


def test_a_password_is_new_each_time_and_as_long_as_one_likes(world: World) -> None:
    id = world.active()
    made = {root.enable(world.services, ANN, running(world, id), None) for _ in "abc"}
    assert len(made) == 3
    with pytest.raises(errors.Invalid):
        root.enable(world.services, ANN, running(world, id), "p" * 9999)
